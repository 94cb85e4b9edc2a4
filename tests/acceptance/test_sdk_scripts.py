"""Scripts as users write them run on the unmodified SDK; each asserts what a platform answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sandbox import running_sandbox

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_the_script_gets_what_the_platform_would_answer(tmp_path, script):
    with running_sandbox(tmp_path / "data") as sandbox:
        work = tmp_path / "work"
        work.mkdir()
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(script)],
            capture_output=True,
            text=True,
            cwd=work,
            timeout=120,
            check=False,
            env={
                **os.environ,
                "WALLAROO_URL": sandbox.url,
                "WALLAROO_SDK_AUTH_TYPE": "user_password",
                "WALLAROO_USER": sandbox.username,
                "WALLAROO_PASSWORD": sandbox.password,
                "HOME": str(work),
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                "NO_PROXY": "127.0.0.1",
                # Otherwise the SDK parses 140 certificates for every call.
                "SSL_CERT_DIR": str(work),
            },
        )
    assert done.returncode == 0, done.stdout + done.stderr
