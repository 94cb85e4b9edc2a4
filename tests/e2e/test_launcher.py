import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from dashboard.settings import PREFIX, PROJECT_ROOT
from tests.support.launcher import (
    environment,
    listening_addresses,
    process_tree,
    running_dashboard,
)
from tests.support.waiting import is_running, wait_until

#: 127.0.0.1 and ::1 as the kernel's tables write them.
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


def contrary_home(folder):
    """Make a home whose own Streamlit settings want the opposite of ours."""
    (folder / ".streamlit").mkdir(parents=True)
    (folder / ".streamlit" / "config.toml").write_text(
        '[server]\naddress = "0.0.0.0"\nallowedHosts = ["*"]\n'
        '[client]\nshowErrorDetails = "full"\ntoolbarMode = "developer"\n'
        '[browser]\ngatherUsageStats = true\n[theme.light]\nprimaryColor = "#ff0000"\n'
    )
    return folder


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory):
    """A dashboard started from `/`, by somebody whose own settings want something else."""
    home = contrary_home(tmp_path_factory.mktemp("home-of-another"))
    contrary = {
        "HOME": str(home),
        "STREAMLIT_SERVER_ADDRESS": "0.0.0.0",  # noqa: S104 - what must have no effect
        "STREAMLIT_SERVER_PORT": "1",
        "STREAMLIT_CLIENT_SHOW_ERROR_DETAILS": "full",
    }
    data_dir = tmp_path_factory.mktemp("data")
    with running_dashboard(data_dir, cwd=Path("/"), env=contrary, sandbox_seed="empty") as running:
        yield running


def ready(url):
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz", timeout=60).status_code == 200
    return False


def new_session(url):
    """Open a session as a browser does and return the first thing it is told."""
    address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
    with connect(address, subprotocols=["streamlit"], origin=url, max_size=None) as stream:  # type: ignore[list-item]  # a text will do
        message = BackMsg()
        message.rerun_script.query_string = ""
        stream.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(stream.recv(timeout=60))
            if answer.HasField("new_session"):
                return answer.new_session


def await_sandbox(dashboard):
    """Wait until two processes listen, and return where."""

    def listening():
        return listening_addresses(process_tree(dashboard.process.pid))

    wait_until(lambda: len(listening()) >= 2, within_s=60, what="the sandbox listens too")
    return listening()


def test_nothing_of_it_listens_beyond_this_machine(dashboard):
    listening = await_sandbox(dashboard)
    assert ("0100007F", dashboard.port) in listening
    assert {host for host, _ in listening} <= LOOPBACK


def test_our_options_and_theme_hold_from_another_folder(dashboard):
    session = new_session(dashboard.url)
    assert not session.config.gather_usage_stats
    assert session.config.toolbar_mode == session.config.ToolbarMode.VIEWER
    shown = str(session.custom_theme)
    assert "#0B5F6F" in shown, "the light theme"
    assert "#63BFD0" in shown, "the dark theme"
    assert "#11292F" in shown, "the rail"
    assert "#ff0000" not in shown


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
    ],
)
def test_a_session_opens_for_our_own_page_alone(dashboard, headers, status):
    own = f"127.0.0.1:{dashboard.port}"
    request = {
        "Host": own,
        "Origin": f"http://{own}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "streamlit",
        **headers,
    }
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.port, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("GET", "/_stcore/stream", skip_host=True)
        for name, value in request.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == status


@pytest.mark.parametrize("path", ["/", "/connections", "/readyz", "/_stcore/health"])
def test_every_answer_carries_the_headers(dashboard, path):
    answer = httpx.get(dashboard.url + path, timeout=60)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"


def test_it_becomes_ready_without_anybody_opening_a_page(dashboard):
    wait_until(lambda: ready(dashboard.url), within_s=90, what="the platform answers")


