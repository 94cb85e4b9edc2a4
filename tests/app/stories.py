"""Values that components are shown with, and a function for each that draws it.

What a component asks for is kept in the session under `asked`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st
from streamlit.testing.v1 import AppTest

from components.empty_state import Way, empty_state
from components.error_panel import error_panel, stale_notice
from components.home_cards import Running, cards_row
from components.pipeline_card import pipeline_card
from components.pipeline_facts import Holder, PipelineFacts
from components.steps import steps_row
from components.table_card import table_card
from dashboard.domain.check import Health
from dashboard.domain.connection import Connection
from dashboard.domain.deployment import Phase, advance
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.inference import RowTiming
from dashboard.domain.model import EMBEDDED_IMAGE_PREFIX, ModelVersion
from dashboard.domain.pipeline import (
    DeploymentStatus,
    Pipeline,
    PipelineState,
    PipelineStep,
    PipelineVersion,
    Pod,
)
from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.story import StoryFacts, steps
from dashboard.domain.table import ColumnFacts, Passport
from dashboard.errors import DashboardError
from dashboard.store.run_records import Claim, RowResult

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
#: Holds while a run is written: what nobody carries is taken up by the dashboard that runs here.
CLAIM = Claim("test", datetime(2100, 1, 1, tzinfo=UTC))
IMG = "<img src=x onerror=alert(1)>"


# Values


def pipeline(pipeline_id: int = 1, name: str = "hf-summarizer") -> Pipeline:
    step = PipelineStep(model_name=name, model_version="aaaabbbb-1")
    version = PipelineVersion(1, "ccccdddd-1", NOW, (step,))
    return Pipeline(pipeline_id, name, 7, "press-desk", NOW, NOW, (version,))


def model_version() -> ModelVersion:
    image = f"{EMBEDDED_IMAGE_PREFIX}:1"
    return ModelVersion(1, "aaaabbbb-1", "hf-summarizer", "00", "ready", "m.zip", image)


def status(state: PipelineState) -> DeploymentStatus:
    """Status of a deployment of two replicas, as the platform tells it in that state."""
    if state is PipelineState.NOT_DEPLOYED:
        return DeploymentStatus(state)
    second = "Running" if state is PipelineState.RUNNING else "Pending"
    first = "Running" if state in (PipelineState.RUNNING, PipelineState.DEGRADED) else "Pending"
    engines = (Pod("engine-0", first), Pod("engine-1", second))
    return DeploymentStatus(state, state.value, engines=engines, sidekicks=(Pod("aux-0", first),))


def card(state: PipelineState | None, **changes: object) -> PipelineFacts:
    """Return what a card shows of a pipeline in `state`, 42 s after its start was asked for."""
    told = status(state) if state is not None else None
    uses = told is not None and told.state.uses_resources
    phases: tuple[Phase, ...] = advance((), told, elapsed_s=42) if told and uses else ()
    known: dict[str, object] = {
        "pipeline": pipeline(),
        "status": told,
        "since_s": 42.0,
        "started_s": 42.0 if uses else None,
        "usual_start_s": None,
        "phases": phases,
        "settings": DeploymentSettings(replicas=2) if uses else None,
        "model_version": model_version(),
        "recover_left_s": 558.0 if state is PipelineState.ERROR else None,
        "holders": (Holder("house-price", 0.5, 2**30),),
        "now": NOW,
    }
    return PipelineFacts(**{**known, **changes})  # type: ignore[arg-type] # mixed values by name


def passport(*columns: tuple[str, str], rows: int = 3) -> Passport:
    return Passport(
        table_id="t1",
        connection_name="week-47",
        workspace_id=7,
        rows=rows,
        columns=tuple(ColumnFacts(name, kind) for name, kind in columns),
        raw_bytes=31_400,
        fingerprint="ab12cd34" * 8,
        fetched_at=NOW,
        fetch_ms=412,
        format="JSON records",
        longest_text_words=640 if ("inputs", "string") in columns else None,
    )


def connection(name: str, *rooms: str) -> Connection:
    return Connection(f"id-{name}", name, "HTTP", NOW, rooms)


def run(state: RunState = RunState.DONE, *, failed: int = 0, name: str = "week-47") -> Run:
    return Run(
        run_id="r1",
        table_id="t1",
        workspace_id=7,
        workspace_name="press-desk",
        connection_name=name,
        pipeline_name="hf-summarizer",
        pipeline_version="ccccdddd-1",
        model_name="hf-summarizer",
        model_version="aaaabbbb-1",
        model_sha="00",
        engine=f"{EMBEDDED_IMAGE_PREFIX}:1",
        owner_id="u1",
        owner_email="",
        fingerprint="ab12",
        created_at=NOW,
        state=state,
        rows_total=24,
        rows_done=24 - failed,
        rows_failed=failed,
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=11),
    )


def results(texts: Sequence[str], *, failed: int) -> list[RowResult]:
    """Return what became of each text: all answered but the last `failed`."""
    done = len(texts) - failed
    return [
        RowResult(
            number,
            RowState.DONE if number < done else RowState.FAILED,
            summary=f"Summary of {text}" if number < done else "",
            error="" if number < done else f"It was refused: {text}",
            anomaly_count=0,
            answered_at=NOW + timedelta(seconds=number),
            input_chars=len(text),
            timing=RowTiming(1, 2, 405, 1, 400, 3),
        )
        for number, text in enumerate(texts)
    ]


# Drawing


def draw(component: Callable[..., None], *args: object, **options: object) -> AppTest:
    """Draw one of the components below and return what a page would hold then."""

    # AppTest copies this function out: it sees none of this module's names, and no annotation.
    def script(component, args, options):
        component(*args, **options)

    at = AppTest.from_function(script, args=(component, args, options), default_timeout=20).run()
    assert not at.exception, at.exception
    return at


def draw_steps(facts: StoryFacts) -> None:
    steps_row(steps(facts), on_press=lambda step: st.session_state.update(asked=step))


def draw_error(error: DashboardError, *, can_start: bool) -> None:
    error_panel(
        error,
        what="your connections",
        key="panel",
        can_start=can_start,
        on_way_back=lambda way: st.session_state.update(asked=way),
    )


def draw_stale(error: DashboardError, *, age_s: float | None) -> None:
    stale_notice(
        error,
        age_s=age_s,
        can_start=False,
        on_way_back=lambda way: st.session_state.update(asked=way),
    )


def draw_empty(title: str, explanation: str) -> None:
    ways = [
        Way("first", "Begin", lambda: st.session_state.update(asked="first")),
        Way("second", "Another way", lambda: st.session_state.update(asked="second")),
    ]
    empty_state(title, explanation, ways, icon="link")


def draw_pipeline(
    facts: PipelineFacts, *, is_busy: bool = False, is_open: bool = True, is_only: bool = True
) -> None:
    pipeline_card(
        facts,
        is_busy=is_busy,
        on_act=lambda act: st.session_state.update(asked=act),
        on_guard=lambda minutes: st.session_state.update(asked=minutes),
        is_open=is_open,
        is_only=is_only,
    )


def draw_table(
    known: Passport,
    rows: Sequence[dict[str, object]],
    *,
    before: Passport | None = None,
    host: str = "",
) -> None:
    table_card(known, rows, key="text_column", before=before, host=host)


def draw_home(
    connections: Sequence[Connection],
    running: Sequence[Running],
    last: Run | None,
    *,
    health: Mapping[str, Health] | None = None,
) -> None:
    cards_row(
        connections=connections,
        health=health or {},
        workspaces=2,
        running=running,
        last_run=last,
        on_ask=lambda asked: st.session_state.update(asked=asked),
    )
