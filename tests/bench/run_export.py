"""Time and memory of taking 100,000 rows of 1 kB out.

`python -m tests.bench.run_export csv`, and the same with `parquet` and `json`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from dashboard.domain.identity import Identity
from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, RunState
from dashboard.services.row_files import RowForm
from dashboard.services.run_export import RunExport
from dashboard.services.runs import RunService
from dashboard.services.tables import TableStore
from dashboard.store.database import open_store, open_vault
from dashboard.store.run_records import Claim, RowResult, RunRecords
from tests.unit.services.run_stubs import MEMBER, WHEN, draft
from tests.unit.services.test_run_export import a_run

_ROWS = 100_000
_TEXT = "A sentence of some sixty characters that says nothing at all. " * 16
_SUMMARY = _TEXT[:250]


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _kept(folder: Path) -> tuple[RunExport, str]:
    store = open_store("", data_dir=folder, vault=open_vault("", data_dir=folder))
    tables = TableStore(store, may_see=lambda _who, _room: True)
    texts = pa.table({"inputs": [f"{number} {_TEXT}" for number in range(_ROWS)]})
    table = tables.save(MEMBER, draft(raw_bytes=texts.nbytes), texts)
    run = replace(a_run(), table_id=table.table_id, rows_total=_ROWS, text_column="inputs")
    claim = Claim("bench", WHEN + timedelta(days=1))
    records = RunRecords(store)
    records.insert(run, claim)
    for first in range(0, _ROWS, 5_000):
        rows = [
            RowResult(number, RowState.DONE, _SUMMARY, "", 0, WHEN, 1_000, 0, RowTiming(1, 2, 3))
            for number in range(first, first + 5_000)
        ]
        records.journal({run.run_id: rows}, claim)
    records.finished(run.run_id, "bench", state=RunState.DONE, message="", at=WHEN)

    def no_gateway() -> None:
        raise NotImplementedError

    def whoever(_run: object) -> Identity:
        return MEMBER

    runs = RunService(store, tables, gateway=no_gateway, identity_of=whoever)  # type: ignore[arg-type] # never asked
    return RunExport(no_gateway, runs, tables), run.run_id  # type: ignore[arg-type] # as above


def main() -> None:
    """Print one line for the form that is named."""
    form = RowForm(sys.argv[1]) if len(sys.argv) > 1 else RowForm.CSV
    with tempfile.TemporaryDirectory() as name:
        exports, run_id = _kept(Path(name))
        before_mb = _rss_mb()
        most_mb = [before_mb]
        began_at = time.perf_counter()
        with tempfile.TemporaryFile() as file:
            exports.write_rows(
                MEMBER,
                run_id,
                form,
                file,
                on_progress=lambda _rows: most_mb.append(_rss_mb()),
            )
            took_s = time.perf_counter() - began_at
            size_mb = file.tell() / 1e6
    print(  # noqa: T201 - what it is for
        f"{form.value}: {_ROWS:,} rows, {size_mb:.0f} MB in {took_s:.1f} s; "
        f"memory {before_mb:.0f} MB before, {max(most_mb):.0f} MB at most"
    )


if __name__ == "__main__":
    main()
