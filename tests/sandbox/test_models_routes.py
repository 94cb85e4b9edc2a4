"""Models: uploads with their checks, versions, configurations, logs."""

from __future__ import annotations

import errno
import hashlib
import stat
import zipfile
from io import BytesIO
from typing import Any

import pytest

from dashboard.sandbox.routes import uploads
from tests.sandbox import onnx_models
from tests.sandbox.archives import FILES, packed, schema, upload, version_id
from tests.sandbox.conftest import open_platform
from tests.support.waiting import wait_until

WITHOUT_SCHEMAS: dict[str, Any] = {"input_schema": None, "output_schema": None}


@pytest.fixture
def platform(empty):
    """A platform whose first workspace is number 1."""
    empty.post("workspaces/create", {"workspace_name": "ws"})
    return empty


def version(platform, number) -> dict[str, Any]:  # Any: JSON
    answer = platform.post("models/get_version_by_id", {"model_version_id": number}).json()
    return dict(answer["model_version"])


def finished(platform, number) -> dict[str, Any]:  # Any: JSON
    """Wait for the end of the conversion and return the version."""
    wait_until(
        lambda: version(platform, number)["model_version"]["status"] in ("ready", "error"),
        within_s=10,
        what="the conversion ends",
    )
    return dict(version(platform, number)["model_version"])


def test_an_uploaded_archive_becomes_ready_under_its_own_sum(platform):
    content = packed()
    answer = upload(platform, content)
    assert answer.status_code == 202
    found = finished(platform, version_id(answer))
    assert found["status"] == "ready"
    assert found["file_info"]["sha"] == hashlib.sha256(content).hexdigest()
    assert found["file_info"]["size"] == len(content)
    assert found["file_info"]["file_name"] == "m.zip"
    assert found["image_path"] == "sandbox/embedded-extractive:1"
    artefact = platform.sandbox.store.models.artefact(found["id"])
    assert artefact is not None
    assert artefact.read_bytes() == content


def test_the_file_is_for_this_user_and_nothing_else_is_left_in_the_folder(platform):
    number = version_id(upload(platform, packed()))
    finished(platform, number)
    upload(platform, b"no zip")
    folder = platform.sandbox.config.data_dir / "models"
    assert [path.name for path in folder.iterdir()] == [str(number)]


def with_entry(**changes) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        entry = zipfile.ZipInfo("link")
        for name, value in changes.items():
            setattr(entry, name, value)
        archive.writestr(entry, b"x")
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip"),
        (b"no zip at all", "not a zip"),
        (packed()[:-30], "not a zip"),
        (packed({}), "holds no files"),
        (packed({"../evil": b"x"}), "outside itself"),
        (packed({"a/../../evil": b"x"}), "outside itself"),
        (packed({"/etc/evil": b"x"}), "outside itself"),
        (packed({"..\\evil": b"x"}), "outside itself"),
        (packed({"C:/evil": b"x"}), "outside itself"),
        (with_entry(external_attr=(stat.S_IFLNK | 0o777) << 16), "outside itself"),
    ],
    ids=lambda value: value if isinstance(value, str) else "zip",
)
def test_an_unusable_archive_is_a_400_that_says_why(platform, content, reason):
    answer = upload(platform, content)
    assert answer.status_code == 400
    assert reason in answer.json()["msg"]
    assert platform.post("models/list", {"workspace_id": 1}).json() == {"models": []}


def test_a_damaged_member_ends_in_error_with_a_summary(platform):
    content = bytearray(packed({"weights.bin": bytes(range(256)) * 40}))
    content[60] ^= 0xFF
    found = finished(platform, version_id(upload(platform, bytes(content))))
    assert found["status"] == "error"
    assert "damaged" in found["error_summary"]
    assert found["image_path"] is None


ONNX = {"framework": "onnx", "arch": "x86", "accel": "none"}


