"""Orchestrations and tasks over REST, with real processes and a clock to turn."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dashboard.sandbox.automation import home, packages, service
from dashboard.sandbox.automation.limits import Limits
from tests.sandbox import orchestrating as o
from tests.sandbox.archives import packed
from tests.sandbox.conftest import open_platform
from tests.support.waiting import is_running, wait_until

QUICK = Limits(tick_s=0.02, pauses_s=(0.05,), stop_grace_s=0.3, running=3, kept_runs=4)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A platform whose tasks are looked after without long pauses, with one workspace."""
    monkeypatch.setattr(service, "Limits", lambda: QUICK)
    with open_platform(tmp_path / "data", "empty") as opened:
        o.workspace(opened)
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A platform for what changes nothing, with a workspace and an orchestration that is ready."""
    with pytest.MonkeyPatch.context() as patch:
        # As for every test: the passwords of this platform are checked in them.
        patch.setattr("dashboard.sandbox.auth._SCRYPT", {"n": 2, "r": 8, "p": 1})
        with open_platform(tmp_path_factory.mktemp("shared") / "data", "empty") as opened:
            o.workspace(opened)
            o.ready(opened, o.program("print(1)"))
            yield opened


def kept(platform) -> list[str]:
    """Return the ids of the orchestrations that have a folder."""
    folder = platform.sandbox.config.data_dir / "orchestrations"
    return [path.name for path in folder.iterdir()]


def only_orchestration(platform) -> str:
    """Return the id of the one orchestration."""
    (found,) = platform.post("orchestration/list", {"workspace_id": 1}).json()
    return str(found["id"])


def test_an_upload_is_packaged_and_looks_the_same_everywhere(empty):
    archive = o.program("print(1)")
    orchestration_id = o.ready(empty, archive)
    found = empty.post("orchestration/get_by_id", {"id": orchestration_id}).json()
    assert (found["name"], found["file_name"], found["workspace_id"]) == ("o", "program.zip", 1)
    assert found["file_size"] == len(archive)
    assert empty.post("orchestration/list", {"workspace_id": 1}).json() == [found]
    listed = empty.post("orchestration/list_all", {"workspace_ids": [], "task_run_status": []})
    (item,) = listed.json()["orchestrations"]
    assert item["orchestration"] == found
    assert (item["workspace"]["name"], item["tasks"]) == ("automation", [])
    query = (
        "query($id: uuid!) { orchestration_by_pk(id: $id) { id sha status workspace { name } } }"
    )
    answer = empty.graphql(query, id=orchestration_id)["data"]["orchestration_by_pk"]
    assert answer == {
        "id": orchestration_id,
        "sha": found["sha"],
        "status": "ready",
        "workspace": {"name": "automation"},
    }
    downloaded = empty.http.get(
        f"/v1/api/orchestration/download?id={orchestration_id}", headers=empty.headers()
    )
    assert downloaded.content == archive
    packaging = empty.post("task/list_task_runs", {"task_id": found["task_id"]}).json()
    assert [run["status"] for run in packaging] == ["success"]
    assert empty.post("task/list", {"workspace_id": 1}).json() == []


def test_the_upload_of_the_documentation_names_a_file_for_its_metadata_too(empty):
    metadata = '{"workspace_id": 1,"name": "apiorchestrationsample"}'
    answer = empty.http.post(
        "/v1/api/orchestration/upload",
        files=[
            ("file", ("api.zip", o.program("1"), "application/octet-stream")),
            ("metadata", ("metadata", metadata, "application/json")),
        ],
        headers=empty.headers(),
    )
    assert answer.status_code == 202
    (found,) = empty.post("orchestration/list", {"workspace_id": 1}).json()
    assert (found["id"], found["name"]) == (answer.json()["id"], "apiorchestrationsample")


def linked() -> bytes:
    """Return an archive whose `main.py` is a link."""
    entry = zipfile.ZipInfo("main.py")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return target.getvalue()


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (b"no zip", "not a zip"),
        (b"", "not a zip"),
        (packed({}), "no files"),
        (packed({"other.py": b""}), "no main.py"),
        (packed({"main.py": b"", "../x.py": b""}), "outside itself"),
        (packed({"main.py": b"", "/x.py": b""}), "outside itself"),
        (linked(), "outside itself"),
        (
            packed({"main.py": b"", "requirements.txt": b"", "a/requirements.txt": b""}),
            "more than one requirements.txt",
        ),
    ],
)
def test_an_archive_that_cannot_be_run_is_refused_and_leaves_nothing(shared, archive, why):
    answer = o.upload(shared, archive)
    assert answer.status_code == 400
    assert why in answer.json()["msg"]
    assert kept(shared) == [only_orchestration(shared)]


def test_a_bomb_is_refused_by_what_it_says_and_cannot_say_less(empty, monkeypatch):
    monkeypatch.setattr("dashboard.sandbox.automation.archive._LARGEST_UNPACKED_BYTES", 10_000)
    bomb = packed({"main.py": b"", "zeros": b"\0" * 20_000})
    assert "unpacks to more" in o.upload(empty, bomb).json()["msg"]
    lying = bomb.replace((20_000).to_bytes(4, "little"), (9_000).to_bytes(4, "little"))
    orchestration_id = o.upload(empty, lying).json()["id"]
    wait_until(
        lambda: o.status(empty, orchestration_id) == "error", within_s=o.LIMIT_S, what="it fails"
    )
    assert "not ready: error" in o.order(empty, orchestration_id).json()["msg"]


def test_a_large_upload_is_refused_before_it_is_read(empty, monkeypatch):
    monkeypatch.setattr("dashboard.sandbox.routes.orchestrations.LARGEST_ARCHIVE_BYTES", 3 << 20)
    answer = o.upload(empty, os.urandom(4 << 20))
    assert (answer.status_code, answer.json()["msg"]) == (400, "file: is larger than 3 MiB")


def test_a_run_finds_its_files_its_arguments_and_a_home_of_its_own(empty):
    text = (
        "import os, json, sys, pathlib\n"
        "print(open('data/greeting.txt').read(), __name__, sys.argv[1:])\n"
        "print(json.load(open('/home/jovyan/arguments.json')))\n"
        "print(pathlib.Path('/home/jovyan/arguments.json').read_text())\n"
        "pathlib.Path('/home/jovyan/new.txt').open('w').write('x')\n"
        "print(sorted(os.listdir(os.environ['HOME'])))\n"
        "print(oct(os.stat('arguments.json').st_mode)[-3:], os.environ['TASK_DEBUG'])\n"
        "import helper\n"
        "print('to stderr', file=sys.stderr)\n"
    )
    archive = o.program(text, **{"data/greeting.txt": "hello", "helper.py": "print('helped')"})
    arguments = {"pipeline_name": "p", "größe": [1, 2.5, None]}
    task_id = o.begun(empty, o.ready(empty, archive), json=arguments, debug=True)
    (run,) = o.ended(empty, task_id)
    lines = o.log(empty, run)
    assert run["status"] == "success", lines
    files = ["arguments.json", "data", "helper.py", "main.py", "new.txt"]
    assert [line for line in lines if line.startswith("stdout")] == [
        "stdout F hello __main__ []",
        f"stdout F {arguments}",
        f"stdout F {json.dumps(arguments)}",
        f"stdout F {['.cache', '.tmp', *files]}",
        "stdout F 600 true",
        "stdout F helped",
    ]
    assert "stderr F to stderr" in lines
    assert o.log(empty, run, lines=1) == lines[-1:]
    assert o.log(empty, run, lines=0) == []
    assert list((empty.sandbox.config.data_dir / "task-runs").iterdir()) == []
    found = o.task(empty, task_id)
    assert (found["status"], found["killed"], found["run_type"]) == ("started", False, "Oneshot")
    assert (found["input_data"], found["last_runs"][0]["run_id"]) == (arguments, run["run_id"])


def test_a_program_in_a_folder_runs_beside_its_files(empty):
    archive = packed({"job/main.py": b"print(open('x.txt').read())", "job/x.txt": b"found"})
    (run,) = o.ended(empty, o.begun(empty, o.ready(empty, archive)))
    assert o.log(empty, run) == ["stdout F found"]


def test_a_run_inherits_no_secret_of_the_sandbox(empty, monkeypatch):
    monkeypatch.setenv("PLANTED_SECRET", "planted")
    monkeypatch.setenv("WALLAROO_SANDBOX_KEY", "planted")
    monkeypatch.setenv("HTTPS_PROXY", "http://name:planted@proxy.example")
    text = (
        "import os\nprint(dict(os.environ))\nprint(sorted(map(int, os.listdir('/proc/self/fd'))))"
    )
    (run,) = o.ended(empty, o.begun(empty, o.ready(empty, o.program(text))))
    variables, files = o.log(empty, run)
    assert "planted" not in variables
    assert "'WALLAROO_SDK_AUTH_TYPE': 'orch'" in variables
    # The three streams and the listing itself.
    assert files == "stdout F [0, 1, 2, 3]"


def test_arguments_and_logs_are_sealed_at_rest(empty):
    secret = "planted-in-arguments"  # noqa: S105  # a test's
    text = "import json\nprint(json.load(open('/home/jovyan/arguments.json')))"
    (run,) = o.ended(
        empty, o.begun(empty, o.ready(empty, o.program(text)), json={"password": secret})
    )
    assert secret in o.log(empty, run)[0]
    for path in empty.sandbox.config.data_dir.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_a_failing_program_is_a_failure_with_its_own_traceback(empty):
    text = "def work():\n    raise ValueError('boom')\nprint('before')\nwork()"
    (run,) = o.ended(empty, o.begun(empty, o.ready(empty, o.program(text))))
    lines = o.log(empty, run)
    assert run["status"] == "failure"
    assert "stderr F ValueError: boom" in lines
    assert [line for line in lines if "launcher" in line or "runpy" in line] == []


@pytest.mark.parametrize("text", ["import sys; sys.exit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_an_exit_status_that_is_not_0_is_a_failure(empty, text):
    (run,) = o.ended(empty, o.begun(empty, o.ready(empty, o.program(text))))
    assert run["status"] == "failure"


def test_a_run_that_takes_too_long_is_ended_with_all_it_started(empty):
    text = (
        "import subprocess, time, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "group = subprocess.Popen(['sleep', '600'])\n"
        "escaped = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "print(group.pid, escaped.pid)\n"
        "time.sleep(600)\n"
    )
    task_id = o.begun(empty, o.ready(empty, o.program(text)), timeout=3)
    (run,) = o.ended(empty, task_id)
    started, why = o.log(empty, run)
    assert (run["status"], why) == (
        "timed_out",
        "stderr F The run was ended: it took longer than 3 s.",
    )
    assert not any(is_running(int(pid)) for pid in started.split()[2:])
    assert o.task(empty, task_id)["reap_threshold_secs"] == 3


def test_what_a_program_leaves_behind_ends_with_it(empty):
    text = (
        "import subprocess\nprint(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
    )
    (run,) = o.ended(empty, o.begun(empty, o.ready(empty, o.program(text))))
    (line,) = o.log(empty, run)
    assert run["status"] == "success"
    assert not is_running(int(line.split()[2]))


FOR_EVER = "import os, time\nprint('running', os.getpid())\ntime.sleep(600)"


def test_a_killed_task_ends_its_run_and_leaves_the_list(empty):
    task_id = o.begun(empty, o.ready(empty, o.program(FOR_EVER)))
    run = o.wait_for_line(empty, task_id, "running")
    pid = int(o.log(empty, run)[0].split()[3])
    answer = empty.post("task/kill", {"id": task_id})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending_kill")
    wait_until(
        lambda: o.task(empty, task_id)["status"] == "killed", within_s=o.LIMIT_S, what="it is over"
    )
    assert not is_running(pid)
    assert [each["status"] for each in o.runs(empty, task_id)] == ["killed"]
    assert o.task(empty, task_id)["killed"]
    assert empty.post("task/list", {"workspace_id": 1}).json() == []
    (listed,) = empty.post("task/list", {"workspace_id": 1, "killed": True}).json()
    assert listed["id"] == task_id
    assert empty.post("task/kill", {"id": task_id}).json()["status"] == "killed"


def test_a_task_killed_while_its_home_is_made_leaves_none(empty, monkeypatch):
    making, go_on = threading.Event(), threading.Event()

    def furnish(*args: Any, **options: Any) -> None:
        making.set()
        go_on.wait(o.LIMIT_S)
        really(*args, **options)

    really = home.furnish
    monkeypatch.setattr(home, "furnish", furnish)
    task_id = o.begun(empty, o.ready(empty, o.program("print(1)")))
    assert making.wait(o.LIMIT_S)
    empty.post("task/kill", {"id": task_id})
    go_on.set()
    wait_until(
        lambda: o.task(empty, task_id)["status"] == "killed", within_s=o.LIMIT_S, what="it is over"
    )
    assert list((empty.sandbox.config.data_dir / "task-runs").iterdir()) == []


def test_only_so_many_run_at_once_and_a_waiting_one_can_be_killed(empty):
    orchestration_id = o.ready(empty, o.program(FOR_EVER))
    first = [o.begun(empty, orchestration_id) for _ in range(QUICK.running)]
    for task_id in first:
        o.wait_for_line(empty, task_id, "running")
    waiting, killed = o.begun(empty, orchestration_id), o.begun(empty, orchestration_id)
    assert (o.task(empty, waiting)["status"], o.runs(empty, waiting)) == ("pending", [])
    empty.post("task/kill", {"id": killed})
    wait_until(
        lambda: o.task(empty, killed)["status"] == "killed", within_s=o.LIMIT_S, what="it is over"
    )
    assert o.runs(empty, killed) == []
    empty.post("task/kill", {"id": first[0]})
    o.wait_for_line(empty, waiting, "running")
    assert o.task(empty, waiting)["status"] == "started"


def test_too_many_waiting_tasks_are_refused(empty, monkeypatch):
    automation = o.automation(empty)
    monkeypatch.setattr(automation, "limits", Limits(running=1, waiting=0))
    orchestration_id = o.ready(empty, o.program(FOR_EVER))
    o.begun(empty, orchestration_id)
    refused = o.order(empty, orchestration_id)
    assert (refused.status_code, "waiting to run" in refused.json()["msg"]) == (400, True)


def test_a_continuous_task_runs_again_until_it_is_killed(empty):
    task_id = o.begun(empty, o.ready(empty, o.program("print('once more')")), "run_continuously")
    o.ended(empty, task_id, count=3)
    assert o.task(empty, task_id)["run_type"] == "NetworkService"
    empty.post("task/kill", {"id": task_id})
    wait_until(
        lambda: o.task(empty, task_id)["status"] == "killed", within_s=o.LIMIT_S, what="it is over"
    )
    # Of all its runs, so many are remembered.
    assert len(o.runs(empty, task_id)) <= QUICK.kept_runs


def test_a_schedule_begins_a_run_with_each_of_its_minutes_and_none_twice(empty):
    empty.clock.now = 1_795_000_020.0 // 600 * 600 + 30
    orchestration_id = o.ready(empty, o.program("print('run')"))
    task_id = o.begun(empty, orchestration_id, "run_scheduled", schedule="*/2 * * * *")
    found = o.task(empty, task_id)
    assert (found["schedule"], found["run_type"]) == ("*/2 * * * *", "CronJob")
    wait_until(
        lambda: o.task(empty, task_id)["status"] == "started", within_s=o.LIMIT_S, what="it starts"
    )

    def turn(seconds: float) -> None:
        empty.clock.now += seconds
        o.look(empty)

    turn(20)
    turn(40)
    assert o.runs(empty, task_id) == []
    turn(40)
    assert len(o.ended(empty, task_id, count=1)) == 1
    turn(10)
    # Due at two of the minutes that were missed: one run makes up for them.
    turn(240)
    assert len(o.ended(empty, task_id, count=2)) == 2


def test_runs_of_a_scheduled_task_never_overlap(empty):
    orchestration_id = o.ready(empty, o.program(FOR_EVER))
    task_id = o.begun(empty, orchestration_id, "run_scheduled", schedule="* * * * *")
    for _ in range(3):
        empty.clock.now += 60
        o.look(empty)
        run = o.wait_for_line(empty, task_id, "running")
    assert [each["run_id"] for each in o.runs(empty, task_id)] == [run["run_id"]]


def test_a_paused_schedule_waits_until_it_is_resumed(empty):
    orchestration_id = o.ready(empty, o.program("print('run')"))
    task_id = o.begun(empty, orchestration_id, "run_scheduled", schedule="* * * * *")
    paused = empty.post("task/pause", {"id": task_id, "pause": True})
    assert (paused.status_code, paused.json()["status"]) == (202, "pending_pause")
    assert o.task(empty, task_id)["status"] == "paused"
    empty.clock.now += 60
    o.look(empty)
    assert o.runs(empty, task_id) == []
    resumed = empty.post("task/pause", {"id": task_id, "pause": False})
    assert resumed.json()["status"] == "pending_resume"
    empty.clock.now += 60
    o.look(empty)
    o.ended(empty, task_id)
    once = o.begun(empty, orchestration_id)
    assert empty.post("task/pause", {"id": once, "pause": True}).status_code == 400


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"schedule": "61 * * * *"}, "schedule: the minute '61'"),
        ({"schedule": "\ud800 * * * *"}, "schedule"),
        ({}, "schedule"),
        ({"schedule": "* * * * *", "timeout": 0}, "timeout"),
        ({"schedule": "* * * * *", "timeout": "1"}, "timeout"),
        ({"schedule": "* * * * *", "json": []}, "json"),
        ({"schedule": "* * * * *", "orch_id": "x"}, "orch_id"),
        ({"schedule": "* * * * *", "workspace_id": 10**30}, "workspace_id"),
        ({"schedule": "* * * * *", "name": "\ud800"}, "name"),
    ],
)
def test_a_wrong_order_is_a_400_that_names_the_field(shared, over, why):
    answer = o.order(shared, only_orchestration(shared), "run_scheduled", **over)
    assert answer.status_code == 400
    assert why in answer.json()["msg"]
    assert shared.post("task/list", {}).json() == []


def test_a_number_that_no_program_could_read_is_refused(shared):
    orchestration_id = only_orchestration(shared)
    body = f'{{"orch_id": "{orchestration_id}", "workspace_id": 1, "json": {{"x": 1e999}}}}'
    answer = shared.http.post("/v1/api/task/run_once", content=body, headers=shared.headers())
    assert (answer.status_code, answer.json()["msg"]) == (400, "json: is not valid JSON")


def test_what_is_in_a_strangers_workspace_does_not_exist(empty):
    orchestration_id = o.ready(empty, o.program("print('mine')"))
    task_id = o.begun(empty, orchestration_id)
    (run,) = o.ended(empty, task_id)
    task_id_of_packaging = empty.post("orchestration/get_by_id", {"id": orchestration_id}).json()
    empty.invite("stranger@example.com")
    stranger: dict[str, Any] = {"as_user": "stranger@example.com"}
    for path, body, status in (
        ("orchestration/get_by_id", {"id": orchestration_id}, 404),
        ("orchestration/list", {"workspace_id": 1}, 403),
        ("orchestration/list_all", {"workspace_ids": [1], "task_run_status": []}, 403),
        ("orchestration/delete_orchestrations", {"orchestrations": [orchestration_id]}, 404),
        ("task/get_by_id", {"id": task_id}, 404),
        ("task/get_by_id", {"id": task_id_of_packaging["task_id"]}, 404),
        ("task/list", {"workspace_id": 1}, 403),
        ("task/kill", {"id": task_id}, 404),
        ("task/pause", {"id": task_id, "pause": True}, 404),
        ("task/list_task_runs", {"task_id": task_id}, 404),
        ("task/get_run_details", {"task": task_id, "pod_id": run["run_id"]}, 404),
        ("task/get_logs_for_run", {"id": run["run_id"]}, 404),
    ):
        assert empty.post(path, body, **stranger).status_code == status, path
    assert o.order(empty, orchestration_id, **stranger).status_code == 403
    theirs = o.workspace(empty, "theirs", **stranger)
    assert o.order(empty, orchestration_id, workspace_id=theirs, **stranger).status_code == 404
    assert o.upload(empty, o.program("1"), **stranger).status_code == 403
    assert empty.post("task/list", {}, **stranger).json() == []
    sha = {"sha": task_id_of_packaging["sha"]}
    assert empty.post("task/get_tasks_by_orch_sha", sha, **stranger).json() == {"ids": []}
    assert empty.post("task/get_tasks_by_orch_sha", sha).json() == {"ids": [task_id]}
    query = "query($id: uuid!) { orchestration_by_pk(id: $id) { id } }"
    seen = empty.graphql(query, id=orchestration_id, **stranger)
    assert seen == {"data": {"orchestration_by_pk": None}}
    download = f"/v1/api/orchestration/download?id={orchestration_id}"
    headers = empty.headers("stranger@example.com")
    assert empty.http.get(download, headers=headers).status_code == 404
    assert empty.http.get(download).status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("orchestration/get_by_id", {"id": o.NOWHERE}),
        ("task/get_by_id", {"id": o.NOWHERE}),
        ("task/list_task_runs", {"task_id": o.NOWHERE}),
        ("task/get_logs_for_run", {"id": o.NOWHERE}),
        ("task/run_once", {"orch_id": o.NOWHERE, "workspace_id": 1, "json": {}}),
    ],
)
def test_what_is_not_there_is_a_404(shared, path, body):
    answer = shared.post(path, body)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)


def test_runs_are_listed_newest_first_by_state_and_by_number(empty):
    text = "import json, sys\nsys.exit(json.load(open('/home/jovyan/arguments.json'))['status'])"
    orchestration_id = o.ready(empty, o.program(text))
    task_id = o.begun(
        empty, orchestration_id, "run_scheduled", schedule="* * * * *", json={"status": 1}
    )
    for count in (1, 2, 3):
        empty.clock.now += 60
        o.look(empty)
        o.ended(empty, task_id, count=count)
    newest_first = o.runs(empty, task_id)
    assert [run["created_at"] for run in newest_first] == sorted(
        (run["created_at"] for run in newest_first), reverse=True
    )
    assert o.runs(empty, task_id, limit=1) == newest_first[:1]
    assert o.runs(empty, task_id, status="failure") == newest_first
    assert o.runs(empty, task_id, status="success") == []
    # The SDK takes the last one of these for the newest.
    shown = [run["run_id"] for run in o.task(empty, task_id)["last_runs"]]
    assert shown == [run["run_id"] for run in reversed(newest_first)]
    one = empty.post("task/get_run_details", {"task": task_id, "pod_id": shown[0]}).json()
    assert one["run_id"] == shown[0]


def test_a_time_range_is_refused_by_name(empty):
    task_id = o.begun(empty, o.ready(empty, o.program("1")))
    for path, body in (
        ("task/list_task_runs", {"task_id": task_id, "time_range": ["2026-01-01T00:00:00Z"]}),
        ("orchestration/list_all", {"workspace_ids": [], "time_range": []}),
    ):
        answer = empty.post(path, body)
        assert (answer.status_code, "time range" in answer.json()["msg"]) == (501, True)


def test_a_log_keeps_the_newest_part_of_what_was_written(empty, monkeypatch):
    automation = o.automation(empty)
    small = Limits(log_bytes=20_000, log_pending_bytes=4_000)
    monkeypatch.setattr(automation._runner, "_limits", small)
    text = "for n in range(5000):\n    print('line', n)\nprint('x' * 100_000)\nprint('the end')"
    (run,) = o.ended(empty, o.begun(empty, o.ready(empty, o.program(text))))
    lines = o.log(empty, run)
    assert lines[-1] == "stdout F the end"
    assert "stdout F line 0" not in lines
    assert sum(map(len, lines)) < 150_000


def test_deleting_needs_the_confirmation_and_ends_the_tasks(empty):
    archive = o.program(FOR_EVER)
    orchestration_id = o.ready(empty, archive)
    task_id = o.begun(empty, orchestration_id)
    pid = int(o.log(empty, o.wait_for_line(empty, task_id, "running"))[0].split()[3])
    body = {"orchestrations": [orchestration_id]}
    freed = {"bytes": len(archive)}
    assert empty.post("orchestration/delete_orchestrations", body).json() == freed
    assert o.status(empty, orchestration_id) == "ready"
    confirmed = body | {"confirm_delete": True}
    assert empty.post("orchestration/delete_orchestrations", confirmed).json() == freed
    wait_until(lambda: not is_running(pid), within_s=o.LIMIT_S, what="the run is over")
    assert empty.post("task/get_by_id", {"id": task_id}).status_code == 404
    assert empty.post("orchestration/get_by_id", {"id": orchestration_id}).status_code == 404
    assert list((empty.sandbox.config.data_dir / "orchestrations").iterdir()) == []


def test_the_token_of_a_run_is_its_owners_and_ends_with_it(empty):
    text = (
        "import os, pathlib, time\n"
        "print(next(pathlib.Path('.cache').rglob('keycloak.json')).read_text())\n"
        "while not os.path.exists('go'): time.sleep(0.02)\n"
    )
    task_id = o.begun(empty, o.ready(empty, o.program(text)))
    run = o.wait_for_line(empty, task_id, "access_token")
    token = json.loads(o.log(empty, run)[0].removeprefix("stdout F "))
    assert token["user_email"] == empty.username
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    listed = lambda: empty.http.post("/v1/api/workspaces/list", json={}, headers=headers)  # noqa: E731  # used below
    renewed = lambda: empty.http.post(  # noqa: E731  # used below
        "/auth/realms/master/protocol/openid-connect/token",
        data={
            "client_id": "sdk-client",
            "grant_type": "refresh_token",
            "refresh_token": token["refresh_token"],
        },
    )
    assert [each["name"] for each in listed().json()["workspaces"]] == ["automation"]
    # The SDK never keeps what it got: it comes with the same refresh token again and again.
    assert [renewed().status_code for _ in range(2)] == [200, 200]
    home: Path = empty.sandbox.config.data_dir / "task-runs" / run["run_id"]
    (home / "go").touch()
    o.ended(empty, task_id)
    assert listed().status_code == 401
    assert renewed().status_code == 400


def test_a_task_of_a_person_who_was_shut_out_fails_and_says_so(empty):
    user_id = empty.invite("gone@example.com")
    empty.post(
        "workspaces/add_user",
        {"workspace_id": 1, "user_id": user_id, "user_type": "collaborator"},
    )
    orchestration_id = o.ready(empty, o.program("print(1)"))
    task_id = o.begun(
        empty, orchestration_id, "run_scheduled", schedule="* * * * *", as_user="gone@example.com"
    )
    empty.sandbox.store.users.set_enabled(user_id, enabled=False)
    empty.clock.now += 60
    o.look(empty)
    (run,) = o.ended(empty, task_id)
    assert run["status"] == "failure"
    assert "may not log in any more" in o.log(empty, run)[0]


def test_packages_that_cannot_be_installed_are_an_error_with_the_reason_in_the_log(empty):
    archive = o.program("1", **{"requirements.txt": "./there-is-no-such-folder\n"})
    orchestration_id = o.upload(empty, archive).json()["id"]
    wait_until(
        lambda: o.status(empty, orchestration_id) == "error", within_s=o.LIMIT_S, what="it fails"
    )
    found = empty.post("orchestration/get_by_id", {"id": orchestration_id}).json()
    (run,) = o.ended(empty, found["task_id"])
    text = "\n".join(o.log(empty, run))
    assert run["status"] == "failure"
    assert "there-is-no-such-folder" in text
    assert "cannot be installed" in text
    assert o.order(empty, orchestration_id).status_code == 400


def test_a_packaging_that_takes_too_long_is_an_error_and_cannot_be_killed(empty, monkeypatch):
    monkeypatch.setattr(packages, "install_command", lambda *_: ["sleep", "600"])
    monkeypatch.setattr(packages, "make_environment", lambda _: None)
    monkeypatch.setattr(o.automation(empty)._runner, "_limits", Limits(packaging_s=1.0))
    archive = o.program("1", **{"requirements.txt": "there-is-no-such-package\n"})
    orchestration_id = o.upload(empty, archive).json()["id"]
    found = empty.post("orchestration/get_by_id", {"id": orchestration_id}).json()
    assert empty.post("task/kill", {"id": found["task_id"]}).status_code == 400
    (run,) = o.ended(empty, found["task_id"])
    assert "took longer than 1 s" in o.log(empty, run)[-1]
    wait_until(
        lambda: o.status(empty, orchestration_id) == "error", within_s=o.LIMIT_S, what="it fails"
    )


def test_an_orchestration_can_be_deleted_while_it_is_packaged(empty, monkeypatch):
    monkeypatch.setattr(packages, "install_command", lambda *_: ["sleep", "600"])
    archive = o.program("1", **{"requirements.txt": "there-is-no-such-package\n"})
    orchestration_id = o.upload(empty, archive).json()["id"]
    wait_until(
        lambda: o.status(empty, orchestration_id) == "packaging",
        within_s=o.LIMIT_S,
        what="it is packaged",
    )
    body = {"orchestrations": [orchestration_id], "confirm_delete": True}
    assert empty.post("orchestration/delete_orchestrations", body).status_code == 200
    wait_until(
        lambda: not o.automation(empty)._jobs, within_s=o.LIMIT_S, what="the packaging is over"
    )
    assert empty.post("orchestration/list", {"workspace_id": 1}).json() == []
    assert kept(empty) == []


def wheel(name: str, code: str) -> bytes:
    """Return a package that needs neither an index nor a build."""
    about = f"{name}-1.dist-info"
    return packed(
        {
            f"{name}.py": code.encode(),
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n".encode(),
            f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{about}/RECORD": f"{name}.py,,\n{about}/RECORD,,\n".encode(),
        }
    )


def test_packages_of_its_own_stand_before_the_sandboxs(empty):
    text = (
        "import own, packaging, sys\n"
        "from importlib.metadata import version\n"
        "print(own.HERE, packaging.HERE, bool(version('pandas')), sys.executable)\n"
    )
    wheels = {
        f"{name}-1-py3-none-any.whl": wheel(name, "HERE = 'its own'")
        for name in ("own", "packaging")
    }
    listed = "".join(f"./{name}\n" for name in wheels) + "pandas\n"
    archive = packed({"main.py": text.encode(), "requirements.txt": listed.encode(), **wheels})
    orchestration_id = o.ready(empty, archive)
    (run,) = o.ended(empty, o.begun(empty, orchestration_id))
    place = empty.sandbox.store.orchestrations.folder(orchestration_id) / "environment"
    assert o.log(empty, run) == [f"stdout F its own its own True {place}/bin/python"]


def test_after_a_restart_cut_runs_are_failures_and_what_waits_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "Limits", lambda: QUICK)
    with open_platform(tmp_path / "data", "empty") as first:
        o.workspace(first)
        orchestration_id = o.ready(first, o.program(FOR_EVER))
        cut = o.begun(first, orchestration_id)
        endless = o.begun(first, orchestration_id, "run_continuously")
        scheduled = o.begun(first, orchestration_id, "run_scheduled", schedule="* * * * *")
        pids = [
            int(o.log(first, o.wait_for_line(first, each, "running"))[0].split()[3])
            for each in (cut, endless)
        ]
        (run,) = o.runs(first, cut)
    assert not any(map(is_running, pids))
    with open_platform(tmp_path / "data", "empty") as again:
        assert [each["status"] for each in o.runs(again, cut)] == ["failure"]
        assert "the sandbox stopped" in o.log(again, run)[-1]
        wait_until(lambda: len(o.runs(again, endless)) == 2, within_s=o.LIMIT_S, what="it goes on")
        again.clock.now += 60
        o.look(again)
        o.wait_for_line(again, scheduled, "running")


def test_what_was_taken_and_not_begun_before_the_end_is_begun_after_the_next_start(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(service, "Limits", lambda: QUICK)
    with open_platform(tmp_path / "data", "empty") as first:
        o.workspace(first)
        orchestration_id = o.ready(first, o.program("print('late')"))
        monkeypatch.setattr(o.automation(first), "begin", lambda _: None)
        unpacked = o.upload(first, o.program("print(1)")).json()["id"]
        task_id = o.begun(first, orchestration_id)
        (first.sandbox.store.orchestrations.draft_path()).write_bytes(b"half an upload")
    with open_platform(tmp_path / "data", "empty") as again:
        (run,) = o.ended(again, task_id)
        assert o.log(again, run) == ["stdout F late"]
        wait_until(
            lambda: o.status(again, unpacked) == "ready", within_s=o.LIMIT_S, what="it is ready"
        )
        kept = {path.name for path in (tmp_path / "data" / "orchestrations").iterdir()}
        assert kept == {orchestration_id, unpacked}


def test_endless_tasks_do_not_keep_an_orchestration_from_being_packaged(empty):
    orchestration_id = o.ready(empty, o.program(FOR_EVER))
    for _ in range(QUICK.running):
        o.wait_for_line(empty, o.begun(empty, orchestration_id), "running")
    o.ready(empty, o.program("print(1)"))


def test_a_reset_ends_every_run_and_forgets_all(empty):
    task_id = o.begun(empty, o.ready(empty, o.program(FOR_EVER)))
    pid = int(o.log(empty, o.wait_for_line(empty, task_id, "running"))[0].split()[3])
    answer = empty.http.post("/_sandbox/reset", json={"seed": "empty"}, headers=empty.headers())
    assert answer.status_code == 200
    assert not is_running(pid)
    assert empty.post("task/get_by_id", {"id": task_id}).status_code == 404
    assert not (empty.sandbox.config.data_dir / "orchestrations").exists()
