"""A process for the kill test: begins or resumes one run, and writes down each request it sends.

Usage: python -m tests.unit.services.run_child FOLDER ROWS [BATCH_ROWS]
With BATCH_ROWS the run is of numbers, so many in a request.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dashboard.services.runs import RunSettings
from tests.unit.services.run_stubs import MEMBER, Doubler, StubPlatform, open_rig, until


def main() -> None:
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    log = os.open(folder / "sent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    batch_rows = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    kind = Doubler if batch_rows else StubPlatform
    platform = kind(wait_s=0.002, on_send=lambda text: _write(log, text))
    settings = RunSettings(claim_s=0.5, batch_rows=batch_rows or 1)
    rig = open_rig(folder / "data", platform, settings=settings)
    name = folder / "run_id"
    if name.exists():
        rig.runs.resume_all()
    else:
        texts = (f"text {number}" for number in range(rows))
        run = rig.submit_numbers(rows, replicas=2) if batch_rows else rig.submit(*texts, replicas=2)
        draft = folder / "run_id.new"
        draft.write_text(run.run_id)
        draft.replace(name)
    until(lambda: rig.runs.run(MEMBER, name.read_text()).state.is_over, within_s=60)


def _write(log: int, text: str) -> None:
    os.write(log, f"{text}\n".encode())


if __name__ == "__main__":
    main()
