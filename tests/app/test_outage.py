"""What the pages say and offer while the sandbox is down, and again once it is back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from dashboard import runtime
from dashboard.runtime import Runtime
from tests.app.conftest import Platform, settle, shown, words
from tests.app.test_idle_guard_pages import deploy, home
from tests.support.waiting import wait_until

WHY_OFF = "The sandbox is not answering."


class Box:
    """Says of the place that it is a sandbox, which is down while `is_down`."""

    is_down = False


@pytest.fixture
def box(demo: Platform, monkeypatch) -> Box:
    told = Box()
    place = demo.current.place()

    def placed(_current: Runtime) -> Any:
        down_since = datetime(2026, 1, 5, 9, 30, tzinfo=UTC) if told.is_down else None
        return replace(place, is_sandbox=True, down_since=down_since)

    monkeypatch.setattr(Runtime, "place", placed)
    return told


def rail(at: AppTest) -> str:
    return shown("\n".join(one.value for one in at.sidebar.markdown))


def off(at: AppTest) -> dict[str, str]:
    """Return what is off, by its key, with the reason."""
    return {str(one.key): one.help for one in at.button if one.disabled}


def primaries(at: AppTest) -> list[str]:
    return [one.label for one in at.button if one.proto.type == "primary"]


def test_nothing_is_said_to_run_while_the_sandbox_is_down(demo, box, open_page):
    number = deploy(demo)
    at = home(open_page, number)
    assert "1 pipeline running" in rail(at)
    box.is_down = True
    settle(at.run())
    assert "running" not in rail(at)
    assert "stops in" not in words(at)
    assert "Not known while the sandbox is down." in words(at)
    assert "hf-summarizer is running" not in shown(words(at))
    assert primaries(at) == ["Start it again"]

    at = settle(open_page("pipelines"))
    assert ":gray-badge[Not known]" in words(at)
    assert "green" not in "".join(one.value for one in at.main.markdown)
    assert "stops in" not in words(at)
    assert off(at) == {
        f"pipeline_{number}_deploy": WHY_OFF,
        f"pipeline_{number}_undeploy": WHY_OFF,
        "pipelines_new": WHY_OFF,
    }
    assert primaries(at) == ["Start it again"]

    box.is_down = False
    settle(at.run())
    assert "1 pipeline running" in rail(at)
    assert not off(at)
    (pipeline,) = runtime.current().gateway().list_pipelines(demo.who)
    runtime.current().deployments.undeploy(demo.who, pipeline)


def test_an_open_undeploy_dialog_promises_nothing_of_a_sandbox_that_went_down(demo, box, open_page):
    number = deploy(demo)
    at = home(open_page, number)
    settle(at.button(key=f"home_undeploy_{number}").click().run())
    assert "Frees" in words(at)
    box.is_down = True
    settle(at.run())
    assert "Frees" not in words(at)
    assert off(at)["undeploy_confirm"] == WHY_OFF
    box.is_down = False
    (pipeline,) = runtime.current().gateway().list_pipelines(demo.who)
    runtime.current().deployments.undeploy(demo.who, pipeline)


@pytest.mark.parametrize(
    ("page", "key"),
    [
        ("connections", "connections_check_all"),
        ("models", "models_upload"),
        ("workspaces", "workspaces_new"),
        ("home", "home_preflight"),
    ],
)
def test_the_sandbox_s_start_is_the_only_primary_button(demo, box, open_page, page, key):
    at = settle(open_page(page))
    assert "Start it again" not in primaries(at)
    box.is_down = True
    settle(at.run())
    assert primaries(at) == ["Start it again"]
    assert off(at) == {key: WHY_OFF}


def pressed(open_page, page: str, *keys: str, **query: str) -> AppTest:
    """Open a page and press some buttons of it, one after the other."""
    at = settle(open_page(page, **query))
    for key in keys:
        settle(at.button(key=key).click().run())
    return at


@pytest.mark.parametrize(
    ("page", "opener", "key"),
    [
        ("pipelines", "pipelines_new", "upload_model_submit"),
        ("models", "models_upload", "upload_model_submit"),
        ("workspaces", "workspaces_new", "new_workspace_submit"),
    ],
)
def test_a_dialog_that_is_open_sends_nothing_to_a_sandbox_that_went_down(
    demo, box, open_page, page, opener, key
):
    at = pressed(open_page, page, opener)
    box.is_down = True
    settle(at.run())
    assert off(at)[key] == WHY_OFF
    box.is_down = False
    settle(at.run())
    assert off(at).get(key) != WHY_OFF


def test_an_open_deploy_dialog_says_why_it_cannot_be_sent(demo, box, open_page):
    (pipeline,) = demo.current.gateway().list_pipelines(demo.who)
    number = pipeline.pipeline_id
    at = settle(open_page("pipelines"))
    wait_until(
        lambda: f"pipeline_{number}_deploy" in [one.key for one in settle(at.run()).button],
        within_s=20,
        what="its state is known",
    )
    settle(at.button(key=f"pipeline_{number}_deploy").click().run())
    assert "deploy_submit" not in off(at)
    box.is_down = True
    settle(at.run())
    assert "deploy_submit" in off(at)
    assert WHY_OFF in words(at)


def test_what_is_done_with_connections_waits_for_the_sandbox(demo, box, open_page):
    connection_id = demo.connect("press-releases")
    demo.link("press-releases", "workshop-workspace-summarization")
    at = settle(open_page("connections"))
    at.session_state["_ticked"] = [connection_id]
    settle(at.run())
    assert not off(at)
    box.is_down = True
    settle(at.run())
    bar = {f"connections_bar_{act}" for act in ("link", "unlink", "test", "export", "delete")}
    assert bar <= set(off(at))
    assert "connections_bar_clear" not in off(at)
    at = settle(open_page("connections", connection=connection_id))
    drawer = {f"drawer_{act}" for act in ("fetch", "edit", "duplicate", "export", "delete")}
    assert drawer <= set(off(at))
    assert {off(at)[key] for key in bar & set(off(at)) | drawer} == {WHY_OFF}


def test_a_new_connection_is_not_saved_while_the_sandbox_is_down(demo, box, open_page):
    at = settle(open_page("new_connection"))
    assert not off(at)
    box.is_down = True
    settle(at.run())
    assert {"new_connection_save", "new_connection_test"} <= set(off(at))
    assert WHY_OFF in words(at)


def test_a_page_left_open_over_a_restart_is_drawn_with_what_its_browser_brings_along(
    demo, open_page
):
    at = open_page("home")
    brought = WidgetStates()
    # A field of a page that is not drawn yet: what it holds cannot be read without it.
    field = brought.widgets.add()
    field.id, field.int_value = "$$ID-0123456789abcdef-run_page_1", 2
    at._run(brought)
    assert [one.value for one in at.title] == ["Home"]
    assert not at.exception
