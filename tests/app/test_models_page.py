"""The page of models, over a sandbox with real uploads."""

from __future__ import annotations

import io
import threading
from dataclasses import replace

import pytest

from dashboard.domain.model import NewModel, UploadProgress
from dashboard.errors import InvalidInput
from dashboard.services.models import check_file
from tests.app.conftest import settle, shown, words
from tests.sandbox.archives import packed, upload_parts
from tests.support.waiting import wait_until

UPLOAD = "/v1/api/models/upload_and_convert"


def send(platform, name, *, room_id=1, **over):
    """Upload past the pages; return the number of the version."""
    files = upload_parts(packed(), name=name, workspace_id=room_id, **over)
    answer = platform._request("POST", UPLOAD, files=files).json()
    platform.current.reads.forget(platform.who.key)
    return answer["insert_models"]["returning"][0]["models"][0]["id"]


def room_of(platform):
    return platform.current.gateway().list_workspaces(platform.who)[0].workspace_id


def models_of(platform):
    return platform.current.gateway().list_all_models(platform.who)


def test_the_list_names_each_model_with_its_state_and_its_users(demo, open_page):
    at = settle(open_page("models"))
    (model,) = models_of(demo)
    told = shown(words(at))
    assert model.name in told
    assert "Ready" in told
    assert "1 version" in told
    assert "used by 1 pipeline" in told


def test_without_models_the_page_says_what_one_is_and_how_to_begin(empty, open_page):
    at = settle(open_page("models"))
    assert "No models here yet" in words(at)
    settle(at.button(key="models_first").click().run())
    assert "It needs a workspace" in words(at) or at.button(key="upload_model_submit").disabled


def test_an_opened_model_shows_what_it_takes_and_gives_and_who_uses_it(demo, open_page):
    (model,) = models_of(demo)
    at = settle(open_page("models", model=str(model.model_id)))
    told = shown(words(at))
    assert "| inputs | string |" in told
    assert "| summary_text | string |" in told
    assert at.button(key="model_drawer_new_pipeline")
    assert model.versions[0].sha in [one.value for one in at.code]
    (pipeline,) = demo.current.gateway().list_pipelines(demo.who)
    assert pipeline.name in shown(
        at.button(key=f"model_drawer_pipeline_{pipeline.pipeline_id}").label
    )


def test_a_failed_version_says_why_and_offers_no_pipeline(demo, open_page):
    room = room_of(demo)
    other = {"framework": "pytorch", "arch": "x86", "accel": "none"}
    send(demo, "broken", room_id=room, conversion=other)
    gateway = demo.current.gateway()

    def failed():
        return any(v.stage.value == "Failed" for m in models_of(demo) for v in m.versions)

    wait_until(failed, within_s=10, what="the conversion has failed")
    demo.current.reads.forget(demo.who.key)
    model = next(one for one in gateway.list_all_models(demo.who) if one.name == "broken")
    at = settle(open_page("models", model=str(model.model_id)))
    told = shown(words(at))
    assert "The platform could not use this file." in told
    assert "the sandbox cannot run the framework pytorch" in told
    assert at.button(key="model_drawer_new_pipeline").disabled


def test_a_second_upload_under_a_name_is_its_newest_version(demo, open_page):
    (model,) = models_of(demo)
    newest = send(demo, model.name, room_id=model.workspace_id)
    at = settle(open_page("models", model=str(model.model_id)))
    chooser = at.selectbox(key=f"model_drawer_version_{model.model_id}")
    assert chooser.value == newest
    (after,) = models_of(demo)
    assert chooser.options[0].startswith(f"Version {after.versions[0].version[:8]}, ")
    oldest = model.versions[0].version_id
    settle(chooser.select(oldest).run())
    assert at.query_params["version"] == str(oldest)
    assert model.versions[0].sha in [one.value for one in at.code]


def test_a_pipeline_is_begun_from_the_version_that_is_looked_at(demo, open_page):
    (model,) = models_of(demo)
    send(demo, model.name, room_id=model.workspace_id)
    oldest = model.versions[0].version_id
    demo.current.reads.forget(demo.who.key)
    at = settle(open_page("models", model=str(model.model_id), version=str(oldest)))
    settle(at.button(key="model_drawer_new_pipeline").click().run())
    chosen = next(one for one in at.selectbox if one.label == "Model version")
    assert chosen.value is not None
    assert chosen.value.version_id == oldest


def test_a_model_of_no_workspace_of_ones_own_is_said_not_to_be_here(demo, open_page):
    at = settle(open_page("models", model="987654"))
    assert "The model of this link is not here." in words(at)


def test_words_and_filters_narrow_the_list(demo, open_page):
    room = room_of(demo)
    send(demo, "other-model", room_id=room)
    at = settle(open_page("models"))
    settle(at.text_input(key="models_search").input("other").run())
    assert "1 of 2 models" in words(at)
    settle(at.text_input(key="models_search").input("nothing like it").run())
    assert "No model fits these filters." in words(at)
    settle(at.button(key="models_clear").click().run())
    assert "2 models" in words(at)


def test_a_failure_of_the_list_is_told_with_a_way_back(demo, open_page):
    demo.post("/_sandbox/faults", {"route": "/v1/graphql", "status": 500, "times": 50})
    at = settle(open_page("models"))
    assert at.button(key="models_try_again")


