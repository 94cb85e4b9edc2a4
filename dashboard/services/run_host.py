"""Carries the runs of this process: their event loop, their claims, and those left by others."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from dashboard.domain.identity import Identity
from dashboard.domain.run import Run, RunState
from dashboard.errors import DashboardError, UnexpectedAnswer
from dashboard.gateway.base import PlatformGateway
from dashboard.services.run_journal import RunJournal, RunLost
from dashboard.services.run_loop import LoopThread
from dashboard.services.run_stretch import Gate
from dashboard.services.run_task import Ending, RunKit, RunProgress, RunSettings, RunTask
from dashboard.store.run_records import Claim, RowResult, RunRecords

if TYPE_CHECKING:
    from dashboard.domain.pipeline import Pipeline
    from dashboard.services.clock import Clock
    from dashboard.services.tables import TableStore

_LOG = logging.getLogger(__name__)

_AWAY_THREADS = 4
_CANCEL_WAIT_S = 15.0

#: Whose token a run goes on with after a restart; None while nobody's is there.
IdentityOf = Callable[[Run], Identity | None]


class RunHost:
    """The runs that this process carries. Thread-safe; checks nobody's access."""

    def __init__(
        self,
        records: RunRecords,
        tables: TableStore,
        *,
        gateway: Callable[[], PlatformGateway],
        identity_of: IdentityOf,
        clock: Clock,
        settings: RunSettings,
    ) -> None:
        self._records = records
        self._tables = tables
        self._identity_of = identity_of
        writer = ThreadPoolExecutor(1, thread_name_prefix="runs-writer")
        self._kit = RunKit(
            records=records,
            tables=tables,
            gateway=gateway,
            journal=RunJournal(self._journal, writer),
            clock=clock,
            settings=settings,
            owner=secrets.token_hex(16),
            away=ThreadPoolExecutor(_AWAY_THREADS, thread_name_prefix="runs"),
            writer=writer,
        )
        self._lock = threading.Lock()
        self._tasks: dict[str, RunTask] = {}
        self._futures: dict[str, Future[None]] = {}
        self._gates: dict[tuple[int, str], Gate] = {}
        self._adopting = False
        self._closed = False
        self._loop = LoopThread("runs", self._keep_claims)

    def claim(self) -> Claim:
        """Return what this process writes into the runs it carries.

        Raises
        ------
        DashboardError
            The process is stopping.
        """
        if self._closed:
            raise DashboardError("The dashboard is stopping.", hint="Try again when it is back.")
        return self._claim()

    def start(self, run: Run, who: Identity, pipeline: Pipeline | None = None) -> None:
        """Carry a run that is claimed already, from where it stands."""
        key = (run.workspace_id, run.pipeline_name)
        limit = self._kit.settings.in_flight or run.replicas
        with self._lock:
            if self._closed:  # its claim runs out, and the next process takes it
                return
            gate = self._gates.setdefault(key, Gate(limit))
            gate.limit = limit
            task = RunTask(run, who, self._kit, gate, pipeline=pipeline)
            self._tasks[run.run_id] = task
            self._futures[run.run_id] = self._loop.run(partial(self._carry, task))

    def cancel(self, run_id: str) -> None:
        """End a run of this process as cancelled; nothing happens for another's."""
        task = self._task(run_id)
        if task is not None:
            task.when_cancelled = Ending(RunState.CANCELLED)
            self._end_now(task)

    def progress(self, run_id: str) -> tuple[Run, RunProgress] | None:
        """Return a run's header as it was at its start and how far it is; None for another's."""
        task = self._task(run_id)
        return None if task is None else (task.run, task.progress())

    def resume_all(self) -> None:
        """Go on with the runs of earlier processes, now and whenever one is left by its process.

        Returns at once. A process that was killed loses its claims after `RunSettings.claim_s`.
        """
        self._adopting = True
        self._loop.run(self._resume_first)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop without losing anything; what is not over goes on in the next process.

        Parameters
        ----------
        timeout_s
            How long the rows in flight may take before they are given up, to be sent again.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            tasks, futures = list(self._tasks.values()), list(self._futures.values())
        for task in tasks:
            self._loop.run(partial(_stop, task))
        wait_for(futures, timeout=timeout_s)
        for task in tasks:
            self._end_now(task)
        self._loop.stop()
        self._kit.away.shutdown(wait=False, cancel_futures=True)
        self._kit.writer.shutdown()

    async def _carry(self, task: RunTask) -> None:
        run_id = task.run.run_id
        task.carrier = asyncio.current_task()
        try:
            ending = await self._ending(task)
            if ending is not None:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._kit.writer, self._end, run_id, ending)
        except DashboardError:
            # Its claim runs out, and it is taken up again when the store works again.
            _LOG.exception("the end of run %s could not be stored", run_id)
        finally:
            with self._lock:
                self._tasks.pop(run_id, None)
                self._futures.pop(run_id, None)

    async def _ending(self, task: RunTask) -> Ending | None:
        try:
            return await task.go()
        except asyncio.CancelledError:
            return task.when_cancelled
        except RunLost:
            return None
        except DashboardError as exc:
            return Ending(RunState.FAILED, exc.message)
        except Exception as exc:  # noqa: BLE001 - a run must come to an end that can be seen
            error = UnexpectedAnswer("")
            _LOG.error("error id %s", error.error_id, exc_info=exc)
            return Ending(
                RunState.FAILED, f"Something unexpected stopped it (error id {error.error_id})."
            )

    def _end(self, run_id: str, ending: Ending) -> None:
        owner, message = self._kit.owner, ending.message
        if ending.state is RunState.PAUSED:
            self._records.paused(run_id, owner, message=message, release=True)
        else:
            now = self._kit.clock.now()
            self._records.finished(run_id, owner, state=ending.state, message=message, at=now)

    async def _resume_first(self) -> None:
        loop = asyncio.get_running_loop()
        for work in (self._adopt, self._tables.sweep):
            try:
                await loop.run_in_executor(self._kit.away, work)
            except Exception:  # noqa: BLE001 - the loop must outlive it
                _LOG.exception("the runs of an earlier process could not be looked through")

    async def _keep_claims(self) -> None:
        """Renew the claims of this process, and take up what others have left behind."""
        loop = asyncio.get_running_loop()
        while True:
            await self._kit.clock.sleep(self._kit.settings.claim_s / 4)
            try:
                await loop.run_in_executor(self._kit.writer, self._renew)
                if self._adopting:
                    await loop.run_in_executor(self._kit.away, self._adopt)
            except Exception:  # noqa: BLE001 - the loop must outlive it
                _LOG.exception("the claims on runs could not be renewed; the next beat tries again")

    def _renew(self) -> None:
        if held := list(self._tasks):
            self._records.renew(held, self._claim())

    def _adopt(self) -> None:
        for run in self._records.unclaimed(self._kit.clock.now()):
            if run.run_id in self._tasks:  # ours: this process was held up for longer than a claim
                continue
            who = self._identity_of(run)
            waiting = f"Waiting for {run.owner_email or 'its owner'} to sign in."
            if who is None and (run.state, run.message) == (RunState.PAUSED, waiting):
                continue
            if self._closed or not self._records.claim(
                run.run_id, self._claim(), now=self._kit.clock.now()
            ):
                continue
            if who is None:
                self._records.paused(run.run_id, self._kit.owner, message=waiting, release=True)
            else:
                self.start(self._records.run(run.run_id) or run, who)

    def _journal(self, results: Mapping[str, Sequence[RowResult]]) -> frozenset[str]:
        return self._records.journal(results, self._claim())

    def _claim(self) -> Claim:
        until = self._kit.clock.now() + timedelta(seconds=self._kit.settings.claim_s)
        return Claim(self._kit.owner, until)

    def _end_now(self, task: RunTask) -> None:
        """Give up the rows in flight, and wait until the run has written its end."""
        with self._lock:
            future = self._futures.get(task.run.run_id)
        if future is not None:
            self._loop.run(partial(_cancel, task))
            wait_for([future], timeout=_CANCEL_WAIT_S)

    def _task(self, run_id: str) -> RunTask | None:
        with self._lock:
            return self._tasks.get(run_id)


async def _stop(task: RunTask) -> None:
    task.stop()


async def _cancel(task: RunTask) -> None:
    # Not by the future: a task cancelled before its first step never gets to write its end.
    if task.carrier is not None:
        task.carrier.cancel()
