"""The card of one pipeline, in every state and over every status tree that platforms answer."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from components.pipeline_facts import Holder, LastRequest, PipelineAct, PipelineFacts
from dashboard.domain.deployment import advance
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.idle import GuardView
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import DeploymentStatus, PipelineState, PipelineVersion, Pod
from dashboard.gateway import translate
from tests.app import stories
from tests.app.conftest import shown, words
from tests.app.stories import draw
from tests.support import status_trees as trees
from tests.support.status_trees import CASES, Case

_BUTTONS = {
    None: [],
    PipelineState.NOT_DEPLOYED: ["Deploy…"],
    PipelineState.STARTING: ["Cancel and undeploy"],
    PipelineState.RUNNING: ["Summarize", "Deploy again…", "Undeploy…"],
    PipelineState.DEGRADED: ["Summarize", "Deploy again…", "Undeploy…"],
    PipelineState.ERROR: ["Deploy again…", "Undeploy…"],
    PipelineState.STOPPING: [],
}
_WORDS = {
    None: "Asking the platform…",
    PipelineState.NOT_DEPLOYED: "Uses nothing now.",
    PipelineState.STARTING: "Starting, 42 s",
    PipelineState.RUNNING: "Running",
    PipelineState.DEGRADED: "Degraded: 1 of 2 replicas answers",
    PipelineState.ERROR: "Error, may recover",
    PipelineState.STOPPING: "Stopping, 42 s",
}


def text(at: AppTest) -> str:
    """Return what a reader finds: Markdown, steps of a start, and the folded words."""
    steps = [one.label for one in at.status]
    found = "\n".join([shown(words(at)), *steps, *(one.value for one in at.code)])
    for mark in ("**", ":small[", ":gray["):
        found = found.replace(mark, "")
    return found


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def of_tree(tree: object, **changes: object) -> PipelineFacts:
    """Return what a card shows of a pipeline that was deployed 42 s ago, as of that tree."""
    status = translate.status(tree, wanted=True)
    starts = status.state in (PipelineState.STARTING, PipelineState.ERROR)
    known: dict[str, object] = {
        "pipeline": replace(
            stories.pipeline(),
            versions=(
                replace(stories.pipeline().versions[0], version_id=2, version=trees.NEW),
                replace(stories.pipeline().versions[0], version=trees.OLD),
            ),
        ),
        "status": status,
        "phases": advance((), status, elapsed_s=42) if starts else (),
        "settings": DeploymentSettings(),
        "recover_left_s": 558.0 if status.state is PipelineState.ERROR else None,
        **changes,
    }
    return stories.card(status.state, **known)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_card_tells_every_status_tree(case: Case):
    at = draw(stories.draw_pipeline, of_tree(case.tree))
    for said in case.says:
        assert said in text(at)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_line_tells_every_status_tree_without_its_processes(case: Case):
    at = draw(stories.draw_pipeline, of_tree(case.tree), is_open=False, is_only=False)
    assert case.state.value in text(at)
    assert not at.status
    assert not at.code
    assert labels(at)[-1] == "Details"


def test_every_state_of_a_pipeline_is_covered_here():
    assert set(_WORDS) == set(_BUTTONS) == {None, *PipelineState}
    assert {case.state for case in CASES.values()} == set(PipelineState) - {PipelineState.STOPPING}


@pytest.mark.parametrize("state", _WORDS)
def test_a_card_says_the_state_and_offers_what_can_be_done(state):
    at = draw(stories.draw_pipeline, stories.card(state))
    assert _WORDS[state] in text(at)
    assert labels(at) == _BUTTONS[state]
    uses = state is not None and state.uses_resources
    assert ("**Uses** :gray[until undeployed]" in words(at)) is uses
    assert ("2.5 CPU, 10 GiB, 2 replicas" in words(at)) is uses


@pytest.mark.parametrize(
    ("state", "label", "act"),
    [
        (PipelineState.NOT_DEPLOYED, "Deploy…", PipelineAct.DEPLOY),
        (PipelineState.STARTING, "Cancel and undeploy", PipelineAct.CANCEL),
        (PipelineState.RUNNING, "Summarize", PipelineAct.SUMMARIZE),
        (PipelineState.DEGRADED, "Undeploy…", PipelineAct.UNDEPLOY),
        (PipelineState.ERROR, "Deploy again…", PipelineAct.DEPLOY),
    ],
)
def test_a_button_of_a_card_asks_for_its_act(state, label, act):
    at = draw(stories.draw_pipeline, stories.card(state))
    next(button for button in at.button if button.label == label).click().run()
    assert at.session_state["asked"] is act


@pytest.mark.parametrize("is_open", [True, False])
def test_a_card_among_others_can_be_opened_and_closed(is_open):
    facts = stories.card(PipelineState.NOT_DEPLOYED)
    at = draw(stories.draw_pipeline, facts, is_open=is_open, is_only=False)
    at.button[-1].click().run()
    assert at.session_state["asked"] is (PipelineAct.CLOSE if is_open else PipelineAct.OPEN)


def test_a_card_under_change_can_only_be_summarized_with():
    at = draw(stories.draw_pipeline, stories.card(PipelineState.RUNNING), is_busy=True)
    assert [button.disabled for button in at.button] == [False, True, True]


def test_a_start_beside_a_version_that_answers_is_not_cancelled_without_a_question():
    old, new = trees.engine("a", version=trees.OLD), trees.engine("b", "Pending")
    at = draw(stories.draw_pipeline, of_tree(trees.tree("Starting", old, new)))
    assert labels(at) == ["Undeploy…"]


def test_a_starting_card_shows_its_phases_and_the_usual_time():
    facts = stories.card(PipelineState.STARTING, usual_start_s=60.0)
    at = draw(stories.draw_pipeline, facts)
    assert "Starting, 42 s of about 60 s" in text(at)
    assert [(one.label, one.state) for one in at.status] == [
        ("Settings accepted :gray[42 s]", "complete"),
        ("Room found on the platform :gray[42 s]", "complete"),
        ("Engine is starting, 0 of 2 ready, 0 ms so far", "running"),
    ]


def test_what_was_not_seen_from_its_beginning_has_no_times():
    status = stories.status(PipelineState.STARTING)
    facts = stories.card(PipelineState.STARTING, phases=advance((), status, elapsed_s=None))
    at = draw(stories.draw_pipeline, facts)
    assert [one.label for one in at.status][:2] == [
        "Settings accepted",
        "Room found on the platform",
    ]


def test_phases_stay_for_a_while_and_then_one_line_is_left():
    status = stories.status(PipelineState.RUNNING)
    done = advance((), status, elapsed_s=11.3)
    at = draw(stories.draw_pipeline, stories.card(PipelineState.RUNNING, phases=done))
    assert len(at.status) == 5
    facts = stories.card(PipelineState.RUNNING, phases=done, since_s=120.0)
    at = draw(stories.draw_pipeline, facts)
    assert not at.status
    assert "It was ready 11.3 s after it was deployed." in text(at)


def test_an_error_after_ten_minutes_is_final_and_promises_nothing():
    at = draw(stories.draw_pipeline, stories.card(PipelineState.ERROR, recover_left_s=0.0))
    assert "Error, final" in text(at)
    assert "Undeploy it, then deploy it again." in text(at)
    assert not re.search("[Mm]ay recover|keeps trying", text(at))


def test_no_room_names_the_three_that_hold_most():
    holders = [Holder(f"pipe-{number}", number, number * 2**30) for number in range(1, 6)]
    case = CASES["error, no room, with what is required"]
    at = draw(stories.draw_pipeline, of_tree(case.tree, holders=holders))
    assert "undeploy pipe-5 (5 CPU) or pipe-4 (4 CPU) or pipe-3 (3 CPU)." in text(at)


def test_no_room_and_nobody_that_holds_any_asks_for_a_smaller_size_alone():
    case = CASES["error, no room, with what is required"]
    at = draw(stories.draw_pipeline, of_tree(case.tree, holders=()))
    assert "Ask for a smaller size." in text(at)


def test_what_a_failed_process_wrote_is_shown_oldest_first_and_only_where_it_is_known():
    case = CASES["error, a crash loop"]
    at = draw(stories.draw_pipeline, of_tree(case.tree, log_lines=("last", "first")))
    assert "Its log is below." in text(at)
    assert at.code[0].value == "first\nlast"
    at = draw(stories.draw_pipeline, of_tree(case.tree))
    assert "log" not in text(at)


def test_restarts_are_counted_at_their_process():
    case = CASES["error, a crash loop"]
    name = "engine-sidekick-hf-summarizer-5-7fb7c55f75-snlg2"
    at = draw(stories.draw_pipeline, of_tree(case.tree, restarts={name: 3}))
    assert "Sidekick has failed, restarted 3 times: CrashLoopBackOff" in text(at)


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (GuardView(minutes=60), "stops after 60 min without a request"),
        (GuardView(), "runs until somebody undeploys it."),
        (GuardView(minutes=60, is_in_use=True), "In use now."),
        (GuardView(minutes=60, problem="Somebody else deployed it."), "Somebody else deployed it."),
        (
            GuardView(minutes=60, stops_at=stories.NOW + timedelta(minutes=42)),
            "Running, stops in 42 min",
        ),
    ],
)
def test_the_idle_guard_says_when_it_stops_the_pipeline(guard, said):
    at = draw(stories.draw_pipeline, stories.card(PipelineState.RUNNING, guard=guard))
    assert said in text(at)
    assert ("Keep 30 min more" in labels(at)) is (guard.stops_at is not None)


def test_a_line_says_what_it_takes_since_when_by_whom_and_who_asked_last():
    facts = stories.card(
        PipelineState.RUNNING,
        deployed_at=stories.NOW - timedelta(hours=1),
        by="m.ortiz",
        last_use=LastRequest(stories.NOW - timedelta(minutes=48), "you"),
    )
    at = draw(stories.draw_pipeline, facts, is_open=False, is_only=False)
    assert (
        "Version ccccdddd, model hf-summarizer. 2.5 CPU, 10 GiB, 2 replicas. "
        "Deployed 60 min ago by m.ortiz. Last request 48 min ago by you. In press-desk."
    ) in text(at)


def test_what_was_not_deployed_from_here_is_said_to_be():
    facts = stories.card(
        PipelineState.RUNNING, deployed_at=stories.NOW - timedelta(hours=1), is_foreign=True
    )
    at = draw(stories.draw_pipeline, facts, is_open=False, is_only=False)
    assert "Deployed 60 min ago, not from here." in text(at)


def test_a_line_names_the_version_that_runs():
    versions = tuple(
        PipelineVersion(number, f"v-{number}", stories.NOW.replace(tzinfo=UTC))
        for number in (5, 4, 3)
    )
    status = DeploymentStatus(PipelineState.RUNNING, "Running", running_versions=("v-4",))
    named = replace(stories.pipeline(), versions=versions)
    facts = stories.card(PipelineState.RUNNING, pipeline=named, status=status)
    at = draw(stories.draw_pipeline, facts, is_open=False, is_only=False)
    assert "Version v-4." in text(at)


def test_hostile_names_reasons_logs_and_problems_on_a_card_are_text():
    pod = Pod(stories.IMG, "Failed", stories.IMG, (stories.IMG,), required_cpu=stories.IMG)
    other = Pod(stories.IMG, stories.IMG)
    status = DeploymentStatus(
        PipelineState.ERROR,
        stories.IMG,
        details=(stories.IMG,),
        engines=(pod, other),
        sidekicks=(replace(pod, required_cpu=""),),
    )
    facts = stories.card(
        PipelineState.ERROR,
        status=status,
        pipeline=stories.pipeline(name=stories.IMG),
        problem=stories.IMG,
        by=stories.IMG,
        deployed_at=stories.NOW,
        last_use=LastRequest(stories.NOW, stories.IMG),
        holders=(Holder(stories.IMG, 1, 1),),
        log_lines=(stories.IMG,),
    )
    for is_open in (True, False):
        at = draw(stories.draw_pipeline, facts, is_open=is_open, is_only=False)
        assert re.search(r"(?<!\\)<img", words(at)) is None
        assert shown(words(at)).count(stories.IMG) >= 4
    long = "<b>" * 100_000
    huge = replace(facts, status=replace(status, engines=(replace(pod, reason=long),) * 500))
    at = draw(stories.draw_pipeline, huge)
    assert len(text(at)) < 200_000


@pytest.mark.parametrize(("framework", "is_there"), [("onnx", False), ("custom", True)])
def test_a_model_that_the_engine_runs_has_no_phase_of_a_sidekick(framework, is_there):
    version = ModelVersion(1, "v", "house", "sha", framework=framework)
    facts = stories.card(PipelineState.STARTING, model_version=version)
    assert facts.status is not None
    status = replace(facts.status, sidekicks=())
    facts = replace(facts, status=status, phases=advance((), status, elapsed_s=None))
    assert ("Sidekick" in words(draw(stories.draw_pipeline, facts))) is is_there
