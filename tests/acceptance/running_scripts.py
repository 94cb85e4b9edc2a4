"""Runs a script of `scripts/` in a process of its own, logged in at a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.sandbox import RunningSandbox

SCRIPTS = Path(__file__).parent / "scripts"
_LIMIT_S = 240.0


def run_script(sandbox: RunningSandbox, script: str, home: Path) -> str:
    """Run a script in `home` and return what it printed; fail with all it said if it failed."""
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPTS / f"{script}.py")],
        capture_output=True,
        text=True,
        cwd=home,
        timeout=_LIMIT_S,
        check=False,
        env={
            **os.environ,
            "WALLAROO_URL": sandbox.url,
            "WALLAROO_SDK_AUTH_TYPE": "user_password",
            "WALLAROO_USER": sandbox.username,
            "WALLAROO_PASSWORD": sandbox.password,
            # A busy machine may need longer for a start than the SDK's 45 s.
            "WALLAROO_REQUEST_TIMEOUT": "90",
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "NO_PROXY": "127.0.0.1",
            # Otherwise the SDK parses 140 certificates for every call.
            "SSL_CERT_DIR": str(home),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def facts_of(output: str) -> dict[str, Any]:  # Any: JSON
    """Return the facts on the last line that a script printed."""
    return dict(json.loads(output.splitlines()[-1]))
