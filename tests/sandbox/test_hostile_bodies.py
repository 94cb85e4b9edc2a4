"""Whatever a body holds, every route answers in the wire's form, and never with a 500."""

from __future__ import annotations

import json

import pytest

from dashboard.sandbox.app import ROUTES
from dashboard.sandbox.routes.entry import Support

PATHS = {
    "{user_id}": "x",
    "{target}": "hf-summarizer-1",
    "{pipeline}": "hf-summarizer",
    "{topic}": "workspace-3-pipeline-hf-summarizer-inference",
}
BROKEN = [b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b'{"a":NaN}', b"[" * 100_000, b"\x00"]
#: A body of which every call can take something.
USABLE = {
    **dict.fromkeys(("id", "workspace_id", "model_id", "model_version_id"), 1),
    **dict.fromkeys(("pipeline_pk_id", "deployment_id", "pipeline_version_pk_id"), 1),
    **dict.fromkeys(("name", "workspace_name", "pipeline_name", "version", "deploy_id"), "x"),
    **dict.fromkeys(("type", "email", "user_id", "connection_id", "pipeline_id", "query"), "x"),
    **dict.fromkeys(("runtime", "input_schema", "batch_config"), "onnx"),
    **{key: {} for key in ("details", "definition", "engine_config", "variables")},
    **{key: ["x"] for key in ("user_ids", "tensor_fields")},
    **dict.fromkeys(("sidekick_name", "start_datetime", "end_datetime"), "2026-01-01"),
    "limit": 1,
    "lines": 1,
    "enabled": True,
}
HOSTILE: list[object] = [None, -1, 2**70, True, "\ud800", [[]], {"a": {}}]
ERROR_FORMS = [
    {"msg", "code"},
    {"code", "status", "error", "source"},
    {"error", "error_description"},
    {"status", "errorType", "error"},
]


#: What is refused by name reads no body.
WITH_BODY = [each for each in ROUTES if each.method != "GET" and each.support is not Support.NOT]


@pytest.mark.parametrize("entry", WITH_BODY, ids=[each.path for each in WITH_BODY])
def test_no_body_breaks_a_route(demo, entry):
    path = entry.path
    for placeholder, value in PATHS.items():
        path = path.replace(placeholder, value)
    bodies = [*BROKEN, *(json.dumps(USABLE | {key: bad}) for key in USABLE for bad in HOSTILE)]
    for body in bodies:
        answer = demo.http.request(entry.method, path, content=body, headers=demo.headers())
        assert answer.status_code in {200, 202, 204, 400, 401, 403, 404, 409, 501}, body[:200]
        # The pages of the log-in are for people.
        if answer.status_code >= 400 and "text/html" not in answer.headers["content-type"]:
            assert set(answer.json()) in ERROR_FORMS, body[:200]
