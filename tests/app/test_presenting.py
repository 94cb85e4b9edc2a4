"""Presenter mode: hosts, e-mail addresses, ids and raw JSON do not leave the server."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from streamlit.testing.v1 import AppTest

from components import presenting
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.pipeline import PipelineState
from dashboard.settings import PROJECT_ROOT
from tests.app import stories
from tests.app.conftest import Platform, settle
from tests.support.waiting import wait_until

HOST = "planted-host.internal.example"
LINK = f"https://{HOST}/a.csv?planted=query"
#: Keys and ids of widgets are nothing that is shown.
_UNSEEN = re.compile(r'(?m)^\s*(?:id|key|element_id|form_id|active_script_hash)?:? ?"?\$\$.*$')
_ON_NO_SCREEN = re.compile(r"(?m)^\s*(?:id|key|user_key|fragment_id)\s*:.*$")

PAGES = [
    ("home", ""),
    ("connections", ""),
    ("connections", "connection"),
    ("edit_connection", "connection"),
    ("new_connection", "from"),
    ("new_connection", ""),
    ("import_connections", ""),
    ("workspaces", "workspace"),
    ("models", ""),
    ("pipelines", ""),
    ("pipeline_log", ""),
    ("summarize", ""),
    ("summarize", "run"),
    ("preflight", ""),
    ("latency", ""),
    ("latency", "run"),
    ("runs", ""),
    ("activity", ""),
    ("compare", "a"),
]


@dataclass
class Planted:
    """What stands on the platform and in the dashboard's store, and must stay off the stage."""

    platform: Platform
    query: dict[str, str]
    secrets: list[str]


def element_tree(at: AppTest) -> str:
    """Return all that the browser would draw: labels, options, tables, dialogs, the rail."""
    told = "\n".join(repr(one.proto) for one in _leaves(at._tree))
    return _ON_NO_SCREEN.sub("", _UNSEEN.sub("", told))


def _leaves(block):
    proto = getattr(block, "proto", None)
    if proto is not None:
        yield block
    for child in getattr(block, "children", {}).values():
        yield from _leaves(child)


@pytest.fixture
def planted(demo: Platform) -> Planted:
    connection = demo.connect("press-releases", url=LINK)
    demo.link("press-releases", "workshop-workspace-summarization")
    run_id = demo.keep_run(["A text.", "Another."])
    gateway, who = demo.current.gateway(), demo.who
    (pipeline,) = gateway.list_pipelines(who)
    versions = [version.version for version in pipeline.versions]
    (model,) = gateway.list_models(who, pipeline.workspace_id)
    kept = next(one for one in gateway.list_connections(who) if one.name == "press-releases")
    # A failed test leaves the host in the activity log and in the health.
    demo.current.tests.check(who, [kept], session=run_id)
    query = {"connection": connection, "from": connection, "run": run_id, "a": run_id}
    query["workspace"] = str(pipeline.workspace_id)
    run = stories.run()
    secrets = [HOST, who.email, "127.0.0.1", connection, run_id, run.owner_email]
    secrets += [version[:8] for version in (*versions, model.versions[0].version)]
    secrets += [model.versions[0].sha[:8], run.pipeline_version[:8], run.model_version[:8]]
    return Planted(demo, query, [one for one in secrets if one])


@pytest.mark.parametrize(("page", "wanted"), PAGES)
def test_no_page_tells_an_audience_what_is_not_theirs(planted, open_page, page, wanted):
    query = {wanted: planted.query[wanted]} if wanted else {}
    told = element_tree(settle(open_page(page, present="1", **query)))
    found = [one for one in planted.secrets if one in told]
    assert not found, [told[max(0, told.index(one) - 200) :][:300] for one in found]


@pytest.mark.parametrize(
    ("page", "wanted"), [("connections", "connection"), ("connections", ""), ("activity", "")]
)
def test_without_it_the_host_is_there(planted, open_page, page, wanted):
    query = {wanted: planted.query[wanted]} if wanted else {}
    assert HOST in element_tree(settle(open_page(page, **query)))