def test_an_onnx_file_is_ready_when_the_upload_is_answered(platform):
    content = onnx_models.linear()
    answer = upload(platform, content, call="upload", conversion=ONNX, **WITHOUT_SCHEMAS)
    assert answer.status_code == 200
    found = version(platform, version_id(answer))
    assert found["model_version"]["status"] == "ready"
    assert found["model_version"]["file_info"]["sha"] == hashlib.sha256(content).hexdigest()
    assert found["model_version"]["image_path"] is None
    assert found["config"]["runtime"] == "onnx"
    body = {"model_version_id": version_id(answer)}
    lines = platform.post("models/get_upload_logs", body).json()["logs"]
    assert [line.split(" F ")[1] for line in lines][1:] == [
        "Loading of onnx began.",
        "Loading is complete.",
    ]


def test_an_onnx_file_goes_through_the_words_of_a_native_model(platform, monkeypatch):
    seen: list[str] = []
    models = platform.sandbox.store.models
    real = models.set_status

    def set_status(version_id, status, **over):
        seen.append(models.version(version_id)["status"])
        real(version_id, status, **over)

    monkeypatch.setattr(models, "set_status", set_status)
    upload(platform, onnx_models.linear(), call="upload", conversion=ONNX, **WITHOUT_SCHEMAS)
    assert seen == ["pending_load_native", "attempting_load_native"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"onnx bytes", "protobuf cannot be parsed"),
        (packed(), "protobuf cannot be parsed"),
        (onnx_models.linear()[:-20], "protobuf cannot be parsed"),
        (b"\x08\x08", "no graph with outputs"),
        (onnx_models.with_weights_outside("/etc/passwd"), "weights in other files"),
        (onnx_models.nested(b"../key"), "weights in other files"),
    ],
    ids=["empty", "text", "zip", "cut", "bare", "outside", "outside, in a branch"],
)
def test_a_file_that_is_no_whole_onnx_model_ends_in_error(platform, content, reason):
    answer = upload(platform, content, call="upload", conversion=ONNX, **WITHOUT_SCHEMAS)
    assert answer.status_code == 200
    found = version(platform, version_id(answer))["model_version"]
    assert (found["status"], reason in found["error_summary"]) == ("error", True)
    assert found["error_summary"].startswith("Loading failed: ")


@pytest.mark.parametrize("framework", ["sklearn", "xgboost", "pytorch", "python", "custom"])
def test_a_framework_of_pickles_and_code_ends_in_error_unopened(platform, framework):
    conversion = {"framework": framework, "arch": "x86", "accel": "none"}
    answer = upload(platform, b"cos\nsystem\n(S'x'\ntR.", conversion=conversion)
    assert answer.status_code == 202
    found = finished(platform, version_id(answer))
    assert found["status"] == "error"
    assert f"cannot run the framework {framework}; it opens no pickle" in found["error_summary"]


def test_a_framework_the_sandbox_cannot_run_ends_in_error(platform):
    conversion = {"framework": "tensorflow", "arch": "x86", "accel": "none"}
    answer = upload(platform, packed(), call="upload", conversion=conversion)
    assert answer.status_code == 200
    found = finished(platform, version_id(answer))
    assert (found["status"], "tensorflow" in found["error_summary"]) == ("error", True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"input_schema": "AAAA"}, "the input_schema is not an Arrow schema"),
        ({"output_schema": None}, "the output_schema is not an Arrow schema"),
        ({"input_schema": schema("text")}, "the input_schema has no column inputs of the type str"),
        ({"output_schema": schema()}, "the output_schema has no column summary_text"),
    ],
)
def test_a_wrong_schema_ends_in_error_with_a_summary(platform, changes, reason):
    found = finished(platform, version_id(upload(platform, packed(), **changes)))
    assert (found["status"], reason in found["error_summary"]) == ("error", True)


