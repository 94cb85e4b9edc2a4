from __future__ import annotations

import ast
import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import nbformat
import pytest

from dashboard.connectors.table_formats import TableFormat
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.table import ColumnFacts
from dashboard.services.notebook import notebook
from tests.unit.services.run_stubs import draft
from tests.unit.services.test_run_export import a_run

HOSTILE = [
    'it\'s "quoted" \\ \'\'\' """',
    "line\nfeed\rreturn\u2028\u2029\x85end",
    "\u202etxt.exe\u2066 مرحبا שלום",
    "{braces} %s <replicas> {0!r} # no comment",
    "'); raise SystemExit(3)  #",
    "%%bash\n!rm -rf ~",
    "what?",
    "\ud800 lone",
]


def code_of(text: str) -> list[str]:
    book: Any = json.loads(text)
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(name):
    run = a_run(
        connection_name=name,
        workspace_name=name,
        pipeline_name=name,
        model_name=name,
        model_version=name,
        text_column=name,
        fingerprint=name,
    )
    passport = draft(columns=(ColumnFacts(name, "string"), ColumnFacts("b" + name, "bool")))
    text = notebook(run, passport, settings=DeploymentSettings(engine_memory=name))
    assert text.isascii()
    book = nbformat.reads(text, as_version=4)
    nbformat.validate(book)
    facts, *others = code_of(text)
    told: dict[str, Any] = {}
    for line in ast.parse(facts).body:
        assert isinstance(line, ast.Assign)
        (target,) = line.targets
        assert isinstance(target, ast.Name)
        told[target.id] = ast.literal_eval(line.value)
    assert told["CONNECTION_NAME"] == told["PIPELINE_NAME"] == told["TEXT_COLUMN"] == name
    assert told["COLUMNS"] == [name, "b" + name]
    assert told["TRUE_OR_FALSE"] == ["b" + name]
    assert len(facts.splitlines()) == len(told)
    # Elsewhere it is a value of the settings alone; texts hold none.
    assert sum(ascii(name)[1:-1] in code for code in others) <= 1
    assert not any(name in cell.source for cell in book.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("kind", list(TableFormat))
def test_every_format_has_code_that_python_reads(kind):
    text = notebook(a_run(replicas=3), draft(format=kind.words), settings=DeploymentSettings())
    for code in code_of(text):
        ast.parse(code)
    assert ".replica_count(3)" in text
    assert "<" not in "".join(code_of(text)).replace("<Wallaroo", "").split("DeploymentConfig")[2]


def test_each_piece_of_code_comes_after_a_sentence():
    book: Any = json.loads(notebook(a_run(), draft()))
    kinds = [cell["cell_type"] for cell in book["cells"]]
    for place, kind in enumerate(kinds):
        if kind == "code":
            assert kinds[place - 1] == "markdown"
    assert len({cell["id"] for cell in book["cells"]}) == len(kinds)
    assert all(not cell.get("outputs") for cell in book["cells"])


# What its code does with what opens a source


class Site:
    """A server on loopback: what it was sent, and where it leads."""

    def __init__(self) -> None:
        self.moved = ""
        self.status = 200
        self.asked: list[dict[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(302 if site.moved else site.status)
                if site.moved:
                    self.send_header("Location", site.moved)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"[]")

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    both = Site(), Site()
    yield both
    for site in both:
        site.close()


class Found:
    """A stand-in for the SDK's client and for the connection it finds."""

    def __init__(self, details: dict[str, Any]) -> None:
        self._details = details

    def get_connection(self, _name: str) -> Found:
        return self

    def details(self) -> dict[str, Any]:
        return self._details


def fetch(details: dict[str, Any]) -> bytes:
    """Run the notebook's cell that fetches the file."""
    (code,) = [one for one in code_of(notebook(a_run(), draft())) if "def fetch" in one]
    names: dict[str, Any] = {"client": Found(details), "CONNECTION_NAME": "c"}
    exec(code, names)  # noqa: S102 - the code under test
    content: bytes = names["content"]
    return content


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("details", "sent"),
    [
        ({"token": " Bearer t-1 "}, "Bearer t-1"),
        ({"username": "ann", "password": "p\u00e4ss"}, basic("ann", "p\u00e4ss")),
        ({"headers": {"Authorization": "Custom x"}}, "Custom x"),
        ({"token": "t-1", "headers": {"authorization": "Custom x"}}, "Bearer t-1"),
        ({}, None),
    ],
)
def test_the_code_signs_in_as_the_dashboard_does(sites, tmp_path, monkeypatch, details, sent):
    # Which requests would take on its own.
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    site, _ = sites
    assert fetch({"url": site.url + "/t.json", **details}) == b"[]"
    assert site.asked[0].get("authorization") == sent


def test_the_code_reads_the_sign_in_in_a_link_and_a_link_under_host(sites):
    site, _ = sites
    host = site.url.removeprefix("http://")
    fetch({"host": f"http://an%40n:p%2Fw@{host}/t.json"})
    assert site.asked[0]["authorization"] == basic("an@n", "p/w")


def test_what_opens_a_source_goes_to_no_other_host(sites):
    site, other = sites
    site.moved = other.url + "/elsewhere"
    fetch({"url": site.url, "token": "t-1", "headers": {"X-Api-Key": "k-1"}})
    assert site.asked[0]["x-api-key"] == "k-1"
    assert "authorization" not in other.asked[0]
    assert "x-api-key" not in other.asked[0]


@pytest.mark.parametrize("status", [403, 500])
def test_a_failed_fetch_is_told_without_the_link(sites, status):
    site, _ = sites
    site.status = status
    with pytest.raises(RuntimeError) as failed:
        fetch({"url": site.url + "/secret-path?sig=s3cret"})
    assert str(status) in str(failed.value)
    assert "secret" not in str(failed.value)
    assert "s3cret" not in str(failed.value)
    # Jupyter shows what an exception stands on, too.
    assert failed.value.__context__ is None
