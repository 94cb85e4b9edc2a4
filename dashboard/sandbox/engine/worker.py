"""One replica's process: loads the models of a pipeline, answers one request at a time.

Talks frames over stdin and stdout (see `frames`), ends as soon as stdin closes, whatever it is
doing. It never opens a socket and never writes a file.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dashboard.sandbox.engine.flow import Flow
from dashboard.sandbox.engine.frames import decode, encode, read_body
from dashboard.sandbox.engine.runtimes import load_runtime
from dashboard.sandbox.engine.runtimes.base import InputError, LoadError, StepSpec, check_artefact
from dashboard.sandbox.engine.stages import Stage, StageKind, chain
from dashboard.sandbox.engine.validations import (
    BadExpressionError,
    ValidationError,
    Validations,
)

if TYPE_CHECKING:
    from dashboard.sandbox.engine.frames import Message
    from dashboard.sandbox.engine.runtimes.base import Runtime

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main() -> None:
    """Run until stdin closes."""
    out = _private_stdout()
    inbox: queue.SimpleQueue[tuple[Message, int]] = queue.SimpleQueue()
    threading.Thread(target=_read_for_ever, args=(inbox,), daemon=True).start()
    loads_message, _ = inbox.get()
    if loads_message.get("crashes"):
        _crash()
    try:
        runtimes = _load(loads_message)
        flow = _flow(loads_message, runtimes)
    except LoadError as exc:
        _send(out, {"op": "failed", "reason": str(exc)})
        sys.exit(1)
    _stand_back(loads_message.get("niceness", 0))
    last_types = dict(runtimes[-1].output_types) if runtimes else {}
    _send(out, {"op": "ready", "output_types": last_types})
    while True:
        request, read_ns = inbox.get()
        _send(out, _answer(flow, request, read_ns))


def _crash() -> None:
    sys.stderr.write(
        "Traceback (most recent call last):\n"
        "RuntimeError: this crash was ordered from the sandbox, for a rehearsal\n"
    )
    sys.stderr.flush()
    os._exit(1)


def _stand_back(niceness: int) -> None:
    """Let processes with a larger share of the CPU go first when there is not enough for all.

    Done after the loading: a share is for the work, and a slow start helps nobody.
    """
    if not niceness:
        return
    with contextlib.suppress(OSError):
        os.nice(niceness)
        # Where sessions are scheduled as groups, niceness counts inside of each group only.
        Path("/proc/self/autogroup").write_text(f"{niceness}\n", encoding="ascii")


def _private_stdout() -> BinaryIO:
    # A model that prints must not break the frames: file descriptor 1 becomes stderr.
    private = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    return os.fdopen(private, "wb", buffering=0)


def _read_for_ever(inbox: queue.SimpleQueue[tuple[Message, int]]) -> None:
    stdin = os.fdopen(_STDIN, "rb", closefd=False)
    while (body := read_body(stdin)) is not None:
        started_ns = time.perf_counter_ns()
        message = decode(body)
        inbox.put((message, time.perf_counter_ns() - started_ns))
    # sys.exit would wait for the inference in the main thread.
    os._exit(0)


def _load(message: Message) -> list[Runtime]:
    # Set here and not at start: names such as LD_PRELOAD or PYTHONPATH then have no effect.
    os.environ.update({str(name): str(value) for name, value in message["env"].items()})
    runtimes: list[Runtime] = []
    loaded: dict[str, Runtime] = {}
    for fields in message["steps"]:
        step = StepSpec(**fields)
        # A model that stands in a pipeline twice is loaded once.
        if same := loaded.get(repr(step)):
            runtimes.append(same)
            continue
        sys.stderr.write(f"loading model {step.model_name} ({step.framework})\n")
        check_artefact(step)
        try:
            runtimes.append(load_runtime(step))
            loaded[repr(step)] = runtimes[-1]
        except (ImportError, OSError, ValueError, RuntimeError, MemoryError) as exc:
            sys.stderr.write(f"{type(exc).__name__}: {exc}\n")
            raise LoadError(f"model '{step.model_name}' failed to load") from exc
    return runtimes


def _flow(message: Message, runtimes: list[Runtime]) -> Flow:
    stages = [_stage(fields) for fields in message.get("stages") or ()] or chain(len(runtimes))
    try:
        checks = {
            place: Validations(stage.expressions)
            for place, stage in enumerate(stages)
            if stage.kind is StageKind.CHECK
        }
    except (BadExpressionError, ImportError) as exc:
        raise LoadError(str(exc)) from exc
    names = [fields["model_name"] for fields in message["steps"]]
    return Flow(runtimes, names, stages, checks)


def _stage(fields: Message) -> Stage:
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Stage(**(fields | lists | {"kind": StageKind(fields["kind"])}))


def _answer(flow: Flow, request: Message, read_ns: int) -> Message:
    started_ns = time.perf_counter_ns()
    time.sleep(request["wait_ms"] / 1000)
    try:
        passage = flow.run(request["rows"], draw=request.get("draw", 0.0), started_ns=started_ns)
    except InputError as exc:
        where = "" if exc.row is None else f" in row {request['first_row'] + exc.row}"
        return {"op": "refused", "id": request["id"], "status": 400, "error": f"{exc}{where}"}
    except ValidationError as exc:
        return {"op": "refused", "id": request["id"], "status": 500, "error": str(exc)}
    except Exception as exc:  # noqa: BLE001  a model's bug fails the request, not the replica
        sys.stderr.write(f"{type(exc).__name__}: {exc}\n")
        error = f"the model failed with {type(exc).__name__}"
        return {"op": "refused", "id": request["id"], "status": 500, "error": error}
    return {
        "op": "answer",
        "id": request["id"],
        "outputs": passage.rows,
        "output_types": passage.types,
        "elapsed_ns": [read_ns, *passage.elapsed_ns],
        "ran": passage.ran,
    }


def _send(out: BinaryIO, message: Message) -> None:
    frame = memoryview(encode(message))
    try:
        while frame:
            frame = frame[out.write(frame) :]
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