def test_an_image_of_a_container_is_refused_by_name(platform):
    answer = upload(platform, None, call="upload", image_path="example.com/model:1")
    assert answer.status_code == 501
    assert "images of containers" in answer.json()["msg"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "bad name"}, "name"),
        ({"name": ""}, "name"),
        ({"workspace_id": "one"}, "workspace_id"),
        ({"conversion": None}, "conversion"),
        ({"conversion": {}}, "conversion.framework"),
        ({"visibility": "secret"}, "visibility"),
        ({"input_schema": "?"}, "input_schema"),
    ],
)
def test_bad_metadata_is_a_400_that_names_the_field(platform, changes, field):
    answer = upload(platform, packed(), **changes)
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith(f"{field}:")


def test_an_upload_without_a_part_says_which(platform):
    assert upload(platform, None).json()["msg"].startswith("file:")
    answer = platform.http.post(
        "/v1/api/models/upload", files={"file": b"x"}, headers=platform.headers()
    )
    assert (answer.status_code, answer.json()["msg"][:9]) == (400, "metadata:")


def test_a_body_that_is_no_upload_is_a_400(platform):
    for kind in ("application/json", "multipart/form-data", "multipart/form-data; boundary=x"):
        headers = platform.headers() | {"Content-Type": kind}
        answer = platform.http.post(
            "/v1/api/models/upload_and_convert", content=b"{}", headers=headers
        )
        assert answer.status_code == 400, kind
        assert set(answer.json()) == {"msg", "code"}


def test_a_file_too_large_is_refused_before_it_is_read(platform, monkeypatch):
    monkeypatch.setattr(uploads, "LARGEST_UPLOAD_BYTES", 1000)
    answer = upload(platform, b"x" * 2000)
    assert answer.status_code == 400
    assert "larger" in answer.json()["msg"]


def test_a_full_disk_is_named_and_leaves_nothing(platform, monkeypatch):
    def full(_file, target):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "copy_file", full)
    answer = upload(platform, packed())
    assert (answer.status_code, answer.json()["msg"]) == (507, "Insufficient Storage")
    assert list((platform.sandbox.config.data_dir / "models").iterdir()) == []


def test_a_stranger_cannot_upload_into_a_workspace(platform):
    platform.invite("ann@example.com")
    assert upload(platform, packed(), as_user="ann@example.com").status_code == 403


def test_versions_are_listed_newest_first_with_what_the_sdk_would_ask_next(platform):
    first = version_id(upload(platform, packed()))
    second = version_id(upload(platform, packed({**FILES, "x": b"y"})))
    finished(platform, first), finished(platform, second)
    model = platform.post("models/get", {"id": 1}).json()
    assert [each["id"] for each in model["models"]] == [second, first]
    assert model["models"][0]["arch"] == "x86"
    assert model["models"][0]["model"]["workspace"] == {"id": 1, "name": "ws"}
    (item,) = platform.post("models/list", {"workspace_id": 1}).json()["models"]
    assert item["model"] == model
    outside = {name: value for name, value in item.items() if name in ("id", "name", "owner_id")}
    assert outside == {name: model[name] for name in ("id", "name", "owner_id")}
    newest = item["model_versions"][0]
    assert newest["model_version"]["id"] == second
    assert newest["config"]["runtime"] == "flight"


def test_versions_are_listed_by_the_models_number_or_its_name(platform):
    first = version_id(upload(platform, packed()))
    second = version_id(upload(platform, packed({**FILES, "x": b"y"})))
    finished(platform, first), finished(platform, second)
    # The last is what tutorials send: the number that the upload gave them, which is a version's.
    for asked in (
        {"models_pk_id": 1},
        {"model_id": "hf-summarizer"},
        {"model_id": "hf-summarizer", "models_pk_id": second},
    ):
        listed = platform.post("models/list_versions", asked).json()
        assert [each["id"] for each in listed] == [second, first]
        assert (listed[0]["model_id"], listed[0]["models_pk_id"]) == ("hf-summarizer", 1)
        assert listed[0]["status"] == "ready"
    assert platform.post("models/list_versions", {"model_id": "other"}).json() == []
    assert platform.post("models/list_versions", {}).status_code == 400
    body = {"model_id": "hf-summarizer", "workspace_id": 1}
    everything = platform.post("models/list", {"workspace_id": 1}).json()
    assert platform.post("models/list_versions_for_model", body).json() == everything
    alone = platform.post("models/get_by_id", {"id": 1}).json()
    assert (alone["name"], alone["model_config"]["model_version_id"]) == ("hf-summarizer", second)
    version_body = {"model_version_id": first}
    both = [
        platform.post(f"models/get_{one}_by_id", version_body)
        for one in ("version", "model_version")
    ]
    assert both[0].json() == both[1].json()


