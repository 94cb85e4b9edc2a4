"""One engine process: start it, load it, ask it, watch its memory, end it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.engine import packing
from dashboard.sandbox.engine.frames import encode, receive
from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.processes import wait_for_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dashboard.sandbox.engine.frames import Message
    from dashboard.sandbox.plans import DeploymentPlan, StepPlan

_WORKER_MODULE = "dashboard.sandbox.engine.worker"
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
#: What a worker gets of the server's environment, which may hold keys.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "SYSTEMROOT")
#: A longer line of a model's output is cut into pieces.
_LONGEST_LINE_BYTES = 4096
#: A request is sent in pieces, so that one large one cannot hold the event loop.
_CHUNK_ROWS = 256
_OOM_EXIT_CODE = 137
_LAST_WORDS_S = 0.2


class ModelLoadError(Exception):
    """The worker could not load its models; the text is the pod's reason."""


class ReplicaGoneError(Exception):
    """The process ended before it had answered."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A replica's answer to one request.

    Parameters
    ----------
    outputs
        One mapping per input row, output column → value.
    elapsed_ns
        Time to read the input, then one entry per step; the whole request's, not a row's.
    output_types
        Output column → Arrow type name.
    engine
        Name of the engine pod that answered.
    plan
        What that engine runs; during a roll-over not always what was deployed last.
    ran
        The models that took part, as places among the plan's steps; the one whose outputs are
        given is the last.
    """

    outputs: list[dict[str, Any]]  # Any: model output
    elapsed_ns: list[int]
    output_types: Mapping[str, str]
    engine: str
    plan: DeploymentPlan
    ran: tuple[int, ...] = ()

    @property
    def steps(self) -> tuple[StepPlan, ...]:
        """The models that took part, the one whose outputs are given last."""
        return tuple(self.plan.steps[place] for place in self.ran) or self.plan.steps


