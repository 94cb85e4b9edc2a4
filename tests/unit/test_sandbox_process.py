import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest

from dashboard import sandbox_process
from dashboard.errors import PlatformUnreachable
from dashboard.masking import Secret
from dashboard.sandbox_process import KEY_VARIABLE, SandboxProcess, SandboxState
from dashboard.settings import PROJECT_ROOT
from tests.support.waiting import is_running, wait_until

FAKE = PROJECT_ROOT / "tests" / "support" / "fake_sandbox.py"


@pytest.fixture
def interpreter(tmp_path):
    """Make an "interpreter" that runs the stand-in with one behaviour."""

    def make(behaviour):
        path = tmp_path / f"python-{behaviour}"
        command = shlex.join([sys.executable, "-I", "-S", str(FAKE), behaviour])
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        path.chmod(0o700)
        return str(path)

    return make


@pytest.fixture
def sandbox(tmp_path, interpreter):
    """Make sandbox processes that are stopped at the end."""
    made = []

    def make(behaviour="ready", **options):
        options = {"python": interpreter(behaviour), **options}
        made.append(SandboxProcess(tmp_path / "data", **options))
        return made[-1]

    yield make
    for process in made:
        process.stop()


def kill(process):
    pid = process.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: process.pid != pid, within_s=5, what="the death is noticed")


def test_a_started_sandbox_has_an_address_and_an_account(sandbox):
    process = sandbox()
    process.start()
    assert process.is_alive()
    assert process.state is SandboxState.UP
    assert process.url == "http://127.0.0.1:4321"
    assert process.down_since is None
    account = process.account()
    assert (account.base_url, account.username) == (process.url, "me")
    assert account.password.reveal() == "pass-of-the-sandbox"


def test_it_gets_its_flags_and_no_setting_of_ours(sandbox, tmp_path, monkeypatch):
    monkeypatch.setenv("WALLAROO_DASHBOARD_PASSWORD", "of-the-instance")
    process = sandbox(seed="empty", wait_ms=250, startup_s=1.5, key=Secret("a-key-in-base64"))
    process.start()
    seen = json.loads((tmp_path / "data" / "seen.json").read_text())
    assert seen["arguments"] == [
        *("-m", "dashboard.sandbox", "--host", "127.0.0.1", "--port", "0"),
        *("--data-dir", str(tmp_path / "data"), "--seed", "empty"),
        *("--wait-ms", "250", "--startup-s", "1.5", "--exit-with-parent"),
    ]
    assert seen["environment"][KEY_VARIABLE] == "a-key-in-base64"
    assert "of-the-instance" not in str(seen["environment"])


def test_stop_ends_it_and_is_no_failure(sandbox):
    process = sandbox()
    process.start()
    pid = process.pid
    process.stop()
    assert not is_running(pid)
    assert process.state is SandboxState.STOPPED
    assert process.down_since is None
    assert not process.is_alive()
    process.stop()


def test_one_that_does_not_listen_is_ended_by_force(sandbox, monkeypatch):
    monkeypatch.setattr(sandbox_process, "_POLITE_END_S", 0.1)
    process = sandbox("stubborn")
    process.start()
    pid = process.pid
    process.stop()
    assert not is_running(pid)


def test_starting_twice_keeps_the_process(sandbox):
    process = sandbox()
    process.start()
    pid = process.pid
    process.start()
    assert process.pid == pid


