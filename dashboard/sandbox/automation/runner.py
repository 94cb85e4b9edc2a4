"""Carries out one run (a home, a token, a process, a log), and the packaging before the first."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from dashboard.sandbox.auth import DEFAULT_SCOPE, OFFLINE, Grant
from dashboard.sandbox.automation import archive, home, packages
from dashboard.sandbox.automation.process import GuardedProcess
from dashboard.sandbox.automation.run_log import RunLog
from dashboard.sandbox.conversion import BadArchive
from dashboard.sandbox.processes import to_its_end
from dashboard.sandbox.store.tasks import FAILURE, KILLED, SUCCESS, TIMED_OUT

if TYPE_CHECKING:
    from dashboard.sandbox.automation.limits import Limits
    from dashboard.sandbox.context import Sandbox
    from dashboard.sandbox.store import Row

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_LAUNCHER: Final = Path(__file__).with_name("launcher.py")


class CannotRun(Exception):
    """A run cannot begin; the text says why."""


class Runner:
    """Runs the programs of orchestrations in processes of their own."""

    def __init__(self, sandbox: Sandbox, limits: Limits) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._runs = sandbox.config.data_dir / "task-runs"
        self._shared = sandbox.config.data_dir / "task-cache"

    def sweep(self) -> None:
        """Delete what runs left behind that were cut short."""
        home.remove(self._runs)

    async def run(self, task: Row) -> str:
        """Run a task's program once and return how it ended.

        Cancelling it ends the program; the run then counts as killed if its task is to be killed,
        and as a failure if the sandbox stops.
        """
        tasks = self._sandbox.store.tasks
        token = self._open_session(task)
        session_id = None if token is None else str(token["session_state"])
        run_id = tasks.add_run(task["id"], session_id=session_id, kept=self._limits.kept_runs)
        log = RunLog(tasks, run_id, clock=self._sandbox.clock, limits=self._limits)
        status = FAILURE
        try:
            status = await self._run(task, run_id, token, log)
        except CannotRun as exc:
            await log.say(f"The run could not begin: {exc}.")
        except asyncio.CancelledError:
            status = KILLED if self._is_being_killed(task) else FAILURE
            await log.say("The run was ended: " + _why_cancelled(status))
            raise
        finally:
            if session_id is not None:
                self._sandbox.store.sessions.end(session_id)
            await to_its_end(self._clean_up(run_id, status, log))
        return status

    async def package(self, task: Row) -> str:
        """Install the packages that an orchestration asks for and return how that ended."""
        tasks = self._sandbox.store.tasks
        run_id = tasks.add_run(task["id"], session_id=None, kept=self._limits.kept_runs)
        log = RunLog(tasks, run_id, clock=self._sandbox.clock, limits=self._limits)
        status = FAILURE
        try:
            status = await self._package(task["orchestration_id"], run_id, log)
        except (BadArchive, CannotRun, packages.CannotInstall) as exc:
            await log.say(f"Packaging failed: {exc}.")
        except OSError as exc:
            await log.say(f"Packaging failed: {exc.strerror}.")
        except asyncio.CancelledError:
            await log.say("Packaging was ended.")
            raise
        except Exception as exc:
            await log.say(f"Packaging failed: {type(exc).__name__}.")
            raise
        finally:
            await to_its_end(self._clean_up(run_id, status, log))
        return status

    async def _clean_up(self, run_id: str, status: str, log: RunLog) -> None:
        try:
            await log.close()
            await asyncio.to_thread(home.remove, self._runs / run_id)
        finally:
            self._sandbox.store.tasks.end_run(run_id, status)

    async def _run(
        self, task: Row, run_id: str, token: Mapping[str, object] | None, log: RunLog
    ) -> str:
        if token is None:
            raise CannotRun("the person who made the task may not log in any more")
        folder = self._runs / run_id
        try:
            contents = await _in_thread(self._move_in, task, folder, token)
        except (BadArchive, FileNotFoundError) as exc:
            raise CannotRun("the orchestration's file is gone or damaged") from exc
        except OSError as exc:
            raise CannotRun(f"its folder cannot be made: {exc.strerror}") from exc
        entry_point = folder / contents.entry_point
        interpreter = self._interpreter(task["orchestration_id"])
        command = [str(interpreter), str(_LAUNCHER), str(entry_point)]
        seen = home.variables(
            folder,
            task=task,
            origin=self._sandbox.config.origin,
            interpreter=interpreter,
            shared=self._shared,
        )
        # A program looks for its files beside itself, wherever in the archive it stands.
        timeout_s = None if task["timeout_s"] is None else float(task["timeout_s"])
        exit_status = await self._carry_out(command, entry_point.parent, seen, log, timeout_s)
        if exit_status is None:
            await log.say(f"The run was ended: it took longer than {timeout_s:g} s.")
            return TIMED_OUT
        return FAILURE if exit_status else SUCCESS

    async def _package(self, orchestration_id: str, run_id: str, log: RunLog) -> str:
        orchestrations = self._sandbox.store.orchestrations
        path = orchestrations.archive(orchestration_id)
        folder = self._runs / run_id
        contents = await asyncio.to_thread(archive.examine, path)
        # As a whole: a file that cannot be unpacked is better found now than in each run.
        await _in_thread(archive.unpack, path, folder)
        if contents.requirements is None:
            await log.say("It asks for no packages.")
            return SUCCESS
        requirements = folder / contents.requirements
        if await asyncio.to_thread(packages.all_here, requirements):
            await log.say("Every package it asks for is here already.")
            return SUCCESS
        place = orchestrations.folder(orchestration_id) / "environment"
        interpreter = await _in_thread(packages.make_environment, place)
        command = packages.install_command(interpreter, requirements)
        exit_status = await self._carry_out(
            command,
            requirements.parent,
            packages.install_variables(),
            log,
            self._limits.packaging_s,
        )
        if exit_status is None:
            limit_s = self._limits.packaging_s
            raise packages.CannotInstall(f"the packages took longer than {limit_s:g} s")
        if exit_status:
            raise packages.CannotInstall("the packages of requirements.txt cannot be installed")
        await log.say("The packages are installed.")
        return SUCCESS

    async def _carry_out(
        self,
        command: list[str],
        folder: Path,
        seen: Mapping[str, str],
        log: RunLog,
        timeout_s: float | None,
    ) -> int | None:
        """Run a command to its end and return its exit status; None if the time was up."""
        try:
            process = await GuardedProcess.spawn(
                command,
                folder=folder,
                variables=seen,
                on_lines=log.add,
                grace_s=self._limits.stop_grace_s,
            )
        except OSError as exc:
            raise CannotRun(f"its process cannot be started: {exc.strerror}") from exc
        try:
            async with asyncio.timeout(timeout_s):
                return await process.wait()
        except TimeoutError:
            await to_its_end(process.stop())
            return None
        except asyncio.CancelledError:
            await to_its_end(process.stop())
            raise

    def _move_in(self, task: Row, folder: Path, token: Mapping[str, object]) -> archive.Contents:
        store = self._sandbox.store
        path = store.orchestrations.archive(task["orchestration_id"])
        contents = archive.examine(path)
        self._shared.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, parents=True)
        archive.unpack(path, folder)
        home.furnish(
            folder,
            arguments=store.tasks.arguments(task["id"]),
            token=_token_file(token, store.users.by_id(task["owner_id"]), self._sandbox.clock()),
        )
        return contents

    def _interpreter(self, orchestration_id: str) -> Path:
        folder = self._sandbox.store.orchestrations.folder(orchestration_id) / "environment"
        own = packages.interpreter_of(folder)
        return own if own.exists() else Path(sys.executable)

    def _open_session(self, task: Row) -> dict[str, object] | None:
        """Log the person who made a task in, for the length of one run."""
        user = self._sandbox.store.users.by_id(task["owner_id"])
        if user is None or not user["enabled"]:
            return None
        issuer = f"{self._sandbox.config.origin}/auth/realms/master"
        grant = Grant(scope=f"{DEFAULT_SCOPE} {OFFLINE}")
        return self._sandbox.tokens.issue(user, issuer=issuer, grant=grant)

    def _is_being_killed(self, task: Row) -> bool:
        now = self._sandbox.store.tasks.get(task["id"])
        return now is None or now["status"] in ("pending_kill", KILLED)


def _token_file(token: Mapping[str, object], user: Row | None, now: float) -> dict[str, object]:
    """Return what the SDK keeps of a log-in in its own file."""
    life_s = token["expires_in"]
    assert isinstance(life_s, int)  # noqa: S101  # our own answer
    return {
        "access_token": token["access_token"],
        "expiry": now + life_s,
        "refresh_token": token["refresh_token"],
        "refresh_token_expiry": now + 30 * 86_400,
        "user_id": "" if user is None else user["id"],
        "user_email": "" if user is None else user["email"],
    }


async def _in_thread(
    work: Callable[_Arguments, _Result], *args: _Arguments.args, **options: _Arguments.kwargs
) -> _Result:
    """Do something in a thread, and wait for it when cancelled: the clean-up comes after it."""
    return await to_its_end(asyncio.to_thread(work, *args, **options))


def _why_cancelled(status: str) -> str:
    return "its task was killed." if status == KILLED else "the sandbox stopped."
