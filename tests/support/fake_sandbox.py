"""Stands in for `python -m dashboard.sandbox` where only its life as a process matters.

Run as `fake_sandbox.py BEHAVIOUR <the arguments of the interpreter>`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Behave as asked: `ready`, `silent`, `refuses`, or `stubborn` (ready, and ignores the end)."""
    behaviour, arguments = sys.argv[1], sys.argv[2:]
    folder = Path(arguments[arguments.index("--data-dir") + 1])
    (folder / "seen.json").write_text(
        json.dumps({"arguments": arguments, "environment": dict(os.environ)})
    )
    if behaviour == "refuses":
        sys.stderr.write(
            "The sandbox cannot start: the key http://user:pw@host/ is missing\nlater words\n"
        )
        sys.exit(3)
    if behaviour != "silent":
        (folder / "credentials.json").write_text(
            json.dumps({"username": "me", "password": "pass-of-the-sandbox"})
        )
        sys.stdout.write("a line before\nsandbox ready at http://127.0.0.1:4321\n")
        sys.stdout.flush()
    sys.stdin.read()
    while behaviour == "stubborn":
        time.sleep(60)


main()
