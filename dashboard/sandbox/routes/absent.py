"""Calls of the platform that the sandbox refuses, each by its name: 501, never a wrong success.

The way in asks for a token before it comes here, so that a refusal says nothing to strangers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.errors import wire_answer
from dashboard.sandbox.routes.entry import API, Entry, Support

_V2: Final = "/v2/api"

_ASSAYS: Final = "It watches no model for drift: there are no assays."
_EDGES: Final = "It publishes nothing: there is no registry of images and there are no edges."
_REGISTRIES: Final = "It reaches no foreign registry of models."
_OPENAI: Final = "It runs no language model that speaks this protocol."
_INFER: Final = f"{API}/pipelines/infer/{{target}}/{{pipeline}}"

#: Path, the SDK's calls that send it, and why it is refused.
_ABSENT: Final[tuple[tuple[str, str, str], ...]] = (
    (f"{API}/assays/create", "upload_assay, AssayBuilder.upload", _ASSAYS),
    (f"{API}/assays/filter", "", _ASSAYS),
    (
        f"{API}/assays/get_assay_by_id",
        "get_assay_info, Assay.get_assay_info, Assay.set_alert_threshold, "
        "Assay.set_warning_threshold, Assay.*",
        _ASSAYS,
    ),
    (f"{API}/assays/get_assay_results", "get_assay_results", _ASSAYS),
    (f"{API}/assays/get_baseline", "", _ASSAYS),
    (f"{API}/assays/list", "list_assays", _ASSAYS),
    (f"{API}/assays/run_interactive", "AssayConfig.interactive_run", _ASSAYS),
    (f"{API}/assays/run_interactive_baseline", "AssayConfig.interactive_baseline_run", _ASSAYS),
    (
        f"{API}/assays/set_active",
        "set_assay_active, Assay.turn_on, Assay.turn_off",
        _ASSAYS,
    ),
    (f"{API}/assays/summarize", "build_assay, AssayBuilder.build", _ASSAYS),
    (f"{_V2}/assays/get", "list_assays", _ASSAYS),
    (f"{_V2}/assays/get/:id", "AssayV2.*", _ASSAYS),
    (f"{_V2}/assays/get_next_run", "AssayV2.*", _ASSAYS),
    (f"{_V2}/assays/get_results", "AssayV2.results", _ASSAYS),
    (f"{_V2}/assays/preview", "AssayV2Builder.preview", _ASSAYS),
    (f"{_V2}/assays/preview_baseline_binning", "AssayBuilder.build", _ASSAYS),
    (f"{_V2}/assays/schedule", "AssayV2Builder.build, upload_assay", _ASSAYS),
    (f"{_V2}/assays/score", "", _ASSAYS),
    (
        f"{_V2}/assays/set_active",
        "AssayV2.set_active, AssayV2.pause, AssayV2.resume",
        _ASSAYS,
    ),
    (f"{API}/pipelines/publish", "Pipeline.publish, PipelineVersion.publish", _EDGES),
    (f"{API}/pipelines/get_publish_status", "", _EDGES),
    (
        f"{API}/pipelines/list_publishes_for_pipeline",
        "list_publishes, Pipeline.publishes, Pipeline.list_edges",
        _EDGES,
    ),
    (f"{API}/pipelines/list_edges_by_publish_id", "PipelinePublish.list_edges", _EDGES),
    (f"{API}/pipelines/add_edge_to_publish", "PipelinePublish.add_edge", _EDGES),
    (f"{API}/pipelines/remove_edge", "remove_edge, PipelinePublish.remove_edge", _EDGES),
    (f"{API}/models/create_registry", "create_model_registry", _REGISTRIES),
    (f"{API}/models/get_registry", "ModelRegistry.*", _REGISTRIES),
    (f"{API}/models/list_registries", "list_model_registries", _REGISTRIES),
    (
        f"{API}/models/attach_registry_to_workspace",
        "ModelRegistry.add_registry_to_workspace",
        _REGISTRIES,
    ),
    (
        f"{API}/models/remove_registry_from_workspace",
        "ModelRegistry.remove_registry_from_workspace",
        _REGISTRIES,
    ),
    (f"{API}/models/list_registry_models", "ModelRegistry.list_models", _REGISTRIES),
    (f"{API}/models/list_registry_model_versions", "RegisteredModel.versions", _REGISTRIES),
    (
        f"{API}/models/list_registry_model_version_artifacts",
        "RegisteredModel.list_artifacts, RegisteredModelVersion.list_artifacts",
        _REGISTRIES,
    ),
    (f"{API}/models/upload_from_registry", "ModelRegistry.upload_model", _REGISTRIES),
    (f"{_INFER}/openai/v1/completions", "Pipeline.openai_completion", _OPENAI),
    (f"{_INFER}/openai/v1/chat/completions", "Pipeline.openai_chat_completion", _OPENAI),
)


def _refusing(path: str, sdk_calls: str, why: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that answers 501 and names the call."""
    sent_by = f" ({sdk_calls})" if sdk_calls else ""
    msg = f"The sandbox does not imitate POST {path}{sent_by}. {why}"

    async def refuse(_request: Request) -> Response:
        return wire_answer(501, msg)

    return refuse


ROUTES: tuple[Entry, ...] = tuple(
    Entry("POST", path, _refusing(path, sdk_calls, why), sdk_calls, Support.NOT, why)
    for path, sdk_calls, why in _ABSENT
)