class Upload:
    """A platform that takes uploads as the test says."""

    def __init__(self, monkeypatch, platform):
        self.go_on = threading.Event()
        self.said: list[UploadProgress] = []
        self.sent: list[NewModel] = []
        self.error = InvalidInput("The platform could not use the file: no weights.", field="file")
        monkeypatch.setattr(platform.current.models, "_send", self)

    def __call__(self, _who, model, *, on_progress):
        self.sent.append(model)
        on_progress(UploadProgress(400_000, 1_000_000))
        self.go_on.wait(10)
        raise self.error


@pytest.fixture
def upload(monkeypatch, demo):
    made = Upload(monkeypatch, demo)
    yield made
    made.go_on.set()


def open_upload(open_page, name="mine", content=None, file_name="model.zip"):
    at = settle(open_page("models"))
    settle(at.button(key="models_upload").click().run())
    field = next(one for one in at.text_input if one.label == "Model name")
    field.input(name)
    at.file_uploader[0].upload(file_name, packed() if content is None else content)
    return at.run()


def test_an_upload_under_way_is_found_again_in_another_session(demo, open_page, upload):
    at = open_upload(open_page)
    at.button(key="upload_model_submit").click().run()
    wait_until(lambda: upload.sent, within_s=5, what="the upload has begun")
    again = open_page("models")
    assert "400 kB of 1 MB sent." in shown(words(again))
    upload.go_on.set()
    settle(at.run())
    assert "no weights" in shown(words(at))
    field = next(one for one in at.text_input if one.label == "Model name")
    assert field.value == "mine"
    assert not at.button(key="upload_model_submit").disabled


def test_what_is_no_zip_is_told_at_the_file_and_nothing_is_sent(demo, open_page, upload):
    at = open_upload(open_page, content=b"no zip at all")
    settle(at.button(key="upload_model_submit").click().run())
    assert "This file is not a zip" in words(at)
    assert not upload.sent


def columns_field(at):
    return next((one for one in at.text_input if one.label == "Columns it reads"), None)


def test_an_onnx_file_is_sent_with_the_columns_it_reads(demo, open_page, upload):
    at = open_upload(open_page, content=b"\x08\x07", file_name="house.ONNX")
    columns_field(at).input(" bedrooms, area ,")
    at.button(key="upload_model_submit").click().run()
    wait_until(lambda: upload.sent, within_s=5, what="the upload has begun")
    assert (upload.sent[0].is_onnx, upload.sent[0].columns) == (True, ("bedrooms", "area"))


def test_a_column_named_twice_is_told_at_its_field(demo, open_page, upload):
    at = open_upload(open_page, content=b"\x08\x07", file_name="house.onnx")
    columns_field(at).input("area, area")
    settle(at.button(key="upload_model_submit").click().run())
    assert "A column is there twice" in words(at)
    assert columns_field(at).value == "area, area"
    assert not upload.sent


def test_a_zip_asks_for_no_columns(demo, open_page):
    assert columns_field(open_upload(open_page)) is None


def test_a_name_against_the_rule_is_told_at_the_name(demo, open_page):
    at = open_upload(open_page, name="9 no!")
    settle(at.button(key="upload_model_submit").click().run())
    assert "letters, digits and dashes only" in shown(words(at))


def test_an_upload_ends_with_the_version_in_the_list(demo, open_page):
    at = open_upload(open_page, name="brand-new")
    settle(at.button(key="upload_model_submit").click().run())
    assert "brand-new" in [one.name for one in models_of(demo)]
    assert "It is ready" in "".join(one.value for one in at.success)
    assert "2 models" in words(at)


def test_hostile_names_are_shown_as_they_are(demo, open_page, monkeypatch):
    (model,) = models_of(demo)
    hostile = replace(model, name="<script>x</script> **b** :red[a] | c")
    monkeypatch.setattr(type(demo.current.gateway()), "list_all_models", lambda *_: (hostile,))
    at = settle(open_page("models"))
    drawn = next(one.value for one in at.markdown if "script" in one.value)
    assert "<script>" not in drawn.replace("\\<", "")
    assert "<script>x</script> **b** :red[a] | c" in shown(drawn)


def test_a_zip_is_looked_at_before_it_is_sent():
    check_file("model.zip", io.BytesIO(packed()))
    for content in (b"", b"PK\x05\x06", packed({})):
        with pytest.raises(InvalidInput) as caught:
            check_file("model.zip", io.BytesIO(content))
        assert caught.value.field == "file"


def test_a_zip_is_no_onnx_file():
    check_file("house.onnx", io.BytesIO(b"\x08\x07"))
    for content in (b"", packed()):
        with pytest.raises(InvalidInput) as caught:
            check_file("house.onnx", io.BytesIO(content))
        assert caught.value.field == "file"


def test_what_was_wrong_with_one_file_is_not_said_of_the_next(demo, open_page, upload):
    at = open_upload(open_page, content=b"no zip at all")
    settle(at.button(key="upload_model_submit").click().run())
    assert "This file is not a zip" in words(at)
    at.file_uploader[0].upload("model.zip", packed())
    assert "This file is not a zip" not in words(at.run())


def test_an_onnx_file_gives_its_name_unless_another_was_typed(demo, open_page):
    at = open_upload(open_page, "hf-summarizer", b"\x08\x07", file_name="House price 2.onnx")
    field = next(one for one in at.text_input if one.label == "Model name")
    assert field.value == "house-price-2"
    typed = open_upload(open_page, "mine", b"\x08\x07", file_name="House.onnx")
    assert next(one for one in typed.text_input if one.label == "Model name").value == "mine"