class Replica:
    """A worker process. Serves one request at a time; its owner sees to that."""

    def __init__(
        self, process: Process, *, plan: DeploymentPlan, engine: str, say: Callable[[str], None]
    ) -> None:
        self.engine = engine
        self._plan = plan
        self.pid = process.pid
        self.is_out_of_memory = False
        self._process = process
        self._output_types: Mapping[str, str] = {}
        self._say = say
        self._stderr_reader = asyncio.create_task(self._read_stderr())
        self._requests_sent = 0
        # Seeded: what is split at random goes the same ways after every restart.
        self._draws = random.Random(plan.pipeline_version)  # noqa: S311  no secret hangs on it

    @classmethod
    async def spawn(
        cls, plan: DeploymentPlan, *, engine: str, say: Callable[[str], None]
    ) -> Replica:
        """Start a worker process for `plan`, in a session of its own.

        Parameters
        ----------
        say
            Takes each line the process writes.
        """
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _WORKER_MODULE,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=_PACKAGE_ROOT,
            env=environment,
            start_new_session=True,
        )
        return cls(process, plan=plan, engine=engine, say=say)

    @property
    def is_alive(self) -> bool:
        """True until the process has ended."""
        return self._process.returncode is None

    @property
    def is_usable(self) -> bool:
        """True while it may be asked. Its pipe closes a moment before its end is known."""
        stdout = self._process.stdout
        return self.is_alive and stdout is not None and not stdout.at_eof()

    async def load(self, *, niceness: int = 0, crashes: bool = False) -> None:
        """Load the plan's models.

        Parameters
        ----------
        niceness
            How far it stands back behind other processes once it is loaded, 0 to 19.
        crashes
            Whether it is to end in the middle of the loading, for a rehearsal.

        Raises
        ------
        ModelLoadError
            With the reason the worker gave, or the exit code when it died.
        """
        message = {
            "op": "load",
            "env": self._plan.environment,
            "steps": [_step_message(step, self._plan.threads) for step in self._plan.steps],
            "stages": [asdict(stage) for stage in self._plan.stages],
            "niceness": niceness,
            "crashes": crashes,
        }
        began_s = time.monotonic()
        try:
            answer = await self._ask(message)
        except ReplicaGoneError as exc:
            raise ModelLoadError(self.end_reason) from exc
        if answer["op"] != "ready":
            raise ModelLoadError(str(answer["reason"]))
        self._output_types = answer["output_types"]
        self._say(f"models loaded in {(time.monotonic() - began_s) * 1000:.0f} ms")

    async def predict(
        self, rows: Sequence[Mapping[str, Any]], *, wait_ms: float, timeout_s: float
    ) -> Prediction:
        """Run the models on `rows`; a chunk that takes longer than `timeout_s` ends the replica.

        Raises
        ------
        ReplicaGoneError
            If the process died before it had answered everything.
        EngineError
            400 when the rows do not fit the model, 500 when the model failed, 504 when it hung.
        """
        outputs: list[dict[str, Any]] = []
        elapsed_ns: list[int] = []
        types: Mapping[str, str] = self._output_types
        ran: dict[int, None] = {}
        # One for the whole request: all its rows go to the same model of a split.
        draw = self._draws.random()
        for first_row in range(0, len(rows), _CHUNK_ROWS):
            answer = await self._ask_in_time(
                {
                    "op": "predict",
                    "first_row": first_row,
                    "rows": rows[first_row : first_row + _CHUNK_ROWS],
                    "wait_ms": 0.0 if first_row else wait_ms,
                    "draw": draw,
                },
                timeout_s=timeout_s + wait_ms / 1000,
            )
            if answer["op"] == "refused":
                raise EngineError(answer["status"], answer["error"])
            outputs += answer["outputs"]
            elapsed_ns = _sums(elapsed_ns, answer["elapsed_ns"])
            types = answer["output_types"] if not first_row else _in_common(types, answer)
            for place in answer["ran"]:  # the last one to be given comes last
                ran.pop(place, None)
                ran[place] = None
        return Prediction(outputs, elapsed_ns, types, self.engine, self._plan, tuple(ran))

    @property
    def end_reason(self) -> str:
        """Kubernetes' word for how the process ended."""
        return "OOMKilled" if self.is_out_of_memory else "Error"

    @property
    def end_details(self) -> tuple[str, ...]:
        """The exit code, as a container's state shows it."""
        code = self._process.returncode
        if self.is_out_of_memory:
            code = _OOM_EXIT_CODE
        elif code is not None and code < 0:
            code = 128 - code
        return (f"container terminated: {self.end_reason}, exit code {code}",)

    async def wait(self) -> None:
        """Return when the process has ended and was reaped."""
        await wait_for_exit(self._process)

    def kill(self, *, out_of_memory: bool = False) -> None:
        """End the process at once."""
        self.is_out_of_memory = self.is_out_of_memory or out_of_memory
        self._signal(signal.SIGKILL)

    async def stop(self, *, grace_s: float) -> None:
        """End the process: ask, then kill. All its resources are freed on return."""
        if self.is_alive:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self.wait()
        self.kill()
        await self.wait()
        # Its last words are in the pipe still; a grandchild may hold that open for ever.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._stderr_reader
        if self._process.stdin is not None:
            self._process.stdin.close()
        # The only handle asyncio gives on the pipes' read ends; without it they wait for the
        # garbage collector.
        self._process._transport.close()  # type: ignore[attr-defined]  # see above

    def _signal(self, number: signal.Signals) -> None:
        if not self.is_alive:  # its number may belong to somebody else by now
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def _ask_in_time(self, message: Message, *, timeout_s: float) -> Message:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(message)
        except TimeoutError as exc:
            # An abandoned request would block this replica for ever.
            self.kill()
            raise EngineError(
                504, f"the model did not answer within {timeout_s:g} s; its engine is restarted"
            ) from exc

    async def _ask(self, message: Message) -> Message:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ReplicaGoneError(self.engine)
        self._requests_sent += 1
        try:
            whole = {**message, "id": self._requests_sent}
            is_long = packing.is_long(message.get("rows", ()))
            stdin.write(await asyncio.to_thread(encode, whole) if is_long else encode(whole))
            await stdin.drain()
            return await receive(stdout)
        except (asyncio.IncompleteReadError, OSError) as exc:
            self.kill()  # should it only have closed its pipes
            raise ReplicaGoneError(self.engine) from exc

    async def _read_stderr(self) -> None:
        stream, rest = self._process.stderr, b""
        while stream is not None and (block := await stream.read(_LONGEST_LINE_BYTES)):
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > _LONGEST_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._say(line.decode("utf-8", "replace"))
        if rest:
            self._say(rest.decode("utf-8", "replace"))


def _step_message(step: StepPlan, threads: int) -> dict[str, Any]:  # Any: JSON
    return {
        "model_name": step.model_name,
        "framework": step.framework,
        "runtime": step.runtime,
        "sha": step.sha,
        "artefact": None if step.artefact is None else str(step.artefact),
        "input_schema": step.input_schema,
        "output_schema": step.output_schema,
        "tensor_fields": step.tensor_fields,
        "batch_config": step.batch_config,
        "threads": threads,
    }


def _in_common(types: Mapping[str, str], answer: Message) -> Mapping[str, str]:
    """Return the types that hold for one piece of a request and for the next."""
    return dict(types.items() & answer["output_types"].items())


def _sums(left: list[int], right: list[int]) -> list[int]:
    return [a + b for a, b in zip(left, right, strict=True)] if left else right
