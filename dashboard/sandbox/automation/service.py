"""Keeps the tasks going: begins their runs, by order or by the clock, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.automation import cron
from dashboard.sandbox.automation.limits import Limits
from dashboard.sandbox.automation.runner import Runner
from dashboard.sandbox.errors import WireError
from dashboard.sandbox.store import orchestrations as states
from dashboard.sandbox.store import tasks as words

if TYPE_CHECKING:
    from dashboard.sandbox.context import Sandbox
    from dashboard.sandbox.store import Row

log = logging.getLogger(__name__)

#: After a longer sleep of the machine, what was due before this many minutes is let go.
_LOOK_BACK_MINUTES = 60


class Automation:
    """The tasks of one sandbox. Its public methods may be called from any thread.

    Parameters
    ----------
    limits
        How much of the machine they may take.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._sandbox = sandbox
        self._runner = Runner(sandbox, self.limits)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._places = asyncio.Semaphore(self.limits.running)
        # Of their own: endless tasks may hold every other place for ever.
        self._packing_places = asyncio.Semaphore(self.limits.packaging)
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._last_minute = 0
        #: While above 0, nothing is begun.
        self._standstills = 0
        self._one_standstill = asyncio.Lock()

    async def start(self) -> None:
        """Take up what the last owner of the data folder left: nothing of it is running now."""
        self._loop = asyncio.get_running_loop()
        self._last_minute = self._minute()
        await asyncio.to_thread(self._runner.sweep)
        tasks = self._sandbox.store.tasks
        for run in tasks.under_way():
            if run["session_id"]:
                self._sandbox.store.sessions.end(run["session_id"])
            tasks.add_lines(run["id"], [self._cut_short()], kept_bytes=self.limits.log_bytes)
            tasks.end_run(run["id"], words.FAILURE)
        for kind in (words.ONESHOT, words.CRON_JOB, words.NETWORK_SERVICE):
            for task in tasks.of_kind(kind, words.PENDING_KILL):
                tasks.set_status(task["id"], words.KILLED)
        self._sandbox.store.orchestrations.sweep()
        self._take_up()
        self._ticker = asyncio.create_task(self._tick_for_ever())

    async def stop(self) -> None:
        """End every run; on return no process of theirs is left."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        self._standstills += 1
        await self._end_all()

    @contextlib.asynccontextmanager
    async def standstill(self) -> AsyncIterator[None]:
        """End every run; inside, none is under way and none begins, so a reset meets no stranger.

        What was taken meanwhile all the same, and is still there afterwards, is begun then. A
        second one waits for the first to be over.
        """
        self._standstills += 1
        try:
            async with self._one_standstill:
                await self._end_all()
                yield
        finally:
            self._standstills -= 1
            self._take_up()

    async def _end_all(self) -> None:
        jobs = list(self._jobs.values())
        for job in jobs:
            _cancel(job)
        await asyncio.gather(*jobs, return_exceptions=True)

    def _take_up(self) -> None:
        tasks = self._sandbox.store.tasks
        for orchestration in self._sandbox.store.orchestrations.unfinished():
            self._begin(orchestration["task_id"])
        for task in (
            *tasks.of_kind(words.ONESHOT, words.PENDING),
            *tasks.of_kind(words.CRON_JOB, words.PENDING),
            *tasks.of_kind(words.NETWORK_SERVICE, words.PENDING, words.STARTED),
        ):
            self._begin(task["id"])

    def begin(self, task_id: str) -> None:
        """Begin a new task, or its packaging; returns at once."""
        self._on_loop(self._begin, task_id)

    def check_open(self) -> None:
        """Refuse what would be begun during a reset, or while stopping. Raises WireError."""
        if self._standstills:
            raise WireError(409, "The sandbox is being reset. Try again in a moment.")

    def check_room(self) -> None:
        """Refuse a further task during a reset, or while too many wait. Raises WireError."""
        self.check_open()
        if len(self._jobs) >= self.limits.running + self.limits.waiting:
            raise WireError(400, "Too many tasks are waiting to run. Kill some, then try again.")

    def kill(self, task_id: str) -> None:
        """End a task whose state is `pending_kill`; returns at once."""
        self._on_loop(self._kill, task_id)

    def tick(self) -> None:
        """Begin what is due by the sandbox's clock; on the loop's thread.

        A task that was due several times since the last look is run once, and not at all while
        its last run is still under way.
        """
        if self._standstills:
            return
        now = self._minute()
        first = max(self._last_minute + 1, now - _LOOK_BACK_MINUTES)
        self._last_minute = now
        if first > now:
            return
        for task in self._sandbox.store.tasks.of_kind(words.CRON_JOB, words.STARTED):
            schedule = cron.parse(task["schedule"])
            is_due = any(schedule.fits(minute) for minute in range(first, now + 1))
            if is_due and task["id"] not in self._jobs:
                self._keep(task["id"], self._run_in_turn(task))

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.limits.tick_s)
            try:
                self.tick()
            except Exception as exc:  # noqa: BLE001  the clock must go on
                log.error("unexpected %s while looking at the schedules", type(exc).__name__)  # noqa: TRY400  # the text may quote arguments

    def _begin(self, task_id: str) -> None:
        if self._standstills:
            return
        task = self._sandbox.store.tasks.get(task_id)
        if task is None or task_id in self._jobs:
            return
        if task["kind"] == words.CRON_JOB:
            self._sandbox.store.tasks.start(task_id)
        else:
            self._keep(task_id, _WAYS[task["kind"]](self, task))

    def _keep(self, task_id: str, work: Coroutine[Any, Any, None]) -> None:  # Any: asyncio's own
        job = asyncio.create_task(work)
        self._jobs[task_id] = job
        job.add_done_callback(lambda ended: self._forget(task_id, ended))

    def _forget(self, task_id: str, job: asyncio.Task[None]) -> None:
        self._jobs.pop(task_id, None)
        if not job.cancelled() and (exc := job.exception()) is not None:
            _log_unexpected(task_id, exc)

    def _kill(self, task_id: str) -> None:
        job = self._jobs.get(task_id)
        if job is None:
            self._sandbox.store.tasks.set_status(task_id, words.KILLED)
            return
        _cancel(job)
        job.add_done_callback(lambda _: self._sandbox.store.tasks.set_status(task_id, words.KILLED))

    async def _run_in_turn(self, task: Row) -> None:
        """Run a task once, when there is a place for it."""
        async with self._places:
            self._sandbox.store.tasks.start(task["id"])
            await self._runner.run(task)

    async def _run_again_and_again(self, task: Row) -> None:
        short_runs = 0
        while True:
            began_s = asyncio.get_running_loop().time()
            await self._run_in_turn(task)
            lasted_s = asyncio.get_running_loop().time() - began_s
            short_runs = 0 if lasted_s > self.limits.stable_s else short_runs + 1
            await asyncio.sleep(self.limits.pause_s(short_runs))

    async def _package(self, task: Row) -> None:
        orchestrations = self._sandbox.store.orchestrations
        orchestration_id = task["orchestration_id"]
        status = words.FAILURE
        try:
            async with self._packing_places:
                orchestrations.set_status(orchestration_id, states.PACKAGING)
                self._sandbox.store.tasks.start(task["id"])
                status = await self._runner.package(task)
        except Exception as exc:  # noqa: BLE001  whatever it was, the packaging is over
            _log_unexpected(task["id"], exc)
        finally:
            if orchestrations.get(orchestration_id) is None:
                # Deleted meanwhile: what was installed since then goes too.
                orchestrations.delete(orchestration_id)
        is_ready = status == words.SUCCESS
        orchestrations.set_status(orchestration_id, states.READY if is_ready else states.ERROR)

    def _on_loop(self, work: Callable[[str], None], task_id: str) -> None:
        if self._loop is not None:
            # A sandbox that is stopping takes nothing up; it does at its next start.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(work, task_id)

    def _minute(self) -> int:
        return int(self._sandbox.clock() // 60)

    def _cut_short(self) -> str:
        moment = self._sandbox.store.database.now().replace("+00:00", "Z")
        return f"{moment} stderr F The run was cut short: the sandbox stopped."


def _log_unexpected(task_id: str, exc: BaseException) -> None:
    # Without its text, which may quote what a person sent.
    where = "".join(traceback.format_tb(exc.__traceback__))
    log.error("unexpected %s in task %s\n%s", type(exc).__name__, task_id, where)


def _cancel(job: asyncio.Task[None]) -> None:
    # A second time would interrupt the cleaning up of the first.
    if not job.cancelling():
        job.cancel()


_WAYS: dict[str, Callable[[Automation, Row], Coroutine[Any, Any, None]]] = {  # Any: asyncio's own
    words.ONESHOT: Automation._run_in_turn,
    words.NETWORK_SERVICE: Automation._run_again_and_again,
    words.PACKAGING: Automation._package,
}
