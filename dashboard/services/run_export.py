"""Taking a run out: its rows as files, its receipt, and a notebook that repeats it.

What goes out holds private texts, but no detail of a connection and no address. Large files are
made as jobs into temporary files without a name, which go with the process at the latest.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.row_note import RowNote
from dashboard.domain.run import RowState, Run
from dashboard.domain.settings_json import settings_of
from dashboard.errors import DashboardError, NotFound
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.notebook import notebook
from dashboard.services.receipt import receipt, receipt_page
from dashboard.services.row_files import RowForm, row_writer, rows_table
from dashboard.services.runs import RunService
from dashboard.services.shelf import Shelf
from dashboard.services.tables import TableStore

__all__ = ["MOST_ROWS_AT_ONCE", "RowForm", "RunExport", "receipt", "receipt_page"]

#: Up to so many rows a file is made while the browser waits for it; beyond, as a job.
MOST_ROWS_AT_ONCE: Final = 2_000
_ROWS_A_PIECE: Final = 1_000
_FILE_KEPT_S: Final = 300.0
_MOST_FILES: Final = 8

#: Gives what readers think of a run's rows, by row index.
NotesOf = Callable[[Identity, str], Mapping[int, RowNote]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A finished file of a run's rows."""

    run_id: str
    form: RowForm
    file: IO[bytes]


