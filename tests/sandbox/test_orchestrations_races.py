"""What comes between: an order during a reset, a kill during a clean-up, a flood of lines."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
import zipfile
from io import BytesIO

import pytest

from dashboard.sandbox.automation import archive, home, packages, process
from dashboard.sandbox.automation.limits import Limits
from dashboard.sandbox.automation.run_log import RunLog
from dashboard.sandbox.conversion import BadArchive
from dashboard.sandbox.routes import control
from dashboard.sandbox.store import tasks as words
from tests.sandbox import orchestrating as o
from tests.support.waiting import is_running, wait_until

FOR_EVER = "import os, time\nprint('running', os.getpid(), flush=True)\ntime.sleep(600)"


@pytest.fixture
def platform(empty):
    """A platform with one workspace."""
    o.workspace(empty)
    return empty


class Gate:
    """Holds a function of another thread back, until a test lets it go."""

    def __init__(self, work):
        self._work = work
        self.calls = 0
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, *args, **options):
        self.calls += 1
        self.reached.set()
        assert self.opened.wait(o.LIMIT_S)
        return self._work(*args, **options)


@pytest.fixture
def gate(monkeypatch):
    """Put a gate before a function of a module; it stands open when the test ends."""
    made: list[Gate] = []

    def put(module, name):
        made.append(Gate(getattr(module, name)))
        monkeypatch.setattr(module, name, made[-1])
        return made[-1]

    yield put
    for each in made:
        each.opened.set()


@pytest.mark.parametrize("how", ["run_once", "run_continuously"])
def test_an_order_during_a_reset_is_refused_and_nothing_outlives_the_reset(platform, gate, how):
    orchestration_id = o.ready(platform, o.program(FOR_EVER))
    scheduled = o.begun(platform, orchestration_id, "run_scheduled", schedule="* * * * *")
    pid = int(
        o.log(
            platform, o.wait_for_line(platform, o.begun(platform, orchestration_id, how), "running")
        )[0].split()[3]
    )
    cleared = gate(control, "_reset")
    headers = platform.headers()
    answers = []
    resetting = threading.Thread(
        target=lambda: answers.append(
            platform.http.post("/_sandbox/reset", json={"seed": "empty"}, headers=headers)
        )
    )
    resetting.start()
    assert cleared.reached.wait(o.LIMIT_S)
    assert not is_running(pid)
    refused = o.order(platform, orchestration_id, how)
    assert (refused.status_code, refused.json()["code"]) == (409, 409)
    assert o.upload(platform, o.program("1")).status_code == 409
    platform.clock.now += 60
    o.look(platform)
    o.automation(platform).begin(scheduled)
    assert o.automation(platform)._jobs == {}
    cleared.opened.set()
    resetting.join(o.LIMIT_S)
    assert [answer.status_code for answer in answers] == [200]
    assert o.automation(platform)._jobs == {}
    # Afterwards all is as ever.
    o.workspace(platform)
    task_id = o.begun(platform, o.ready(platform, o.program("print(1)")))
    assert o.ended(platform, task_id)[0]["status"] == "success"


def test_two_resets_at_once_follow_one_another(platform, gate):
    first = gate(control, "_reset")
    headers, answers = platform.headers(), []

    def reset():
        answer = platform.http.post("/_sandbox/reset", json={"seed": "demo"}, headers=headers)
        answers.append(answer.status_code)

    threads = [threading.Thread(target=reset) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert first.reached.wait(o.LIMIT_S)
    wait_until(
        lambda: o.automation(platform)._standstills == 4, within_s=o.LIMIT_S, what="all are in"
    )
    assert first.calls == 1
    first.opened.set()
    for thread in threads:
        thread.join(o.LIMIT_S)
    assert answers == [200] * 4


def test_an_order_taken_too_late_to_be_refused_is_begun_after_the_standstill(platform):
    orchestration_id = o.ready(platform, o.program("print('late')"))
    automation = o.automation(platform)
    ids = []

    async def order_inside() -> None:
        async with automation.standstill():
            automation._standstills = 0
            automation.check_room()
            automation._standstills = 1
            found = platform.sandbox.store.orchestrations.get(orchestration_id)
            row = platform.sandbox.store.tasks.add(
                {
                    "orchestration_id": orchestration_id,
                    "orchestration_sha": found["sha"],
                    "kind": words.ONESHOT,
                    "owner_id": found["owner_id"],
                    "workspace_id": 1,
                },
                {},
            )
            automation._begin(row["id"])
            assert automation._jobs == {}
            ids.append(row["id"])

    platform.http.portal.call(order_inside)
    (run,) = o.ended(platform, ids[0])
    assert o.log(platform, run) == ["stdout F late"]


class Kept:
    """Takes the lines of a run in place of the store."""

    def __init__(self):
        self.writes: list[list[str]] = []

    def add_lines(self, _run_id, lines, *, kept_bytes):  # noqa: ARG002  # as the store has it
        self.writes.append(lines)


@pytest.mark.parametrize("text", [b"\n", b"y\n", b"x" * 100 + b"\n"])
def test_a_flood_of_lines_lets_others_have_their_turn_and_is_written_in_small_parts(text):
    kept, limits, turns = Kept(), Limits(), [0]
    count = 2_000_000 // (len(text) + 30)

    async def flood() -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(text * count)
        stream.feed_eof()
        log = RunLog(kept, "r", clock=lambda: 0.0, limits=limits)  # type: ignore[arg-type]  # in its place
        reading = asyncio.create_task(process._read_lines(stream, "stdout", log.add))
        while not reading.done():
            turns[0] += 1
            await asyncio.sleep(0)
        await reading
        await log.close()

    asyncio.run(flood())
    lines = [line for write in kept.writes for line in write]
    assert len(lines) == count
    assert set(lines) == {f"1970-01-01T00:00:00.000000Z stdout F {text.decode().strip()}"}
    assert turns[0] >= count // process._MOST_LINES
    largest_bytes = max(sum(len(line) + 1 for line in write) for write in kept.writes)
    assert largest_bytes <= limits.log_pending_bytes + 100 * 1024


def test_lines_that_cannot_be_kept_stop_neither_the_program_nor_the_lines_after_them(caplog):
    kept = Kept()
    keep, failures = kept.add_lines, iter(["database or disk is full"])

    def fail_once(run_id, lines, *, kept_bytes):
        for failure in failures:
            raise sqlite3.OperationalError(failure)
        keep(run_id, lines, kept_bytes=kept_bytes)

    async def write() -> None:
        kept.add_lines = fail_once  # type: ignore[method-assign]  # at first
        limits = Limits(log_pending_bytes=1)
        log = RunLog(kept, "r", clock=lambda: 0.0, limits=limits)  # type: ignore[arg-type]  # in its place
        await log.add("stdout", True, ["first"])
        await log.add("stdout", True, ["second"])
        await log.close()

    asyncio.run(write())
    assert [line.split()[-1] for line in kept.writes[0]] == ["second"]
    assert "1 lines of run r cannot be kept: database or disk is full" in caplog.text


def test_a_start_that_is_cancelled_and_fails_counts_as_cancelled(tmp_path, monkeypatch):
    began, go_on = asyncio.Event(), asyncio.Event()

    async def fail(*_command, **_options):
        began.set()
        await go_on.wait()
        raise OSError(errno.EMFILE, "Too many open files")

    async def cut() -> None:
        starting = asyncio.create_task(
            process.GuardedProcess.spawn(
                ["true"], folder=tmp_path, variables={}, on_lines=_ignore, grace_s=0.1
            )
        )
        await began.wait()
        starting.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await starting

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail)
    asyncio.run(cut())


async def _ignore(_stream, _is_whole, _lines) -> None:
    """Take the lines of a process that writes none."""


def test_a_reader_that_is_cancelled_during_a_write_leaves_the_lines_in_order():
    kept = Kept()
    began, go_on = threading.Event(), threading.Event()

    def slowly(_run_id, lines, *, kept_bytes):  # as the store has it
        began.set()
        assert go_on.wait(o.LIMIT_S)
        kept.writes.append(lines)

    async def cut() -> None:
        kept.add_lines = slowly  # type: ignore[method-assign]  # held back
        limits = Limits(log_pending_bytes=1)
        log = RunLog(kept, "r", clock=lambda: 0.0, limits=limits)  # type: ignore[arg-type]  # in its place
        adding = asyncio.create_task(log.add("stdout", True, ["first"]))
        await asyncio.to_thread(began.wait, o.LIMIT_S)
        adding.cancel()
        await asyncio.gather(adding, return_exceptions=True)
        closing = asyncio.create_task(log.add("stdout", True, ["second"]))
        await asyncio.sleep(0)
        go_on.set()
        await closing
        await log.close()

    asyncio.run(cut())
    assert [line[-6:].strip() for write in kept.writes for line in write] == ["first", "second"]


@pytest.mark.parametrize(
    "line",
    ['x ; os_name ~= "posix"', 'x ; python_version ~= "a"', "x" + "(" * 5000, "packaging ~= 1"],
)
def test_a_requirement_that_nobody_understands_is_left_to_pip(line):
    assert not packages._is_here(line)


def damaged(method: int, *, name: str = "data") -> bytes:
    """Return an archive whose `data` is no stream of its method, or whose name is no text."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", method) as packed:
        packed.writestr("main.py", b"", zipfile.ZIP_STORED)
        packed.writestr(name, b"many bytes " * 50)
    content = bytearray(target.getvalue())
    start = content.index(name.encode(), content.index(b"main.py"))
    if name.isascii():
        # After the name: the header of the stream, and the stream.
        content[start + len(name) + 4 : start + len(name) + 24] = b"\xff" * 20
    else:
        content[start : start + 1] = b"\xff"
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        damaged(zipfile.ZIP_LZMA),
        damaged(zipfile.ZIP_BZIP2),
        damaged(zipfile.ZIP_DEFLATED),
        damaged(zipfile.ZIP_STORED, name="größe"),
    ],
    ids=["lzma", "bzip2", "deflate", "name"],
)
def test_a_damaged_archive_cannot_be_unpacked_and_says_so(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(BadArchive):
        archive.unpack(path, tmp_path / "target")


@pytest.mark.parametrize("kind", [UnicodeDecodeError, MemoryError])
def test_whatever_goes_wrong_in_a_packaging_it_ends_as_an_error(
    platform, monkeypatch, caplog, kind
):
    # Put together, for a traceback quotes the lines of the program.
    secret = "-".join(["planted", "secret"])

    def fail(*_):
        more = (secret,) if kind is MemoryError else ("utf-8", secret.encode(), 0, 1, secret)
        raise kind(*more)

    monkeypatch.setattr(packages, "all_here", fail)
    content = o.program("1", **{"requirements.txt": "x\n"})
    orchestration_id = o.upload(platform, content).json()["id"]
    wait_until(
        lambda: o.status(platform, orchestration_id) == "error", within_s=o.LIMIT_S, what="it fails"
    )
    found = platform.post("orchestration/get_by_id", {"id": orchestration_id}).json()
    (run,) = o.ended(platform, found["task_id"])
    assert (run["status"], kind.__name__ in o.log(platform, run)[-1]) == ("failure", True)
    assert kind.__name__ in caplog.text
    assert secret not in caplog.text


def test_a_kill_during_the_clean_up_waits_for_its_end(platform, gate):
    orchestration_id = o.ready(platform, o.program("print(1)"))
    removing = gate(home, "remove")
    task_id = o.begun(platform, orchestration_id)
    assert removing.reached.wait(o.LIMIT_S)
    assert platform.post("task/kill", {"id": task_id}).status_code == 202
    removing.opened.set()
    wait_until(
        lambda: o.task(platform, task_id)["status"] == "killed", within_s=o.LIMIT_S, what="killed"
    )
    assert [run["status"] for run in o.runs(platform, task_id)] == ["success"]
    assert list((platform.sandbox.config.data_dir / "task-runs").iterdir()) == []


def test_a_pause_does_not_undo_a_kill_that_came_in_between(platform, monkeypatch):
    orchestration_id = o.ready(platform, o.program("print(1)"))
    task_id = o.begun(platform, orchestration_id, "run_scheduled", schedule="* * * * *")
    store = platform.sandbox.store.tasks
    pause = store.pause

    def pause_late(*args, **options):
        store.set_status(task_id, words.KILLED)
        return pause(*args, **options)

    monkeypatch.setattr(store, "pause", pause_late)
    answer = platform.post("task/pause", {"id": task_id, "pause": False})
    assert (answer.status_code, answer.json()["msg"]) == (400, "id: the task is killed")
    assert o.task(platform, task_id)["status"] == "killed"