def test_it_says_once_where_it_is_and_tells_no_password(dashboard):
    await_sandbox(dashboard)
    account = json.loads((dashboard.data_dir / "sandbox" / "credentials.json").read_text())
    log = (dashboard.data_dir / "logs" / "dashboard.log").read_text()
    said = "".join(dashboard.output)
    assert f"listens on port {dashboard.port}" in log
    assert said.startswith(f"The dashboard is at {dashboard.url} ")
    assert said.count(dashboard.url) == 1
    assert account["password"] not in log + said


#: Shells whose program finds no terminal, or a disk on which nothing more can be written.
WITHOUT_TERMINAL = ("sh", "-c", 'exec "$0" "$@" >&- 2>&-')
ON_A_FULL_DISK = ("sh", "-c", 'ulimit -f 0; exec "$0" "$@"')


def refused(*, cwd="/", shell=(), **settings):
    """Start it by its path, expect it to refuse, and return what it says."""
    data_dir = settings.pop("data_dir")
    env = environment(data_dir, **settings)
    del env["PYTHONPATH"]
    done = subprocess.run(
        [*shell, sys.executable, str(PROJECT_ROOT / "dashboard")],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        timeout=90,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, "one sentence"
    return done.stderr


def test_a_busy_port_is_one_clear_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(data_dir=tmp_path, port=port)
    assert f"Port {port} is in use" in said
    assert "PORT=" in said


def test_a_wrong_setting_is_one_clear_sentence(tmp_path):
    said = refused(data_dir=tmp_path, sandbox_seed="everything")
    assert PREFIX + "SANDBOX_SEED" in said
    assert "demo, empty" in said


def test_a_data_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").touch()
    said = refused(data_dir=tmp_path / "file" / "below")
    assert PREFIX + "DATA_DIR" in said


def test_a_full_disk_is_one_clear_sentence(tmp_path):
    said = refused(data_dir=tmp_path, shell=ON_A_FULL_DISK)
    assert PREFIX + "DATA_DIR" in said


def test_a_damaged_key_is_one_clear_sentence(tmp_path):
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "store.key").write_text("not a key")
    said = refused(data_dir=tmp_path)
    assert "store.key" in said
    assert "base64" in said


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_nothing_is_left_behind(tmp_path, sign):
    with running_dashboard(tmp_path, sandbox_seed="empty") as running:
        await_sandbox(running)
        tree = process_tree(running.process.pid)
        os.kill(running.process.pid, sign)
        running.process.wait(30)
        wait_until(
            lambda: not any(is_running(pid) for pid in tree), within_s=10, what="all have ended"
        )


@contextlib.contextmanager
def started(data_dir, *, shell=()):
    """Start it without waiting for its address, which not everybody hears."""
    with subprocess.Popen(
        [*shell, sys.executable, str(PROJECT_ROOT / "dashboard")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(data_dir, sandbox_seed="empty"),
        process_group=0,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_during_the_start_ends_it_without_a_traceback(tmp_path):
    with started(tmp_path) as process:
        log = tmp_path / "logs" / "dashboard.log"
        wait_until(log.exists, within_s=60, what="it has begun")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode in {0, 130}
    assert "Traceback" not in said


def test_impatient_ctrl_c_ends_it_without_a_traceback(tmp_path):
    with running_dashboard(tmp_path, sandbox_seed="empty") as running:
        await_sandbox(running)
        tree = process_tree(running.process.pid)
        for _ in range(6):
            running.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(0.05)
        running.process.wait(60)
        wait_until(
            lambda: not any(is_running(pid) for pid in tree), within_s=20, what="all have ended"
        )
    assert "Traceback" not in "".join(running.output)


def test_without_a_terminal_it_starts_and_stops_as_ever(tmp_path):
    with started(tmp_path, shell=WITHOUT_TERMINAL) as process:
        log = tmp_path / "logs" / "dashboard.log"
        wait_until(
            lambda: log.exists() and "listens on port" in log.read_text(),
            within_s=90,
            what="it listens",
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