class RunExport:
    """The use cases. Every one checks anew that the caller may see the run. Thread-safe.

    Parameters
    ----------
    notes_of
        Asked once for each file.
    timeout_s
        How long the model may take for a row; the notebook waits as long.
    """

    def __init__(
        self,
        gateway: GatewayOf,
        runs: RunService,
        tables: TableStore,
        *,
        notes_of: NotesOf = lambda _who, _run_id: {},
        timeout_s: float = 60.0,
    ) -> None:
        self._gateway = gateway
        self._runs = runs
        self._tables = tables
        self._notes_of = notes_of
        self._timeout_s = timeout_s
        self._ready: Shelf[_Ready] = Shelf(
            kept_s=_FILE_KEPT_S, most=_MOST_FILES, on_drop=self._drop
        )
        self._lock = threading.Lock()
        self._written: dict[tuple[str, str], int] = {}

    # Rows

    def write_rows(
        self,
        who: Identity,
        run_id: str,
        form: RowForm,
        file: IO[bytes],
        *,
        on_progress: Callable[[int], None] = lambda _rows: None,
    ) -> int:
        """Write every row of a run as it stands now, piece by piece; return how many there are.

        Parameters
        ----------
        file
            Open for binary writing; it stays open.
        on_progress
            Called with the number of rows written so far.

        Raises
        ------
        NotFound, AccessDenied
            As `RunService.run`; also in the middle, when the run or the access goes.
        """
        run = self._runs.run(who, run_id)
        notes = self._notes_of(who, run_id)
        outputs = None if run.is_of_texts else self._some_outputs(who, run_id)
        writer = row_writer(form, file)
        for first, end in self._pieces(run):
            inputs = self._tables.stored_rows(run.table_id, first, end)
            rows = self._runs.rows(who, run_id, offset=first, limit=end - first)
            writer.write(rows_table(inputs, rows, notes, outputs))
            on_progress(end)
        writer.finish()
        return run.rows_total

    def rows(self, who: Identity, run_id: str, form: RowForm) -> bytes:
        """Return a file of a run's rows. Raises as `write_rows`."""
        with tempfile.TemporaryFile() as file:
            self.write_rows(who, run_id, form, file)
            file.seek(0)
            return file.read()

    def make_file(self, who: Identity, run_id: str, form: RowForm, file_id: str) -> Outcome:
        """Make a file of a run's rows, to be fetched with `file` within five minutes: a job.

        Parameters
        ----------
        file_id
            Unguessable, chosen by the caller; `progress` goes by it.
        """
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the shelf closes it
        key = (who.key, file_id)

        def note(rows: int) -> None:
            with self._lock:
                self._written[key] = rows

        try:
            note(0)
            rows = self.write_rows(who, run_id, form, file, on_progress=note)
        except BaseException:
            file.close()
            raise
        finally:
            with self._lock:
                self._written.pop(key, None)
        self._ready.put(who, _Ready(run_id, form, file), thing_id=file_id)
        return Outcome(f"The file of {rows:,} rows is ready under Export… for five minutes.")

    def progress(self, who: Identity, file_id: str) -> int | None:
        """Return how many rows a file under way holds; None when it is not under way."""
        with self._lock:
            return self._written.get((who.key, file_id))

    def is_ready(self, who: Identity, file_id: str) -> bool:
        """Whether `file` has something to give."""
        return self._ready.find(who, file_id) is not None

    def file(self, who: Identity, file_id: str) -> bytes:
        """Return a file that `make_file` has made.

        Raises
        ------
        NotFound
            It is not kept any more, or its run is gone.
        AccessDenied
            As `RunService.run`.
        """
        ready = self._ready.find(who, file_id)
        if ready is None:
            raise NotFound("This file is not kept any more.", hint="Make it again.")
        self._runs.run(who, ready.run_id)
        with self._lock:
            if ready.file.closed:  # its time ended a moment ago
                raise NotFound("This file is not kept any more.", hint="Make it again.")
            ready.file.seek(0)
            return ready.file.read()

    def close(self) -> None:
        """Drop every file."""
        self._ready.clear()

    def _drop(self, ready: _Ready) -> None:
        with self._lock:  # not while it is read
            ready.file.close()

    # Receipt and notebook

    def receipt_json(self, who: Identity, run_id: str) -> str:
        """Return a run's receipt as JSON. Raises as `RunService.run`."""
        return json.dumps(self._receipt(who, run_id), indent=2, ensure_ascii=False) + "\n"

    def receipt_page(self, who: Identity, run_id: str) -> str:
        """Return a run's receipt as a page to print. Raises as `RunService.run`."""
        return receipt_page(self._receipt(who, run_id))

    def notebook(self, who: Identity, run_id: str) -> str:
        """Return a notebook that repeats a run; asks the platform for the deployment's settings.

        Raises
        ------
        NotFound, AccessDenied
            As `RunService.run`.
        """
        run = self._runs.run(who, run_id)
        passport = self._tables.passport(who, run.table_id)
        settings = self._settings(who, run)
        return notebook(run, passport, settings=settings, timeout_s=self._timeout_s)

    def _some_outputs(self, who: Identity, run_id: str) -> Mapping[str, Any]:
        """Return what the model answered for the first row it answered."""
        samples = self._runs.samples(who, run_id)
        first = next((one.index for one in samples if one.state is RowState.DONE), None)
        return {} if first is None else self._runs.row(who, run_id, first).outputs

    def _receipt(self, who: Identity, run_id: str) -> dict[str, object]:
        run = self._runs.run(who, run_id)
        passport = self._tables.passport(who, run.table_id)
        return receipt(run, self._runs.samples(who, run_id), passport)

    def _settings(self, who: Identity, run: Run) -> DeploymentSettings | None:
        """Return what the pipeline was last deployed with; the notebook has defaults for None."""
        try:
            gateway = self._gateway()
            pipeline = gateway.get_pipeline(
                who, workspace_id=run.workspace_id, name=run.pipeline_name
            )
            deployment = gateway.deployment(who, pipeline)
        except DashboardError:
            return None
        return settings_of(deployment.engine_config) if deployment is not None else None

    def _pieces(self, run: Run) -> Iterator[tuple[int, int]]:
        """Give the rows from and to, so that a piece is of one block and of few rows."""
        for spot in self._tables.spots(run.table_id):
            for first in range(spot.first_row, spot.end_row, _ROWS_A_PIECE):
                yield first, min(first + _ROWS_A_PIECE, spot.end_row)
