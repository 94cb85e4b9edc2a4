"""The idle guard on the home page and in the rail, and what an undeploy says before the click."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from components.idle_guard import policy_popover
from components.undeploy_dialog import UndeployFacts, undeploy_dialog
from dashboard.domain.activity import Act, ActivityFilter
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.idle import GuardView, LastUse
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.run import RunState
from dashboard.errors import PlatformUnreachable
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from tests.app import stories
from tests.app.conftest import Platform, settle, shown, words
from tests.support.waiting import wait_until

MINE = "u1"
NOW = datetime.now(UTC)
USED = UndeployFacts(
    "hf-summarizer",
    PipelineState.RUNNING,
    DeploymentSettings(),
    LastUse(NOW - timedelta(minutes=6), MINE),
)


def draw_one(facts: UndeployFacts) -> None:
    draw_many([facts], is_named=True)


def draw_many(facts: list[UndeployFacts], *, is_named: bool = False) -> None:
    undeploy_dialog(
        facts,
        mine=MINE,
        now=NOW,
        zone=UTC,
        on_undeploy=lambda: None,
        on_keep=lambda: None,
        is_named=is_named,
    )


def labels(at: AppTest) -> list[str]:
    return [one.label for one in at.button]


# What is said


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (LastUse(NOW - timedelta(minutes=6), MINE), "Last used 6 min ago by you; nothing is in"),
        (LastUse(NOW - timedelta(hours=3), "u2", "bo@x.org"), "Last used 3 h ago by bo@x.org;"),
        (LastUse(NOW - timedelta(minutes=2)), "2 min ago, by whom is not known;"),
        (None, "Not used yet, as far as is known;"),
    ],
)
def test_who_used_it_last_and_when_is_said_before_the_undeploy(use, told):
    at = stories.draw(draw_one, replace(USED, last_use=use))
    assert told in shown(words(at))
    assert "Frees 1.25 CPU and 5 GiB." in words(at)
    assert labels(at) == ["Undeploy", "Keep running"]


def test_a_run_that_an_undeploy_would_cut_off_is_said():
    run = replace(stories.run(RunState.RUNNING), rows_done=12, rows_total=24)
    told = shown(words(stories.draw(draw_one, replace(USED, run=run))))
    assert "It is in use now." in told
    assert "12 of 24 rows are done" in told
    told = shown(words(stories.draw(draw_one, replace(USED, is_in_flight=True))))
    assert "A request from here is in flight. It will fail." in told


def test_everything_that_is_undeployed_is_listed_with_what_it_frees():
    second = replace(USED, name=f"b {stories.IMG}", settings=DeploymentSettings(replicas=2))
    at = stories.draw(draw_many, [USED, second])
    told = shown(words(at))
    assert "Frees 3.75 CPU and 15 GiB in all." in told
    assert "(2 replicas)" in told
    assert r"\<img" in words(at)
    assert labels(at) == ["Undeploy 2 pipelines", "Keep running"]


def test_nothing_left_to_undeploy_is_said():
    at = stories.draw(draw_many, [])
    assert "Nothing that you started is running any more." in words(at)
    assert labels(at) == ["Close"]


def draw_home_card(view: GuardView | None) -> None:
    from components.home_cards import cards_row

    pipeline = stories.pipeline()
    cards_row(
        connections=[],
        health={},
        workspaces=1,
        running=[(pipeline, PipelineState.RUNNING, 60.0)],
        last_run=None,
        on_ask=lambda _asked: None,
        guards={pipeline.pipeline_id: view},
    )


def test_only_what_counts_down_can_be_kept_running():
    view = GuardView(minutes=60, stops_at=datetime.now(UTC) + timedelta(minutes=41, seconds=30))
    at = stories.draw(draw_home_card, view)
    assert "Stops in **42 min** unless it is used." in words(at)
    assert "Keep 30 min more" in labels(at)
    for other in (None, GuardView(), GuardView(minutes=60, problem="It is away.")):
        at = stories.draw(draw_home_card, other)
        assert "Keep 30 min more" not in labels(at)
        assert "Undeploy…" in labels(at)
    assert "It is away" in words(at)


def draw_policy(minutes: int | None) -> None:
    policy_popover(
        minutes, key="policy", on_set=lambda chosen: st.session_state.update(asked=[chosen])
    )


@pytest.mark.parametrize(
    ("before", "choice", "asked"), [(60, 30, 30), (60, 0, None), (None, 15, 15)]
)
def test_the_policy_of_a_pipeline_is_chosen_or_switched_off(before, choice, asked):
    at = stories.draw(draw_policy, before)
    assert at.radio[0].value == (before or 0)
    at.radio[0].set_value(choice).run()
    assert at.session_state["asked"] == [asked]


def test_a_policy_that_is_none_of_the_usual_ones_can_be_kept():
    assert stories.draw(draw_policy, 45).radio[0].value == 45


# Over a real sandbox


def deploy(platform: Platform) -> int:
    current, who = platform.current, platform.who
    (pipeline,) = current.gateway().list_pipelines(who)
    (model,) = current.gateway().list_models(who, pipeline.workspace_id)
    current.deployments.deploy(
        who,
        pipeline,
        model_version=model.versions[0],
        settings=DeploymentSettings(),
        idle_minutes=60,
    )

    def counts() -> bool:
        view = current.guard.view(pipeline.pipeline_id)
        return view is not None and view.stops_at is not None

    wait_until(counts, within_s=30, what="the guard counts")
    return pipeline.pipeline_id


def is_stopped(platform: Platform) -> bool:
    gateway, who = platform.current.gateway(), platform.who
    (pipeline,) = gateway.list_pipelines(who)
    return gateway.status(who, pipeline).state is PipelineState.NOT_DEPLOYED


def home(open_page, number: int) -> AppTest:
    at = settle(open_page("home"))
    wait_until(
        lambda: f"home_keep_{number}" in [one.key for one in settle(at.run()).button],
        within_s=20,
        what="the countdown is there",
    )
    return at


def test_the_countdown_is_on_the_home_page_and_in_the_rail_and_can_be_put_off(demo, open_page):
    number = deploy(demo)
    at = home(open_page, number)
    rail = "\n".join(one.value for one in at.sidebar.markdown)
    assert "stops in **60 min**" in rail
    settle(at.button(key=f"home_keep_{number}").click().run())
    assert "stops in **90 min**" in "\n".join(one.value for one in at.sidebar.markdown)
    newest = demo.current.activity.page(ActivityFilter()).entries[0]
    assert (newest.act, newest.pipeline) == (Act.KEPT_RUNNING, "hf-summarizer")


def test_one_text_that_is_tried_is_a_use_by_whoever_tried_it(demo):
    number = deploy(demo)
    current, who = demo.current, demo.who
    assert current.guard.last_use(number) is None
    (pipeline,) = current.gateway().list_pipelines(who)
    current.try_one.send(who, pipeline, "A shop sold loaves.", current.try_one.begin(who))
    used = current.guard.last_use(number)
    assert used is not None
    assert used.who_id == who.user_id
    assert not current.guard.is_in_use(number)
    current.deployments.undeploy(who, pipeline)


def test_one_click_undeploys_what_the_dialog_was_about(demo, open_page):
    number = deploy(demo)
    at = home(open_page, number)
    settle(at.button(key=f"home_undeploy_{number}").click().run())
    assert "Frees 1.25 CPU and 5 GiB." in words(at)
    settle(at.button(key="undeploy_confirm").click().run())
    wait_until(lambda: is_stopped(demo), within_s=20, what="it is undeployed")
    assert demo.current.guard.view(number) is None


def test_everything_i_started_is_undeployed_and_what_failed_is_told(demo, open_page, monkeypatch):
    number = deploy(demo)
    at = home(open_page, number)

    def fail(*_call, **_options):
        raise PlatformUnreachable("It is away.")

    settle(at.button(key="home_undeploy_mine").click().run())
    assert "hf\\-summarizer" in words(at)
    with monkeypatch.context() as patch:
        patch.setattr(WallarooGateway, "undeploy", fail)
        settle(at.button(key="undeploy_confirm").click().run())
    assert "It is away." in shown("\n".join(one.value for one in [*at.error, *at.markdown]))
    assert not is_stopped(demo)
    settle(at.button(key="home_undeploy_mine").click().run())
    settle(at.button(key="undeploy_confirm").click().run())
    wait_until(lambda: is_stopped(demo), within_s=20, what="it is undeployed")
