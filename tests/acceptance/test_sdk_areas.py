"""One script per area of the SDK, written as its users write them, against one sandbox.

Each script prints what it saw; what a platform answers stands in `expected.py`.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.acceptance import onnx_files
from tests.acceptance.expected import EXPECTED
from tests.acceptance.running_scripts import facts_of, run_script
from tests.support.sandbox import running_sandbox

#: Two processors do two scripts at a time best.
_AT_A_TIME = 2


@pytest.fixture(scope="module")
def outputs(request, tmp_path_factory):
    """Run all scripts that were asked for, and return a future of each one's output."""
    asked = dict.fromkeys(
        item.callspec.params["script"]
        for item in request.session.items
        if item.module is request.module and hasattr(item, "callspec")
    )
    home = tmp_path_factory.mktemp("scripts")
    onnx_files.write(home / "models")

    def run(script: str) -> str:
        shutil.copytree(home / "models", home / script / "models")
        return run_script(sandbox, script, home / script)

    with running_sandbox(home / "data", seed="empty") as sandbox:
        pool = ThreadPoolExecutor(_AT_A_TIME)
        futures: dict[str, Future[str]] = {name: pool.submit(run, name) for name in asked}
        yield futures
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("script", EXPECTED)
def test_the_script_sees_what_a_platform_answers(outputs, script):
    assert facts_of(outputs[script].result()) == EXPECTED[script]