def test_two_threads_that_start_it_get_one_process(sandbox):
    process = sandbox()
    threads = [threading.Thread(target=process.start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert process.is_alive()


def test_it_outlives_the_thread_that_started_it(sandbox):
    process = sandbox()
    thread = threading.Thread(target=process.start)
    thread.start()
    thread.join(10)
    assert process.is_alive()


def test_a_refusal_to_start_is_told_in_its_own_words_without_secrets(sandbox):
    process = sandbox("refuses")
    with pytest.raises(PlatformUnreachable) as caught:
        process.start()
    assert "is missing" in caught.value.message
    assert "pw@host" not in caught.value.message
    assert "later words" not in caught.value.message
    assert process.state is SandboxState.DOWN
    assert process.down_since is not None


def test_an_interpreter_that_is_missing_is_a_failed_start(sandbox, tmp_path):
    process = sandbox(python=str(tmp_path / "absent"))
    with pytest.raises(PlatformUnreachable):
        process.start()
    assert process.state is SandboxState.DOWN


def test_a_folder_that_cannot_be_made_is_a_failed_start(interpreter, tmp_path):
    (tmp_path / "file").touch()
    process = SandboxProcess(tmp_path / "file" / "below", python=interpreter("ready"))
    with pytest.raises(PlatformUnreachable, match="Not a directory"):
        process.start()
    assert process.state is SandboxState.DOWN


def test_one_that_stays_silent_is_given_up_and_ended(sandbox, monkeypatch):
    monkeypatch.setattr(sandbox_process, "_READY_AT_LATEST_S", 0.2)
    process = sandbox("silent")
    with pytest.raises(PlatformUnreachable, match="in time"):
        process.start()
    assert process.pid is None
    assert process.state is SandboxState.DOWN


def test_stop_does_not_wait_for_a_start_under_way(sandbox):
    process = sandbox("silent")
    failures = []

    def start():
        try:
            process.start()
        except PlatformUnreachable as exc:
            failures.append(exc)

    thread = threading.Thread(target=start)
    thread.start()
    wait_until(lambda: process.pid, within_s=5, what="the process is there")
    pid = process.pid
    began = time.monotonic()
    process.stop()
    assert time.monotonic() - began < 4
    assert not is_running(pid)
    thread.join(5)
    assert len(failures) == 1
    assert process.state is SandboxState.STOPPED


def test_a_sandbox_that_dies_is_restarted_once(sandbox):
    process = sandbox()
    process.start()
    first = process.pid
    kill(process)
    wait_until(process.is_alive, within_s=5, what="it is up again")
    assert process.pid != first
    assert process.down_since is None


def test_a_second_death_within_a_minute_leaves_it_down_until_somebody_starts_it(sandbox):
    process = sandbox()
    process.start()
    kill(process)
    wait_until(process.is_alive, within_s=5, what="it is up again")
    kill(process)
    wait_until(lambda: process.state is SandboxState.DOWN, within_s=5, what="it is down")
    assert process.down_since is not None
    assert not process.is_alive()
    process.start_again()
    assert process.is_alive()
    assert process.down_since is None


def test_a_death_long_after_the_last_is_mended_again(sandbox, monkeypatch):
    process = sandbox()
    process.start()
    kill(process)
    wait_until(process.is_alive, within_s=5, what="it is up again")
    monkeypatch.setattr(sandbox_process, "_STEADY_S", 0.0)
    kill(process)
    wait_until(process.is_alive, within_s=5, what="it is up once more")


def test_every_change_is_told_and_a_failing_listener_does_no_harm(sandbox):
    states = []

    def listen():
        states.append(process.state)
        raise RuntimeError("a listener's own fault")

    process = sandbox(on_change=listen)
    process.start()
    process.stop()
    assert states == [SandboxState.STARTING, SandboxState.UP, SandboxState.STOPPED]


def test_the_account_is_unknown_before_the_first_start(sandbox):
    with pytest.raises(PlatformUnreachable):
        sandbox().account()


def test_it_ends_with_a_parent_that_was_killed(tmp_path, interpreter):
    arguments = [str(tmp_path / "data"), interpreter("ready")]
    script = (
        "import sys, time; from pathlib import Path\n"
        "from dashboard.sandbox_process import SandboxProcess\n"
        "process = SandboxProcess(Path(sys.argv[1]), python=sys.argv[2])\n"
        "process.start(); print(process.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    wait_until(lambda: not is_running(pid), within_s=2, what="the sandbox follows its parent")
