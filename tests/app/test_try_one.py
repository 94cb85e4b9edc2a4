"""Trying one text on the page Summarize, over a real sandbox."""

from __future__ import annotations

import pickle

from streamlit.testing.v1 import AppTest

from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.run import RowState, RunRow
from dashboard.errors import InferenceFailed
from tests.app.conftest import Platform, settle, shown, words
from tests.support.waiting import wait_until

TEXT = " ".join(
    f"In {year} the library of the valley lent {year * 7} books, and the bakery beside it sold "
    f"{year * 11} loaves of bread."
    for year in range(1990, 1999)
)


def deploy(platform: Platform) -> None:
    gateway, who = platform.current.gateway(), platform.who
    (pipeline,) = gateway.list_pipelines(who)
    (model,) = gateway.list_models(who, pipeline.workspace_id)
    gateway.deploy(who, pipeline, model_version=model.versions[0], settings=DeploymentSettings())
    wait_until(
        lambda: gateway.status(who, pipeline).state is PipelineState.RUNNING,
        within_s=30,
        what="it is running",
    )


def opened(platform: Platform, open_page) -> AppTest:
    deploy(platform)
    at = settle(open_page("summarize"))
    wait_until(lambda: send_of(settle(at.run())) is not None, within_s=20, what="it can be sent")
    return at


def send_of(at: AppTest):
    found = [one for one in at.button if one.key == "try_one_send" and not one.disabled]
    return found[0] if found else None


def keys(at: AppTest) -> list[str]:
    return [one.key for one in at.button if one.key and one.key.startswith("try_one")]


def send(at: AppTest, text: str) -> AppTest:
    at.text_area(key="try_one_text").input(text)
    return settle(at.button(key="try_one_send").click().run())


def test_a_pipeline_that_is_not_deployed_is_offered_to_be(demo, open_page):
    at = settle(open_page("summarize"))
    wait_until(
        lambda: "try_one_deploy" in keys(settle(at.run())), within_s=20, what="its state is known"
    )
    assert "try_one_send" not in keys(at)
    settle(at.button(key="try_one_deploy").click().run())
    name, subject = at.session_state["_dialog"]
    assert (name, subject.isdigit()) == ("deploy", True)


def test_a_text_gets_its_summary_which_goes_with_the_page(demo, open_page):
    at = opened(demo, open_page)
    send(at, TEXT)
    assert "Summarized in" in words(at)
    row = at.session_state["_trial"].row
    assert isinstance(row, RunRow)
    assert (row.state, row.input_text, row.doubts) == (RowState.DONE, TEXT, 0)
    assert row.summary
    assert at.text_area(key="try_one_text").value == TEXT
    # Jobs keep how they ended for a while: no text is among it.
    jobs = demo.current.jobs._shelf.jobs.values()
    assert "library" not in repr(list(jobs))
    assert not demo.current.run_actions.recent(demo.who).load()
    # Another page: neither the text nor the summary is left in the session.
    at.switch_page("../pages/pipelines.py").run()
    settle(at)
    kept = pickle.dumps(at.session_state.to_dict())
    assert b"library of the valley" not in kept
    assert "_trial" not in at.session_state


def test_clear_takes_text_and_summary_away(demo, open_page):
    at = opened(demo, open_page)
    send(at, TEXT)
    settle(at.button(key="try_one_clear").click().run())
    assert "Summarized in" not in words(at)
    assert at.text_area(key="try_one_text").value == ""
    assert b"library of the valley" not in pickle.dumps(at.session_state.to_dict())
    assert keys(at) == ["try_one_send"]


def test_a_failure_is_told_in_plain_words_and_can_be_tried_again(demo, open_page, monkeypatch):
    at = opened(demo, open_page)
    send(at, "  ")
    assert "Paste a text first." in shown(words(at))

    async def refused(*_args):
        raise InferenceFailed("The engine is out of memory.")

    with monkeypatch.context() as patch:
        patch.setattr(demo.current.try_one, "_infer", refused)
        send(at, TEXT)
    assert "The engine is out of memory." in shown(words(at))
    assert at.text_area(key="try_one_text").value == TEXT
    assert "library" not in repr(list(demo.current.jobs._shelf.jobs.values()))
    send(at, TEXT)
    assert "Summarized in" in words(at)
    assert "out of memory" not in words(at)


def test_a_text_under_way_can_be_cancelled(demo, open_page):
    at = opened(demo, open_page)
    before = set(demo.current.try_one._done._things)
    with demo.frozen():
        at.text_area(key="try_one_text").input(TEXT)
        at.button(key="try_one_send").click().run()
        assert keys(at) == ["try_one_busy", "try_one_cancel"]
        at.button(key="try_one_cancel").click().run()
        assert keys(at) == ["try_one_send"]
    settle(at)
    assert "Summarized in" not in words(at)
    assert not demo.current.try_one._under_way
    assert set(demo.current.try_one._done._things) <= before


def test_a_double_click_sends_once(demo, open_page, monkeypatch):
    at = opened(demo, open_page)
    sent = []
    real = demo.current.try_one.send

    def noted(*args):
        sent.append(args)
        return real(*args)

    monkeypatch.setattr(demo.current.try_one, "send", noted)
    with demo.frozen():
        at.text_area(key="try_one_text").input(TEXT)
        button = at.button(key="try_one_send")
        button.click().run()
        button.click().run()
        wait_until(lambda: sent, within_s=5, what="it is sent")
    settle(at)
    assert len(sent) == 1
