"""The page of pipelines over a platform whose pipelines and states the test tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.domain.inference import LogPage
from dashboard.domain.pipeline import (
    Deployment,
    DeploymentStatus,
    Pipeline,
    PipelineState,
    PipelineStep,
    PipelineVersion,
)
from dashboard.errors import PlatformUnreachable
from dashboard.gateway import translate
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from tests.app.conftest import settle, shown, words
from tests.support import status_trees as trees
from tests.support.status_trees import CASES
from tests.support.waiting import wait_until

CONFIG = {
    "engine": {"replicas": 1, "resources": {"requests": {"cpu": 0.5, "memory": "1Gi"}}},
    "engineAux": {"images": {}},
}
FIRST_ID = 9000
RUNNING = CASES["running, with a sidekick"].tree
LOADING = CASES["starting, the sidekick loads"].tree


@dataclass
class Script:
    """What the platform says, and what it was asked."""

    rooms: Sequence[tuple[int, str]]
    pipelines: list[Pipeline] = field(default_factory=list)
    trees: dict[int, object] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    asked: Counter[int] = field(default_factory=Counter)
    undeployed: list[str] = field(default_factory=list)
    problem: Exception | None = None

    def add(self, name: str, tree: object = None, *, room: int = 0, ago_s: float = 42) -> int:
        """Add a pipeline, deployed if there is a tree, and return its number."""
        number = FIRST_ID + len(self.pipelines)
        made_at = datetime.now(UTC) - timedelta(seconds=ago_s)
        version = PipelineVersion(number, trees.NEW, made_at, (PipelineStep("m", "mv"),))
        room_id, room_name = self.rooms[room]
        deployed = Deployment(number, deployed=tree is not None, engine_config=CONFIG)
        pipeline = Pipeline(number, name, room_id, room_name, made_at, made_at, (version,))
        self.pipelines.append(replace(pipeline, deployment=deployed))
        if tree is not None:
            self.trees[number] = tree
        return number

    def status(self, _who: object, pipeline: Pipeline) -> DeploymentStatus:
        self.asked[pipeline.pipeline_id] += 1
        if self.problem is not None:
            raise self.problem
        tree = self.trees.get(pipeline.pipeline_id)
        if tree is None:
            return DeploymentStatus(PipelineState.NOT_DEPLOYED)
        return translate.status(tree, wanted=True)

    def undeploy(self, _who: object, pipeline: Pipeline) -> None:
        self.undeployed.append(pipeline.name)
        self.trees.pop(pipeline.pipeline_id)


@pytest.fixture
def script(demo, monkeypatch) -> Iterator[Script]:
    rooms = demo.current.gateway().list_workspaces(demo.who)
    told = Script([(room.workspace_id, room.name) for room in rooms])
    gateway = WallarooGateway
    monkeypatch.setattr(gateway, "list_pipelines", lambda *_a, **_k: tuple(told.pipelines))
    monkeypatch.setattr(gateway, "status", told.status)
    monkeypatch.setattr(gateway, "undeploy", told.undeploy)
    monkeypatch.setattr(gateway, "log_page", lambda *_a, **_k: LogPage(told.rows, True))
    yield told
    demo.forget()


def cards(at: AppTest) -> list[str]:
    """Names of the pipelines that are shown, in order."""
    names = (shown(one.value).strip("*") for one in at.main.markdown if one.value[:2] == "**")
    return [name for name in names if name.startswith(("p-", "q-"))]


def button(at: AppTest, number: int, name: str) -> Any:
    return at.button(key=f"pipeline_{number}_{name}")


def is_open(at: AppTest, number: int) -> bool:
    return any(str(one.key) == f"pipeline_{number}_close" for one in at.button)


def test_what_moves_is_open_and_the_others_are_one_line_each(script, open_page):
    off = script.add("p-off")
    starting = script.add("p-starting", LOADING)
    running = script.add("p-running", RUNNING)
    at = settle(open_page("pipelines"))
    assert cards(at) == ["p-starting", "p-running", "p-off"]
    assert [is_open(at, one) for one in (off, starting, running)] == [False, True, False]
    assert "Sidekick is loading the model" in "".join(one.label for one in at.status)
    assert "0.5 CPU, 1 GiB, 1 replica" in words(at)


def test_what_was_open_because_it_moved_stays_open_when_it_has_come_to_rest(script, open_page):
    number = script.add("p-starting", LOADING)
    script.add("p-off")
    at = settle(open_page("pipelines"))
    script.trees[number] = RUNNING
    # The watch asks again within half a second.
    for _ in range(40):
        if "green-badge" in words(settle(at.run())):
            break
    assert "green-badge" in words(at)
    assert is_open(at, number)


def test_what_moves_can_be_folded(script, open_page):
    number = script.add("p-starting", LOADING)
    script.add("p-off")
    at = settle(open_page("pipelines"))
    at = settle(button(at, number, "close").click().run())
    assert not is_open(at, number)
    assert not at.status
    at = settle(button(at, number, "open").click().run())
    assert is_open(at, number)


def test_details_stand_in_the_address_and_a_link_opens_them(script, open_page):
    numbers = [script.add(f"p-{place}") for place in range(3)]
    at = settle(open_page("pipelines"))
    at = settle(button(at, numbers[2], "open").click().run())
    assert at.query_params["pipeline"] == str(numbers[2])
    again = settle(open_page("pipelines", pipeline=str(numbers[2])))
    assert [is_open(again, one) for one in numbers] == [False, False, True]
    closed = settle(button(again, numbers[2], "close").click().run())
    assert "pipeline" not in closed.query_params
    assert not is_open(closed, numbers[2])


@pytest.mark.parametrize("number", ["1", "x", "99999999999", "-3"])
def test_a_link_to_what_is_not_here_says_so_or_is_ignored(script, open_page, number):
    script.add("p-0")
    script.add("p-1")
    at = settle(open_page("pipelines", pipeline=number))
    assert cards(at) == ["p-0", "p-1"]
    assert ("The pipeline of this link is not here" in words(at)) is (number == "1")


def test_two_hundred_pipelines_are_twenty_lines_a_page_and_ask_for_what_runs_alone(
    script, open_page
):
    runs = [script.add(f"q-{place}", RUNNING) for place in range(3)]
    numbers = [script.add(f"p-{place:03}") for place in range(197)]
    at = settle(open_page("pipelines"))
    assert cards(at) == ["q-0", "q-1", "q-2", *(f"p-{place:03}" for place in range(17))]
    assert "1–20 of 200 pipelines" in words(at)
    assert set(script.asked) == set(runs)
    linked = settle(open_page("pipelines", pipeline=str(numbers[150])))
    assert "p-150" in cards(linked)
    assert is_open(linked, numbers[150])


def test_filters_and_search_narrow_the_list_and_stand_in_the_address(script, open_page):
    script.add("p-one", RUNNING)
    script.add("p-two")
    script.add("p-three", room=1)
    at = settle(open_page("pipelines"))
    assert [one.split(": ")[-1] for one in at.pills(key="pipelines_state").options] == [
        "All 3",
        "Not deployed 2",
        "Running 1",
    ]
    room_id, _ = script.rooms[1]
    at = settle(at.selectbox(key="pipelines_workspace").set_value(room_id).run())
    assert cards(at) == ["p-three"]
    assert at.query_params["workspace"] == str(room_id)
    at = settle(open_page("pipelines", state="running"))
    assert cards(at) == ["p-one"]
    at = settle(open_page("pipelines"))
    at = settle(at.text_input(key="pipelines_search").set_value("tw").run())
    assert cards(at) == ["p-two"]
    assert "search" not in str(at.query_params)
    assert "1 of 3" in words(at)


def test_filtered_to_nothing_says_so_and_can_be_cleared(script, open_page):
    script.add("p-one")
    script.add("p-two")
    at = settle(open_page("pipelines", state="error"))
    assert "No pipeline fits these filters." in words(at)
    at = settle(at.button(key="pipelines_clear").click().run())
    assert cards(at) == ["p-one", "p-two"]
    assert "state" not in at.query_params


def test_no_room_says_how_much_is_missing_and_who_holds_some(script, open_page):
    script.add("p-big", CASES["error, no room, with what is required"].tree)
    script.add("q-holder", RUNNING)
    at = settle(open_page("pipelines"))
    told = shown(words(at)).replace("**", "")
    assert "The platform lacks 64 CPU" in told
    assert "undeploy q-holder (0.5 CPU)" in told
    assert "Error, may recover" in told


def test_an_old_error_is_final(script, open_page):
    script.add("p-old", CASES["error, a crash loop"].tree, ago_s=3600)
    at = settle(open_page("pipelines"))
    assert "Error, final" in shown(words(at))


def test_cancel_undeploys_at_once_and_once(script, open_page):
    number = script.add("p-starting", LOADING)
    at = settle(open_page("pipelines"))
    cancel = button(at, number, "cancel")
    cancel.click()
    at = settle(at.run())
    assert script.undeployed == ["p-starting"]
    # The watch asks again by itself, half a second later.
    wait_until(lambda: "Not deployed" in words(settle(at.run())), within_s=10, what="it is off")
    assert script.undeployed == ["p-starting"]


def test_the_last_inference_of_the_open_pipeline_is_read_off_the_platforms_log(script, open_page):
    script.add("p-one", RUNNING)
    at_ms = (datetime.now(UTC) - timedelta(minutes=7)).timestamp() * 1000
    script.rows = ({"time": at_ms},)
    at = settle(open_page("pipelines"))
    assert "Last request 7 min ago" in words(at)


@pytest.mark.parametrize("rows", [(), ({},), ({"time": "x"},), ({"time": 1e30},)])
def test_a_log_without_a_usable_time_says_nothing(script, open_page, rows):
    script.add("p-one", RUNNING)
    script.rows = rows
    assert "Last request" not in words(settle(open_page("pipelines")))


def test_a_platform_that_does_not_tell_the_state_says_why_on_the_card(script, open_page):
    script.add("p-one", RUNNING)
    settle(open_page("pipelines"))
    script.problem = PlatformUnreachable("Nobody answers.")
    for _ in range(40):
        at = settle(open_page("pipelines"))
        if "Nobody answers." in shown(words(at)):
            break
    assert "Nobody answers." in shown(words(at))
    assert "green-badge" in words(at)