def test_a_new_configuration_keeps_what_it_leaves_out(platform):
    number = version_id(upload(platform, packed()))
    body = {"model_version_id": number, "tensor_fields": ["inputs"]}
    added = platform.post("models/insert_model_config", body).json()["model_config"]
    current = platform.post("models/get_config_by_id", {"model_id": number}).json()["model_config"]
    assert current["id"] == added["id"]
    assert current["tensor_fields"] == ["inputs"]
    assert current["input_schema"] == schema("inputs")
    assert current["model"]["id"] == number


def test_the_upload_log_has_the_form_the_sdk_takes_apart(platform):
    number = version_id(upload(platform, packed()))
    finished(platform, number)
    body = {"model_version_id": number, "lines": 2}
    lines = platform.post("models/get_upload_logs", body).json()["logs"]
    assert len(lines) == 2
    assert " stdout F Conversion is complete." in lines[-1]
    everything = platform.post("models/get_upload_logs", {"model_version_id": number}).json()
    assert "Received" in everything["logs"][0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("models/get", {"id": 1}),
        ("models/list_versions", {"models_pk_id": 1}),
        ("models/get_version_by_id", {"model_version_id": 1}),
        ("models/get_config_by_id", {"model_id": 1}),
        ("models/insert_model_config", {"model_version_id": 1}),
        ("models/get_upload_logs", {"model_version_id": 1}),
    ],
)
def test_a_strangers_model_does_not_exist(demo, path, body):
    demo.invite("ann@example.com")
    assert demo.post(path, body).status_code == 200
    assert demo.post(path, body, as_user="ann@example.com").status_code == 404


def test_a_model_that_is_not_there_is_told_in_the_platforms_words(demo):
    demo.invite("ann@example.com")
    said = {"msg": "The provided model id was not found.", "code": 400}
    assert demo.post("models/get_by_id", {"id": 99}).json() == said
    assert demo.post("models/get_by_id", {"id": 1}, as_user="ann@example.com").json() == said


def test_a_conversion_that_a_crash_cut_off_is_done_after_the_restart(tmp_path):
    with open_platform(tmp_path, "empty") as before:
        before.post("workspaces/create", {"workspace_name": "ws"})
        number = version_id(upload(before, packed()))
        finished(before, number)
        before.sandbox.store.models.set_status(number, "attempting_load_container")
        (tmp_path / "models" / "half.part").write_bytes(b"x")
    with open_platform(tmp_path, "empty") as after:
        assert finished(after, number)["status"] == "ready"
    assert [path.name for path in (tmp_path / "models").iterdir()] == [str(number)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"runtime": "python"}, "runtime"),
        ({"runtime": "\ud800"}, "runtime"),
        ({"input_schema": "\ud800"}, "input_schema"),
        ({"batch_config": "\ud800"}, "batch_config"),
        ({"tensor_fields": "inputs"}, "tensor_fields"),
    ],
)
def test_a_configuration_that_would_break_the_lists_is_refused(demo, changes, field):
    answer = demo.post("models/insert_model_config", {"model_version_id": 1} | changes)
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith(f"{field}")


def test_the_settings_of_a_language_model_come_back_under_the_name_that_the_sdk_reads(demo):
    body = {"model_version_id": 1, "openai_config": {"enabled": True}}
    added = demo.post("models/insert_model_config", body).json()["model_config"]
    assert added["openai"] == {"enabled": True}
