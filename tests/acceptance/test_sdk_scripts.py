"""Scripts that want a sandbox to themselves; each asserts what a platform answers."""

from __future__ import annotations

import pytest

from tests.acceptance.running_scripts import run_script
from tests.support.sandbox import running_sandbox

#: They count what the whole instance holds.
SCRIPTS = ("connections", "inference", "people")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_gets_what_the_platform_would_answer(tmp_path, script):
    with running_sandbox(tmp_path / "data") as sandbox:
        run_script(sandbox, script, tmp_path / "work")