def test_a_deployed_pipeline_and_its_dialog_keep_their_words_to_themselves(planted, open_page):
    platform = planted.platform
    gateway, who = platform.current.gateway(), platform.who
    (pipeline,) = gateway.list_pipelines(who)
    (model,) = gateway.list_models(who, pipeline.workspace_id)
    gateway.deploy(who, pipeline, model_version=model.versions[0], settings=DeploymentSettings())
    wait_until(
        lambda: gateway.status(who, pipeline).state is PipelineState.RUNNING,
        within_s=30,
        what="it is running",
    )
    at = settle(open_page("pipelines", present="1"))
    pods = [pod.name for pod in gateway.status(who, pipeline).engines]
    wait_until(
        lambda: f"pipeline_{pipeline.pipeline_id}_undeploy" in keys(settle(at.run())),
        within_s=20,
        what="its state is known",
    )
    told = element_tree(at)
    assert [one for one in (*planted.secrets, *pods) if one in told] == []
    assert "own words" not in told
    assert at.button(key=f"pipeline_{pipeline.pipeline_id}_undeploy").disabled
    assert at.button(key="rail_undeploy").disabled
    at.session_state["_dialog"] = ("deploy", str(pipeline.pipeline_id))
    told = element_tree(settle(at.run()))
    assert "dialog" in told
    assert [one for one in planted.secrets if one in told] == []
    assert not at.code


def keys(at: AppTest) -> list[str]:
    return [one.key for one in at.button if one.key]


def test_every_page_is_walked():
    names = {path.stem for path in (PROJECT_ROOT / "pages").glob("[a-z]*.py")}
    assert names == {page for page, _ in PAGES}


def test_what_takes_something_away_says_why_it_is_off(planted, open_page):
    at = settle(open_page("connections", present="1", connection=planted.query["connection"]))
    for key in ("drawer_delete", "drawer_edit", "drawer_export", "drawer_duplicate"):
        button = at.button(key=key)
        assert (button.disabled, button.help) == (True, presenting.WHY_OFF), key
    # Not even where one was asked for before: the dialog is not drawn.
    at.session_state["_dialog"] = ("delete_connections", planted.query["connection"])
    settle(at.run())
    assert "_dialog" not in at.session_state


def test_the_switch_keeps_it_in_the_address_and_takes_it_out(demo, open_page):
    at = settle(open_page("home"))
    assert "present" not in at.query_params
    settle(at.toggle(key=presenting.SWITCH).set_value(True).run())
    assert at.query_params["present"] == "1"
    # An address that lost it, such as that of a link in the rail, gets it back.
    at.query_params.clear()
    settle(at.run())
    assert at.query_params["present"] == "1"
    assert at.toggle(key=presenting.SWITCH).value is True
    settle(at.toggle(key=presenting.SWITCH).set_value(False).run())
    assert "present" not in at.query_params
    # A run that was asked for before brings the old address once more.
    at.query_params["present"] = "1"
    settle(at.run())
    assert at.toggle(key=presenting.SWITCH).value is False
    assert "present" not in at.query_params


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("files.example.org was not found.", "hidden was not found."),
        ("m.ortiz@example.org did it", "hidden did it"),
        ("see https://h.example/a?b=c now", "see hidden now"),
        ("10.0.0.7:8080 refused", "hidden refused"),
        ("localhost:8080 refused", "hidden refused"),
        ("id 0b3f9b70-3f0a-4a92-8cf2-0123456789ab", "id hidden"),
        ("engine-1.ns-7.svc.cluster.local answers", "hidden answers"),
        ("the file report.csv has 1.25 MB, e.g. now", "the file report.csv has 1.25 MB, e.g. now"),
    ],
)
def test_a_sentence_loses_hosts_and_ids_and_keeps_the_rest(told, left):
    def draw(text):
        import streamlit as st

        from components import presenting

        presenting.switch(is_wanted=True)
        st.text(presenting.words(text))

    at = AppTest.from_function(draw, args=(told,)).run()
    assert at.text[0].value == left
