"""A click that comes in one run with the change before it sends what stands there now.

Browsers are quick and reruns are folded: a form that sent what it was drawn with would send what
the person has just replaced.
"""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.domain.model import NewModel
from dashboard.services.jobs import Outcome
from dashboard.views import importing
from tests.app.conftest import Platform, settle, shown, words
from tests.app.test_fetching import ROOM
from tests.app.test_portable import names, paste, press
from tests.app.test_try_one import deploy
from tests.sandbox.archives import packed
from tests.support.source import running_source
from tests.support.waiting import wait_until


class Uploads:
    """Takes the uploads that the page sends, and keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[NewModel] = []

    def __call__(self, _who, model, **_told) -> Outcome:
        self.sent.append(model)
        return Outcome("Uploaded.")


@pytest.fixture
def uploads(monkeypatch, demo: Platform) -> Uploads:
    made = Uploads()
    monkeypatch.setattr(demo.current.models, "_send", made)
    return made


def chosen(at: AppTest, label: str):
    """Return the field of this label: in a dialog, which is drawn last, where one is open."""
    return [one for one in at.selectbox if one.label == label][-1]


def another_room(demo: Platform) -> int:
    made = demo.post("/v1/api/workspaces/create", {"workspace_name": "press-desk"})
    return int(made["workspace_id"])


def opened_upload(open_page) -> AppTest:
    at = settle(open_page("models"))
    settle(at.button(key="models_upload").click().run())
    at.file_uploader[0].upload("wrong.zip", packed(), "application/zip")
    return at.run()


def test_the_file_that_took_anothers_place_is_the_one_uploaded(demo, open_page, uploads):
    at = opened_upload(open_page)
    at.file_uploader[0].upload("right.zip", packed(), "application/zip")
    settle(at.button(key="upload_model_submit").click().run())
    assert [one.file_name for one in uploads.sent] == ["right.zip"]


def test_a_file_that_has_not_arrived_is_told_and_nothing_else_is_sent(demo, open_page, uploads):
    at = opened_upload(open_page)
    # As the server finds it when the file was dropped in the browser and another is on its way.
    at.file_uploader[0].clear()
    settle(at.button(key="upload_model_submit").click().run())
    assert uploads.sent == []
    assert "The file has not arrived yet." in shown(words(at))


def test_an_upload_goes_to_the_workspace_chosen_last(demo, open_page, uploads):
    room_id = another_room(demo)
    at = opened_upload(open_page)
    chosen(at, "Workspace").set_value(room_id)
    settle(at.button(key="upload_model_submit").click().run())
    assert [one.workspace_id for one in uploads.sent] == [room_id]


def test_a_pipeline_is_not_made_in_a_workspace_whose_models_were_not_seen(demo, open_page):
    room_id = another_room(demo)
    (pipeline,) = demo.current.gateway().list_pipelines(demo.who)
    at = settle(open_page("pipelines"))
    settle(at.button(key="pipelines_new").click().run())
    settle(chosen(at, "Workspace").set_value(pipeline.workspace_id).run())
    chosen(at, "Workspace").set_value(room_id)
    settle(at.button(key="new_pipeline_submit").click().run())
    assert len(demo.current.gateway().list_pipelines(demo.who)) == 1
    assert "This workspace holds no model yet." in words(at)


def test_a_fetch_reads_the_connection_chosen_last(demo, open_page):
    with running_source() as first, running_source() as second:
        ids = []
        for name, source in (("first", first), ("second", second)):
            ids.append(demo.connect(name, url=source.link()))
            demo.link(name, ROOM)
        at = settle(open_page("summarize", connection=ids[0]))
        chosen(at, "Connection").set_value(ids[1])
        settle(at.button(key="summarize_fetch").click().run())
        assert (len(first.asked), len(second.asked)) == (0, 1)
    assert "From **second**" in shown(words(at))


def test_no_fetch_begins_for_a_workspace_whose_connections_were_not_seen(demo, open_page):
    room_id = another_room(demo)
    with running_source() as source:
        connection_id = demo.connect("first", url=source.link())
        demo.link("first", ROOM)
        at = settle(open_page("summarize", connection=connection_id))
        chosen(at, "Workspace").set_value(room_id)
        settle(at.button(key="summarize_fetch").click().run())
        assert source.asked == []


def start_of(at: AppTest):
    found = [one for one in at.button if one.label == "Summarize 1 row" and not one.disabled]
    return found[0] if found else None


def test_a_run_takes_the_column_chosen_last(demo, open_page, monkeypatch):
    started: list[str] = []

    def start(_who, *, text_column: str, **_sent: object) -> Outcome:
        started.append(text_column)
        return Outcome("", "no-such-run")

    monkeypatch.setattr(demo.current.run_actions, "start", start)
    deploy(demo)
    with running_source() as source:
        source.body = b'[{"title": "A title.", "body": "A body of several words."}]'
        connection_id = demo.connect("columns", url=source.link())
        demo.link("columns", ROOM)
        at = settle(open_page("summarize", connection=connection_id))
        settle(at.button(key="summarize_fetch").click().run())
    settle(chosen(at, "Text to summarize").set_value(0).run())
    wait_until(lambda: start_of(settle(at.run())), within_s=20, what="the run can be started")
    chosen(at, "Text to summarize").set_value(1)
    start_of(at).click()
    at.run()
    wait_until(lambda: started, within_s=10, what="the run is started")
    assert started == ["body"]


def test_what_is_typed_for_one_part_of_a_file_is_not_sent_with_another(
    demo, open_page, monkeypatch
):
    monkeypatch.setattr(importing, "AT_ONCE", 1)
    slots = {"part/token": {"kind": "text", "label": "token"}}
    many = [
        {
            "name": f"part-{number}",
            "type": "S3",
            "details": {"token": "${SECRET:part/token}"},
            "slots": slots,
        }
        for number in range(2)
    ]
    at = paste(settle(open_page("import_connections")), many)
    next(one for one in at.text_input if "token" in one.label).input("meant-for-part-0")
    settle(at.run())
    (part,) = [one for one in at.selectbox if one.label == "Part of the file"]
    part.set_value(1)
    before = names(demo)
    press(at)
    assert names(demo) == before
    (slot,) = [one for one in at.text_input if "token" in one.label]
    assert "part-1" in shown(slot.label)
    assert not slot.value
