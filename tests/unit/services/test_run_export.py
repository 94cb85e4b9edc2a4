from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from dashboard import __version__
from dashboard.domain.identity import Identity
from dashboard.domain.inference import RowTiming
from dashboard.domain.row_note import RowNote, Thumb
from dashboard.domain.run import RowState, Run, RunRow, RunState
from dashboard.domain.table import ColumnFacts
from dashboard.errors import AccessDenied, InferenceFailed, NotFound, PlatformUnreachable
from dashboard.services.receipt import receipt, receipt_page
from dashboard.services.row_files import RowForm, row_writer, rows_table
from dashboard.services.run_export import RunExport
from dashboard.store.run_records import RowSample
from tests.support.secrets import found_in, planted_details, secrets
from tests.support.waiting import wait_until
from tests.unit.services.run_stubs import (
    MEMBER,
    STRANGER,
    WHEN,
    Rig,
    StubPlatform,
    draft,
    open_rig,
    texts_table,
)

HOSTILE = [
    '=HYPERLINK("http://x")',
    " \t+1",
    'line\none, "two"\r\n-3',
    "<script>alert(1)</script>",
    "\u202eabc 🧨 é",
    "plain",
]
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = open_rig(tmp_path / "data", StubPlatform())
    yield rig
    rig.close()


def exports_of(rig: Rig, **options: Any) -> RunExport:
    def away() -> Any:
        raise PlatformUnreachable("The platform does not answer.")

    return RunExport(away, rig.runs, rig.tables, **options)


