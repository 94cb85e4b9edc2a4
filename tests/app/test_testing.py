"""The panel of a test: each of its states, and what becomes of it when people act in between."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import session
from tests.app.conftest import shown, words
from tests.support.waiting import wait_until
from tests.unit.connectors.conftest import Listener, answer

HOSTILE = "<img src=x onerror=alert(1)> :red[x] \u202e"
FOUND = answer(b'[{"inputs": "A text."}]')


def page() -> None:
    """A page with a panel, what it tells of a failure, and a button that begins a test."""
    import streamlit as st

    from dashboard import runtime, session
    from dashboard.masking import Secret
    from dashboard.views import testing

    current = runtime.current()
    session.begin_run(current.reads.generation)

    def begin() -> str:
        return current.tests.start_typed(
            current.identity(),
            session=session.mark(),
            connection_type="HTTP",
            fields={"url": Secret(st.session_state["link"])},
        )

    testing.panel("trial")
    st.button("Test", key="begin", on_click=testing.start, args=("trial", begin))
    failure = testing.failure_of("trial")
    st.text(f"failure at {failure.field}" if failure is not None else "no failure")


@pytest.fixture
def silent() -> Iterator[Listener]:
    """A source that keeps everybody waiting."""
    released = threading.Event()

    def wait(_connection: socket.socket) -> None:
        released.wait(10)

    listener = Listener(wait)
    yield listener
    released.set()
    listener.close()


@pytest.fixture
def source() -> Iterator[Listener]:
    def send(connection: socket.socket) -> None:
        connection.sendall(FOUND)

    listener = Listener(send)
    yield listener
    listener.close()


def opened(link: str) -> AppTest:
    at = AppTest.from_function(page, default_timeout=20)
    at.session_state["link"] = link
    return at.run()


def view_of(demo, at: AppTest):
    return demo.current.tests.view(demo.who, at.session_state[session._TEST + "trial"])


def ended(demo, at: AppTest) -> AppTest:
    wait_until(lambda: not view_of(demo, at).is_running, within_s=8, what="the test has ended")
    return at.run()


def test_before_any_test_one_sentence_says_what_it_does(demo):
    at = opened("x")
    assert "step by step" in words(at)
    assert "Find the host" not in words(at)
    assert [button.key for button in at.button] == ["begin"]


def test_a_passed_test_tells_its_stages_their_times_and_what_it_found(demo, source):
    at = ended(demo, opened(source.origin).button(key="begin").click().run())
    assert words(at).count(":green[:material/check:]") == 5
    assert "Works:** 1 row\\, JSON records" in words(at)
    assert " ms]]" in words(at)
    assert at.text[0].value == "no failure"
    assert not at.exception


def test_a_failed_test_tells_the_reason_the_next_step_and_the_field(demo, source):
    # Nothing listens where nothing is.
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = f"http://127.0.0.1:{server.getsockname()[1]}"
    at = ended(demo, opened(link).button(key="begin").click().run())
    told = shown(words(at))
    assert "failed after" in told
    assert told.count("not reached") == 3
    assert "127.0.0.1 does not accept the connection." in told
    assert "Check the host and the port" in told
    assert at.text[0].value == "failure at url"


def test_what_could_not_be_tested_is_told_at_once_without_stages(demo):
    at = opened("http//files.example.org").button(key="begin").click().run()
    assert "Find the host" not in words(at)
    assert ":red[:material/error:" in words(at)
    assert at.text[0].value == "failure at url"


def test_a_running_test_shows_where_it_is_and_can_be_cancelled(demo, silent):
    at = opened(silent.origin).button(key="begin").click().run()
    wait_until(lambda: silent.requests, within_s=5, what="the source was asked")
    at.run()
    assert words(at).count(":material/check:") == 2
    assert words(at).count("progress_activity") == 1
    assert "s of 3 s at most" in words(at)
    assert at.text[0].value == "no failure"
    at.button(key="trial_test_cancel").click().run()
    assert "Cancelled after" in words(at)
    assert at.text[0].value == "no failure"
    assert not view_of(demo, at).is_running


def test_a_double_click_begins_one_test(demo, silent):
    at = opened(silent.origin)
    at.button(key="begin").click().run()
    first = at.session_state[session._TEST + "trial"]
    at.button(key="begin").click().run()
    assert at.session_state[session._TEST + "trial"] == first
    wait_until(lambda: silent.connections == 1, within_s=5, what="the source was asked once")
    demo.current.tests.cancel(demo.who, first)


def test_a_reload_in_the_middle_shows_nothing_and_the_test_goes_on(demo, silent):
    at = opened(silent.origin).button(key="begin").click().run()
    again = opened(silent.origin)
    assert "step by step" in words(again)
    assert not again.exception
    assert view_of(demo, at).is_running
    demo.current.tests.cancel(demo.who, view_of(demo, at).test_id)


def test_a_test_that_was_forgotten_meanwhile_is_no_error(demo):
    at = opened("x")
    at.session_state[session._TEST + "trial"] = "unknown"
    at.run()
    assert "step by step" in words(at)
    assert not at.exception


def test_another_job_of_the_form_that_is_about_to_test_is_awaited(demo):
    """As "Test and save" does: the name is looked up before the test begins."""
    go_on = threading.Event()

    def action():
        from dashboard.services.jobs import Outcome

        assert go_on.wait(10)
        return Outcome("Saved.")

    at = opened("x")
    job = demo.current.jobs.submit(demo.who, action, doing="Saving", once="trial")
    at.session_state[session._JOB + "trial"] = job.job_id
    at.session_state[session._TEST + "trial"] = demo.current.tests.new_id("window")
    at.run()
    assert words(at).count("progress_activity") == 1
    assert words(at).count("to come") == 4
    go_on.set()
    wait_until(
        lambda: not demo.current.jobs.running(demo.who), within_s=5, what="the job has ended"
    )
    at.run()
    assert "step by step" in words(at)


def hostile_panel(text: str) -> None:
    from components.test_panel import PanelState, stages_panel, waiting_stages
    from dashboard.errors import DashboardError

    def nothing() -> None:
        pass

    error = DashboardError(text, hint=text)
    stages_panel(PanelState(waiting_stages(), error=error), key="a", on_cancel=nothing)
    stages_panel(
        PanelState(waiting_stages(), found=text), key="b", on_cancel=nothing, bordered=False
    )


def test_hostile_texts_are_shown_as_text():
    at = AppTest.from_function(hostile_panel, args=(HOSTILE,)).run()
    assert "<img" not in words(at).replace("\\<img", "")
    assert words(at).count("\\:red\\[x\\]") == 3
    assert "\u202e" not in words(at)


def test_nothing_typed_stays_in_the_session(demo, source):
    at = opened(source.origin).button(key="begin").click().run()
    del at.session_state["link"]
    kept = repr(ended(demo, at).session_state.to_dict())
    assert str(source.port) not in kept
