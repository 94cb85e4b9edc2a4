"""The page Preflight, over a real sandbox: red, then deployed and gone on, then green."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete
from streamlit.testing.v1 import AppTest

from dashboard import strings
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.preflight import Step
from dashboard.store.schema import PREFLIGHTS
from tests.app.conftest import Platform, settle, words
from tests.support.waiting import wait_until

ROOM = "workshop-workspace-summarization"


@pytest.fixture
def linked(demo: Platform) -> Iterator[Platform]:
    demo.connect("press-releases", url=demo.sandbox.url + strings.WORKSHOP_SAMPLE_PATH)
    demo.link("press-releases", ROOM)
    forget(demo)
    with demo.current._store.write() as connection:
        connection.execute(delete(PREFLIGHTS))
    yield demo
    # The next platform's pipelines have the same numbers.
    demo.current._use._last.clear()


def forget(demo: Platform) -> None:
    """Drop what is in memory, as a restart does."""
    demo.current.preflight._records.clear()
    demo.current.preflight._rows.clear()


def keys(at: AppTest) -> list[str]:
    return [one.key for one in at.button if one.key and one.key.startswith("preflight")]


def walk(at: AppTest, key: str = "preflight_run") -> str:
    settle(at.button(key=key).click().run())
    return words(at)


def test_it_is_reached_from_home_and_from_summarize(linked, open_page):
    at = settle(open_page("home"))
    settle(at.button(key="home_preflight").click().run())
    assert at.title[0].value == "Preflight"
    room = linked.current.gateway().list_pipelines(linked.who)[0].workspace_id
    at = settle(open_page("summarize", workspace=str(room)))
    settle(at.button(key="summarize_preflight").click().run())
    assert at.title[0].value == "Preflight"
    assert at.query_params["workspace"] == str(room)


def test_before_any_the_steps_are_named_and_nothing_is_claimed(linked, open_page):
    told = words(settle(open_page("preflight")))
    assert all(step.value in told for step in Step)
    assert "check_circle" not in told
    assert "Green" not in told


@pytest.mark.parametrize("workspace", ["²", "9" * 5_000, "-1", "x"])
def test_an_address_that_names_no_workspace_opens_the_usual_one(linked, open_page, workspace):
    at = settle(open_page("preflight", workspace=workspace))
    assert not at.exception
    assert at.selectbox[0].value == settle(open_page("preflight")).selectbox[0].value


def test_red_is_deployed_and_gone_on_with_to_green(linked, open_page):
    platform = linked
    at = settle(open_page("preflight"))
    told = walk(at)
    assert "Red just now" in told
    assert "hf\\-summarizer is not deployed" in told
    assert told.count("not tried") == 2
    assert platform.current.jobs.running(platform.who) == ()
    at.button(key="preflight_deploy").click().run()
    assert at.session_state["_dialog"][0] == "deploy"
    del at.session_state["_dialog"]
    gateway, who = platform.current.gateway(), platform.who
    (pipeline,) = gateway.list_pipelines(who)
    (model,) = gateway.list_models(who, pipeline.workspace_id)
    platform.current.deployments.deploy(
        who,
        pipeline,
        model_version=model.versions[0],
        settings=DeploymentSettings(),
        idle_minutes=None,
    )
    wait_until(
        lambda: "preflight_go_on" in keys(settle(at.run())), within_s=20, what="it can go on"
    )
    told = walk(at, "preflight_go_on")
    assert "Green just now" in told
    assert "not tried" not in told
    assert gateway.status(who, pipeline).state is PipelineState.RUNNING
    # Nothing was stored: no run, no table.
    assert not platform.current.run_actions.recent(who).load()
    last = platform.current.guard.last_use(pipeline.pipeline_id)
    assert last is not None
    # A reload, or another window, finds it with its age.
    again = settle(open_page("preflight"))
    assert "Green just now" in words(again)
    assert again.button(key="preflight_run").label == "Run again"
    forget(platform)
    at = settle(open_page("preflight"))
    assert "Last time: all green, just now" in words(at)
    assert at.button(key="preflight_run").label == "Run again"
    assert "not tried" not in words(at)


def test_a_table_that_does_not_fit_leads_back_to_it(linked, open_page):
    linked.connect("wide", url=linked.sandbox.url + "/_sandbox/samples/none.json")
    linked.link("wide", ROOM)
    kept = linked.current.gateway().list_connections(linked.who)
    wide = next(one for one in kept if one.name == "wide")
    at = settle(open_page("preflight", connection=wide.connection_id))
    told = walk(at)
    assert "Red just now" in told
    settle(at.button(key="preflight_way_connection").click().run())
    assert at.query_params["connection"] == wide.connection_id
    assert at.title[0].value == "Connections"


def test_where_nothing_is_linked_it_says_what_lacks(demo, open_page):
    room = demo.post("/v1/api/workspaces/create", {"workspace_name": "bare-room"})["workspace_id"]
    demo.current.reads.forget("local")
    at = settle(open_page("preflight", workspace=str(room)))
    assert "No connection to a file" in words(at)
    assert "preflight_run" not in keys(at)
