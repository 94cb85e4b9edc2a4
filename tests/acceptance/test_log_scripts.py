"""The log as files and raw topics, as the SDK's users read it, over a change of models."""

from __future__ import annotations

import shutil

from tests.acceptance import onnx_files
from tests.acceptance.running_scripts import facts_of, run_script
from tests.support.sandbox import running_sandbox

EXPECTED = {
    "failures before": 0,
    "refused": "Inference failed: [4",
    "failures": [1, ["time", "in.wrong", "anomaly.count", "error"]],
    "newest schema": ["time", "in.tensor", "out.embedding", "anomaly.count"],
    "note": "Pipeline log schema has changed over the logs requested 3 newest records retrieved "
    "successfully, newest record seen was at <datetime>",
    "export's note": "Note: The logs with different schemas are written to separate files in the "
    "provided directory",
    "exported": {"p-1.arrow": 9, "p-2.arrow": 3},
    "a line": [2, ["anomaly.count", "in.tensor", "out.embedding", "time"]],
    "tiny": ["Warning: Pipeline log data size limit of 0", 1],
    "raw": [2, ["anomaly", "in", "metadata", "out", "time"]],
    "of one model": 9,
    "flattened": [3, 100, True],
    "model's log": [9, 2],
    "limit 0": 0,
    "limit -1": "[400] page_size: must be a whole number, 0 or more",
}


def test_logs_are_exported_and_read_raw_as_on_a_platform(tmp_path):
    home = tmp_path / "work"
    onnx_files.write(tmp_path / "models")
    shutil.copytree(tmp_path / "models", home / "models")
    with running_sandbox(tmp_path / "data", seed="empty") as sandbox:
        assert facts_of(run_script(sandbox, "log_files", home)) == EXPECTED
