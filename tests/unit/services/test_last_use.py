from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Deployment, Pipeline
from dashboard.masking import MASK, REDACTOR
from dashboard.services import last_use

T0 = datetime(2026, 1, 1, tzinfo=UTC)
PIPE = Pipeline(7, "hf-summarizer", 1, "press-desk", T0, T0)
ANN = Identity(key="ann", user_id="u1", email="ann@example.org")


class Platform:
    """One that another program has deployed on: nobody here has seen its variables."""

    def __init__(self, config: dict[str, Any] | None, written: str) -> None:
        self._config = config
        self._written = written

    def deployment(self, _who: Identity, _pipeline: Pipeline) -> Deployment | None:
        if self._config is None:
            return None
        return Deployment(3, deployed=True, engine_config=self._config)

    def pod_log(self, _who: Identity, _pipeline: Pipeline, _pod: str) -> tuple[str, ...]:
        return (REDACTOR.redact(self._written),)


def written(config: dict[str, Any] | None, line: str) -> str:
    platform = Platform(config, line)
    # Two calls of the platform are all that is used.
    query = last_use.pod_log(lambda: platform, ANN, PIPE, "sidekick-1")  # type: ignore[arg-type,return-value]
    return query.load()[0]


@pytest.mark.parametrize("image", ["0", "1"])
def test_what_a_model_writes_of_its_environment_is_left_out_after_a_restart_too(image):
    token = "hf_" + secrets.token_hex(8)
    env = [{"name": "HF_TOKEN", "value": token}, {"name": "EMPTY"}, "no variable"]
    config = {"engine": {"cpu": 1}, "engineAux": {"images": {image: {"env": env}}}}
    told = written(config, f"OSError: 401 for HF_TOKEN={token}")
    assert told == f"OSError: 401 for HF_TOKEN={MASK}"


def test_a_pipeline_that_was_never_deployed_has_its_log_read_all_the_same():
    assert written(None, "started") == "started"
