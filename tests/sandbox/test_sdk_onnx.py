"""ONNX models from the upload to the answer, on the unmodified SDK over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.sandbox import REPOSITORY, running_sandbox


@pytest.fixture(scope="module")
def facts(tmp_path_factory) -> dict[str, Any]:  # Any: JSON
    home = tmp_path_factory.mktemp("onnx")
    with running_sandbox(home / "data", seed="empty") as sandbox:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.sandbox.sdk_onnx"],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "WALLAROO_URL": sandbox.url,
                "WALLAROO_SDK_AUTH_TYPE": "user_password",
                "WALLAROO_USER": sandbox.username,
                "WALLAROO_PASSWORD": sandbox.password,
                "XDG_CACHE_HOME": str(home / "cache"),
                "NO_PROXY": "127.0.0.1",
                # Otherwise the SDK parses 140 certificates for every call.
                "SSL_CERT_DIR": str(home),
            },
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_an_upload_is_ready_at_once_and_the_newest_version_comes_first(facts):
    assert facts["upload"] == ["lone", "ready", "onnx"]
    assert facts["versions"]
    assert facts["log"] >= 3


def test_a_model_runs_inside_of_the_engine_without_a_sidekick(facts):
    assert facts["status"] == ["Running", []]


def test_frames_tables_and_raw_records_get_the_same_float32(facts):
    assert facts["frame"] == [[1.23]]
    assert facts["arrow"] == ["list<inner: float not null>", True]
    assert facts["raw"] == {"variable": [1.23]}
    assert facts["logged"] == [[pytest.approx(1.23)]]


def test_the_metadata_tells_the_model_and_one_time_per_step(facts):
    assert (facts["elapsed"], facts["last"]) == (2, True)


def test_what_does_not_fit_is_an_error_of_the_engine_that_names_it(facts):
    shape, column, null = facts["errors"]
    assert shape == (
        "InferenceError: Inference failed: [400] column 'tensor' has the wrong shape: "
        "expected [4], found [3] in row 0 (source: engine, status: Error)"
    )
    assert "missing column 'tensor': expected type list<float32>" in column
    assert "found null in row 1" in null


def test_tensor_fields_give_the_columns_of_several_inputs(facts):
    assert facts["tensor_fields"] == ["a", "b"]
    assert facts["two"] == [[6.0, 8.0], [4.0, 6.0]]


def test_pictures_go_in_nested_or_flat_and_out_flat(facts):
    assert facts["picture"] == [[[3.5, 11.5, 19.5]] * 2, [[3.5, 11.5, 19.5]]]


def test_a_chain_answers_with_the_outputs_of_its_last_model(facts):
    assert facts["chain"] == [[100.0], ["out.end"], 3, "last"]
    assert facts["replaced"] == [10.0]


def test_a_split_names_the_model_that_answered(facts):
    assert facts["split"] == [["challenger", "control"], ["name", "sha", "version"], True]
    assert facts["model log"], "the log of a model holds what it answered itself"
    assert facts["keys"] == [[8.0], [4.0]]


def test_shadow_models_answer_in_columns_of_their_own(facts):
    assert facts["shadow"] == [[10.0], [20.0]]


def test_validations_count_the_anomalies_of_each_row(facts):
    assert facts["anomalies"] == [[1, 0], [True, False], [False, False]]


def test_a_file_that_is_no_model_is_an_error_that_cannot_be_deployed(facts):
    status, summary = facts["bad"]
    assert status == "error"
    assert summary.startswith("Loading failed: the file is not an ONNX model")
    assert facts["bad deploy"] == "Failed to deploy."
