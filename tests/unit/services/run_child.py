"""A process for the kill test: begins or resumes one run, and writes down each request it sends.

Usage: python -m tests.unit.services.run_child FOLDER ROWS
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dashboard.services.runs import RunSettings
from tests.unit.services.run_stubs import MEMBER, StubPlatform, open_rig, until


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    log = os.open(folder / "sent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    platform = StubPlatform(wait_s=0.002, on_send=lambda text: _write(log, text))
    rig = open_rig(folder / "data", platform, settings=RunSettings(claim_s=0.5))
    name = folder / "run_id"
    if name.exists():
        rig.runs.resume_all()
    else:
        run_id = rig.submit(*(f"text {number}" for number in range(rows)), replicas=2).run_id
        draft = folder / "run_id.new"
        draft.write_text(run_id)
        draft.replace(name)
    until(lambda: rig.runs.run(MEMBER, name.read_text()).state.is_over, within_s=60)


def _write(log: int, text: str) -> None:
    os.write(log, f"{text}\n".encode())


if __name__ == "__main__":
    main()
