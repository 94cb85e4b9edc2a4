"""Scripts that want a sandbox to themselves; each asserts what a platform answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.running_scripts import run_script
from tests.support.sandbox import running_sandbox

#: They count what the whole instance holds. The longest comes first: two run at a time.
SCRIPTS = ("inference", "people", "connections")


@pytest.fixture(scope="module")
def outputs(request, tmp_path_factory):
    """Run all scripts that were asked for, and return a future of each one's output."""
    asked = [
        item.callspec.params["script"]
        for item in request.session.items
        if item.module is request.module and hasattr(item, "callspec")
    ]

    def run(script: str) -> str:
        home = tmp_path_factory.mktemp(script)
        with running_sandbox(home / "data") as sandbox:
            return run_script(sandbox, script, home / "work")

    pool = ThreadPoolExecutor(2)
    yield {script: pool.submit(run, script) for script in asked}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_gets_what_the_platform_would_answer(outputs, script):
    outputs[script].result()