def read_csv(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def read_parquet(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def as_cell(value: object) -> str:
    """What CSV holds for a value, but for the apostrophe before formulas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def as_json(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def without_mark(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def test_the_three_forms_hold_the_same_rows(rig: Rig):
    table = texts_table(
        *HOSTILE, number=[-1, None, 3, 4, 5, 6], share=[0.5, -2.5, None, 1e300, 0.0, 1.0]
    )
    saved = rig.tables.save(MEMBER, draft(), table)
    run = rig.ended(rig.submit_table(saved.table_id).run_id)
    note = RowNote(1, "ann@example.com", WHEN, Thumb.DOWN, "=too short", "@better")
    exports = exports_of(rig, notes_of=lambda _who, _run_id: {1: note})
    files = {form: exports.rows(MEMBER, run.run_id, form) for form in RowForm}
    typed = read_parquet(files[RowForm.PARQUET])

    assert [row["row"] for row in typed] == [1, 2, 3, 4, 5, 6]
    assert [row["in.inputs"] for row in typed] == HOSTILE
    assert [row["summary"] for row in typed] == [f"short {text}" for text in HOSTILE]
    assert {row["state"] for row in typed} == {"Done"}
    assert typed[1]["in.number"] is None
    assert (typed[1]["thumb"], typed[1]["note"], typed[1]["corrected_summary"]) == (
        "down",
        "=too short",
        "@better",
    )
    assert typed[0]["thumb"] is None
    assert typed[0]["total_ms"] == pytest.approx(4.1)
    assert typed[0]["answered_at"] == datetime(2026, 11, 22, 13, 44, 16, 259_000, tzinfo=UTC)
    records = json.loads(files[RowForm.JSON])
    assert records == [{name: as_json(value) for name, value in row.items()} for row in typed]
    cells = [
        {name: without_mark(cell) for name, cell in row.items()}
        for row in read_csv(files[RowForm.CSV])
    ]
    assert cells == [{name: as_cell(value) for name, value in row.items()} for row in typed]


def test_a_failed_row_has_its_reason_and_no_summary(rig: Rig):
    rig.platform.failing = {"bad": [InferenceFailed("It was refused.")]}
    run = rig.ended(rig.submit("good", "bad").run_id)
    good, bad = read_parquet(exports_of(rig).rows(MEMBER, run.run_id, RowForm.PARQUET))
    assert (good["state"], good["error"]) == ("Done", None)
    assert (bad["state"], bad["summary"], bad["error"]) == ("Failed", None, "It was refused.")


def piece(texts: Sequence[str]) -> pa.Table:
    rows = [
        RunRow(number, RowState.DONE, text, summary=text, timing=RowTiming(wait_ms=1.0))
        for number, text in enumerate(texts)
    ]
    return rows_table(pa.table({"=inputs": pa.array(texts, pa.string())}), rows, {})


def written(form: RowForm, *pieces: pa.Table) -> bytes:
    file = io.BytesIO()
    writer = row_writer(form, file)
    for one in pieces:
        writer.write(one)
    writer.finish()
    return file.getvalue()


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(st.lists(st.one_of(_TEXT, st.tuples(st.sampled_from(_STARTS), _TEXT).map("".join))))
@settings(max_examples=150, deadline=None)
def test_no_cell_of_csv_is_a_formula_and_no_text_is_lost(texts):
    content = written(RowForm.CSV, piece(texts))
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert not any(cell.lstrip("\ufeff").startswith(_STARTS) for row in rows for cell in row)
    place = rows[0].index("summary")
    told = [row[place] for row in rows[1:]]
    assert len(told) == len(texts)
    for cell, text in zip(told, texts, strict=True):
        assert cell in (text, "'" + text)
    assert read_parquet(written(RowForm.PARQUET, piece(texts)))[: len(texts)] == (
        piece(texts).to_pylist()
    )
    assert [one["summary"] for one in json.loads(written(RowForm.JSON, piece(texts)))] == texts


def test_a_file_of_no_rows_is_still_one():
    nothing = piece([])
    assert json.loads(written(RowForm.JSON)) == []
    assert json.loads(written(RowForm.JSON, nothing)) == []
    assert len(written(RowForm.CSV, nothing).decode().splitlines()) == 1
    assert read_parquet(written(RowForm.PARQUET, nothing)) == []


def test_types_that_no_file_holds_become_ones_that_do():
    import numpy as np

    odd = pa.table(
        {
            "half": pa.array(np.array([1.5, np.nan], np.float16)),
            "day": pa.array([datetime(2026, 1, 2, tzinfo=UTC).date(), None]),
            "span": pa.array([timedelta(seconds=2), None]),
            "inf": pa.array([float("inf"), 1.0]),
        }
    )
    rows = [RunRow(number, RowState.DONE, "t", summary="s") for number in range(2)]
    made = rows_table(odd, rows, {})
    assert read_parquet(written(RowForm.PARQUET, made))[0]["in.half"] == 1.5
    record = json.loads(written(RowForm.JSON, made))[0]
    assert (record["in.day"], record["in.span"], record["in.inf"]) == ("2026-01-02", 2.0, None)
    assert b'"2026-01-02"' in written(RowForm.CSV, made)


def test_a_large_file_is_made_as_a_job_and_given_to_its_owner_alone(rig: Rig):
    run = rig.ended(rig.submit(*[f"text {number}" for number in range(2_500)]).run_id)
    seen: list[int | None] = []

    def no_notes(who: Identity, _run_id: str) -> dict[int, RowNote]:
        seen.append(exports.progress(who, "f1"))
        return {}

    exports = exports_of(rig, notes_of=no_notes)
    outcome = exports.make_file(MEMBER, run.run_id, RowForm.JSON, "f1")
    assert outcome.message == "The file of 2,500 rows is ready under Export… for five minutes."
    assert outcome.result == ""
    assert seen == [0]
    assert exports.progress(MEMBER, "f1") is None
    assert len(json.loads(exports.file(MEMBER, "f1"))) == 2_500
    assert exports.is_ready(MEMBER, "f1")
    assert not exports.is_ready(STRANGER, "f1")
    with pytest.raises(NotFound):
        exports.file(STRANGER, "f1")
    exports.close()
    with pytest.raises(NotFound):
        exports.file(MEMBER, "f1")


def test_a_file_is_not_kept_for_long(rig: Rig):
    run = rig.ended(rig.submit("one").run_id)
    exports = exports_of(rig)
    exports._ready._kept_s = 0.05
    exports.make_file(MEMBER, run.run_id, RowForm.CSV, "f1")
    wait_until(lambda: not exports.is_ready(MEMBER, "f1"), within_s=5, what="it went")


def test_a_stranger_gets_nothing_out(rig: Rig):
    run = rig.ended(rig.submit("one").run_id)
    exports = exports_of(rig)
    with pytest.raises(AccessDenied):
        exports.rows(STRANGER, run.run_id, RowForm.CSV)
    with pytest.raises(AccessDenied):
        exports.make_file(STRANGER, run.run_id, RowForm.CSV, "f1")
    for make in (exports.receipt_json, exports.receipt_page, exports.notebook):
        with pytest.raises(AccessDenied):
            make(STRANGER, run.run_id)


# Receipts


def a_run(**changes: Any) -> Run:
    values: dict[str, Any] = {
        "run_id": "r1",
        "table_id": "t1",
        "workspace_id": 7,
        "workspace_name": "press",
        "connection_name": "press-releases",
        "pipeline_name": "hf-summarizer",
        "pipeline_version": "pv-1",
        "model_name": "hf-summarizer",
        "model_version": "mv-1",
        "model_sha": "ee71",
        "engine": "proxy.registry.example/ns/ghcr.example/team/mac-deploy:v2026.1",
        "owner_id": "u1",
        "owner_email": "ann@example.com",
        "fingerprint": "f" * 64,
        "created_at": WHEN,
        "state": RunState.DONE,
        "rows_total": 30,
        "rows_done": 28,
        "rows_failed": 2,
        "text_column": "body",
    }
    return Run(**{**values, **changes})


def samples(count: int) -> list[RowSample]:
    return [
        RowSample(number, RowState.DONE, RowTiming(send_ms=1, wait_ms=number), WHEN, 5)
        for number in range(count)
    ]


def test_a_receipt_says_what_was_run_on_what():
    passport = draft(rows=30, columns=(ColumnFacts("body", "string"),), table_id="t1")
    facts = receipt(a_run(), samples(28), passport)
    assert facts["product"] == f"Wallaroo dashboard {__version__}"
    assert facts["input"]["sha256"] == "f" * 64
    assert facts["input"]["connection"] == "press-releases"
    assert facts["input"]["columns"] == [{"name": "body", "type": "string"}]
    assert facts["model"] == {
        "name": "hf-summarizer",
        "version": "mv-1",
        "sha256": "ee71",
        "engine": "mac-deploy:v2026.1",
    }
    assert facts["pipeline"]["version"] == "pv-1"
    assert facts["parameters"]["text_column"] == "body"
    assert facts["parameters"]["flags_where_the_table_has_none"]["return_text"] is True
    assert facts["rows"] == {"total": 30, "done": 28, "failed": 2, "left": 0}
    assert facts["run"]["asked_for_by"] == "ann@example.com"
    assert facts["run"]["asked_for_at"] == "2026-11-01T00:00:00+00:00"


def test_a_receipt_gives_only_the_percentiles_that_its_rows_carry():
    few = receipt(a_run(), samples(28))["time_per_row"]
    assert few["rows_measured"] == 28
    assert few["p95_ms"] == 27.0
    assert few["p99_ms"] is None
    assert few["not_given"] == ["p99 needs 100 rows, this run has 28"]
    many = receipt(a_run(), samples(100))["time_per_row"]
    assert (many["p99_ms"], many["not_given"]) == (100.0, [])
    assert receipt(a_run(), [])["time_per_row"]["rows_measured"] == 0


def test_a_receipt_holds_no_secret_and_no_host(rig: Rig, monkeypatch):
    details = json.dumps(planted_details())
    run = rig.ended(rig.submit("a private text").run_id)
    told = replace(run, message=f"https://files.example.org refused {details}")
    exports = exports_of(rig)
    monkeypatch.setattr(rig.runs, "run", lambda _who, _run_id: told)
    page = exports.receipt_page(MEMBER, run.run_id)
    text = exports.receipt_json(MEMBER, run.run_id)
    assert json.loads(text)["input"]["sha256"] == run.fingerprint
    for made in (page, text, exports.notebook(MEMBER, run.run_id)):
        assert found_in(made.encode(), secrets()) == []
        assert "files.example.org" not in made
        assert "a private text" not in made
        assert "registry.example" not in made


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_printed_receipt_shows_hostile_names_as_text_and_loads_nothing():
    img = "<img src=x onerror=alert(1)>"
    run = a_run(title=img, connection_name=f'"{img}', pipeline_name="</td><script>1</script>")
    passport = draft(columns=(ColumnFacts(img, "string"),))
    page = receipt_page(receipt(run, samples(3), passport))
    seen = Tags()
    seen.feed(page)
    assert {tag for tag, _ in seen.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p"),
        *("section", "table", "tr", "th", "td", "br"),
    }
    assert not any(name in attrs for _, attrs in seen.tags for name in ("src", "href", "onerror"))
    assert seen.text.count(img) >= 3
    assert "01 November 2026, 00:00:00 UTC" in seen.text
    assert "p99 needs 100 rows, this run has 3" in seen.text
    assert "default-src 'none'" in page
    assert "url(" not in page
