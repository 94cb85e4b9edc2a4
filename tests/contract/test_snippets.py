"""The code people copy runs as it is pasted, on the unmodified SDK, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import leaves_of, value_at
from dashboard.services.snippets import create_snippet, use_snippet
from tests.support.sandbox import client, running_sandbox
from tests.support.secrets import found_in, planted_details, secrets

#: What may end a text, a comment or a line, or turn the code around it.
HOSTILE = [
    'it\'s "quoted" \\ \'\'\' """',
    "line\nfeed\rreturn\u2028\u2029\x85end",
    "\u202etxt.exe\u2066 مرحبا שלום",
    "{braces} %s {0!r} # no comment",
    "👩‍🔬 déjà-vu " + "n" * 200,
    "'); raise SystemExit(3)  #",
]
NESTED = {
    "host": "db.example.org",
    "port": 5432,
    "ratio": 0.5,
    "tls": True,
    "off": False,
    "nothing": None,
    "empty": "",
    "no list": [],
    "no group": {},
    "auth": {HOSTILE[0]: {"to\nken": "n€sted-s3cret ${HOME}"}},
    "keys": ["first", {"inner": [1, 2, [3.5, "deep"]]}],
    HOSTILE[2]: {HOSTILE[5]: "under hostile names"},
    "a" * 80: {"b.c": 1, "b": {"c": 2}, "": "unnamed"},
    "far": {"1": {"2": {"3": {"4": {"5": {"6": {"7": {"8": [9, "deep\nlines"]}}}}}}}},
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), seed="empty") as running:
        yield running


@pytest.fixture
def platform(sandbox):
    with client(sandbox) as http:
        yield http


def run(sandbox, code, answers, folder):
    """Run `code` with nothing but the SDK's variables; what it asks for comes from `answers`."""
    ours = {
        "WALLAROO_URL": sandbox.url,
        "WALLAROO_SDK_AUTH_TYPE": "user_password",
        "WALLAROO_USER": sandbox.username,
        "WALLAROO_PASSWORD": sandbox.password,
        "NO_PROXY": "127.0.0.1",
        "PYTHONIOENCODING": "utf-8",
    }
    script = folder / "pasted.py"
    script.write_text(code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        input="".join(f"{answer}\n" for answer in answers),
        env={**os.environ, **ours},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        # Without a terminal of its own it asks on its input.
        start_new_session=True,
    )


def answers_for(details):
    """What a person types who reads the values off `details`."""
    leaves = [leaf for leaf in leaves_of(details) if leaf.is_set]
    values = [value_at(details, leaf.path) for leaf in leaves]
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def stored(platform, name):
    found = platform.post("/v1/api/connections/get", json={"name": name})
    assert found.status_code == 200, found.text
    return found.json()


def connection(name, kind):
    return Connection("", name, kind, datetime.now(UTC))


@pytest.mark.parametrize(
    ("name", "kind", "details"),
    [
        ("press-releases", "HTTP", {"url": "https://h.example/a.csv", "token": "t-s3cret"}),
        (HOSTILE[0], HOSTILE[1], NESTED),
    ],
    ids=["http", "nested"],
)
def test_the_code_that_makes_a_connection_makes_just_that(
    sandbox, platform, tmp_path, name, kind, details
):
    code = create_snippet(connection(name, kind), leaves_of(details))
    done = run(sandbox, code, answers_for(details), tmp_path)
    assert done.returncode == 0, done.stderr
    made = stored(platform, name)
    assert (made["type"], made["details"], made["workspace_names"]) == (kind, details, [])
    # In value and in type: 1 is not true, and 5432 is not 5432.0.
    assert repr(made["details"]) == repr(details)
    assert "s3cret" not in done.stdout + code


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(name):
    for code in (
        use_snippet(connection(name, name)),
        create_snippet(connection(name, name), leaves_of({name: {name: name}})),
    ):
        compiled = compile(code, "pasted", "exec")
        assert name in compiled.co_consts
        # One direction, and no line that an editor or Python ends somewhere else.
        assert code.splitlines() == code.split("\n")[:-1]
        assert not any(letter in code for letter in "\u202e\u2066\u2028مש")


def test_the_code_that_uses_a_connection_runs_and_shows_none_of_its_values(
    sandbox, platform, tmp_path
):
    name = HOSTILE[2]
    body = {"name": name, "type": "S3", "details": planted_details()}
    assert platform.post("/v1/api/connections/create", json=body).status_code == 200
    code = use_snippet(connection(name, "S3"))
    done = run(sandbox, code, [], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Found a connection of type S3" in done.stdout
    assert found_in((done.stdout + done.stderr).encode(), secrets()) == []


@pytest.mark.parametrize("details", [planted_details(), {}, [planted_details()], "text", None])
def test_no_value_stands_in_the_code(details):
    code = create_snippet(connection("c", "S3"), leaves_of(details))
    assert found_in(code.encode(), secrets()) == []
    assert compile(code, "pasted", "exec")
