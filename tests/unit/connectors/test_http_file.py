"""The HTTP connector: what it shows, what it accepts, what it stores, what it fetches."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv as pa_csv
from pyarrow import feather
from pyarrow import parquet as pq

from dashboard.connectors.base import FetchCause, FieldKind, StageState
from dashboard.connectors.outbound import AllowList, Outbound, Progress, Stage
from dashboard.connectors.outbound.spool import MOST_IN_MEMORY_BYTES
from dashboard.connectors.registry import connector_for, describe
from dashboard.domain.table import ColumnFacts, fit_of
from dashboard.errors import FetchFailed, InvalidInput
from dashboard.masking import Secret
from tests.support.collecting import Collected

LINK = "https://files.example.org/articles/test.df.json"
HTTP = connector_for("HTTP")
RECORDS = b'[{"inputs": "A text.", "return_text": true}]'


def shown(details: object, kind: str = "HTTP") -> dict[str, str | None]:
    return {part.key: part.value for part in describe(kind, details).parts}


@pytest.mark.parametrize("name", ["HTTP", "http", "Https", "HTTPFILE", "HttpFile", " http "])
def test_the_type_is_known_in_any_case(name):
    assert connector_for(name) is HTTP


@pytest.mark.parametrize("name", ["BIGQUERY", "mongodb", "", "HTTP2", "<img src=x>", "\u0130"])
def test_any_other_type_is_custom(name):
    connector = connector_for(name)
    assert connector is not HTTP
    assert not connector.can_fetch


@pytest.mark.parametrize("key", ["url", "host"])
def test_the_allow_listed_parts_of_a_link_are_shown(key):
    details = {key: "https://files.example.org:8443/a/b/test.df.json", "format": "json"}
    assert shown(details) == {
        f"{key}.scheme": "https",
        f"{key}.host": "files.example.org",
        f"{key}.port": "8443",
        f"{key}.file": "test.df.json",
        f"{key}.path": None,
        "format": "JSON records",
    }
    assert describe("HTTP", details).host == "files.example.org"


PLANTED = "pl4nted-s3cret"


@pytest.mark.parametrize(
    "link",
    [
        f"https://{PLANTED}@files.example.org/x.csv",
        f"https://ann:{PLANTED}@files.example.org/x.csv",
        f"https://ann:12/{PLANTED}@files.example.org/x.csv",
        f"https://{PLANTED}:12/x@files.example.org/x.csv",
        f"https://{PLANTED}#x@files.example.org/x.csv",
        f"https://{PLANTED}?x@files.example.org/x.csv",
        f"https://a@{PLANTED}@files.example.org/x.csv",
        f"https://files.example.org/{PLANTED}/x.csv",
        f"https://files.example.org/{PLANTED}",
        f"https://files.example.org/{PLANTED}.exe",
        f"https://files.example.org/x.csv?key={PLANTED}",
        f"https://files.example.org/x.csv?{PLANTED}.csv",
        f"https://files.example.org/x.csv#{PLANTED}",
        f"https://files.example.org/x.csv;k={PLANTED}",
        f"https://files.example.org/{PLANTED}%2Fx.csv",
        f"https://files.example.org/k={PLANTED}.csv",
        f"ftp://{PLANTED}/x.csv",
        f"{PLANTED}://x/x.csv",
        f"https:/{PLANTED}/x.csv",
        PLANTED,
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{PLANTED}",
        f"mongodb://ann:{PLANTED}@db.example.org",
        f"https://files example.org/{PLANTED}",
        [f"https://{PLANTED}/x.csv"],
        {"inner": f"https://{PLANTED}/x.csv"},
    ],
)
@pytest.mark.parametrize("key", ["url", "host", "note"])
def test_no_secret_part_of_a_link_is_shown(key, link):
    description = describe("HTTP", {key: link})
    assert PLANTED not in repr(description)
    assert all(part.is_set for part in description.parts)


@pytest.mark.parametrize("kind", ["HTTP", "BIGQUERY"])
def test_thirteen_planted_secrets_are_not_shown(kind):
    details: dict[str, Any] = {
        "url": f"https://ann:{PLANTED}@files.example.org/{PLANTED}/x.csv?key={PLANTED}",
        "password": PLANTED,
        "token": PLANTED,
        "pat": PLANTED,
        "nested": {"a": {"b": PLANTED}},
        "items": [PLANTED, {"x": PLANTED}],
        "private_key": f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----",
        "cookie": f"id={PLANTED}",
        "headers": {"Authorization": f"Bearer {PLANTED}"},
        "dsn": f"postgresql://ann:{PLANTED}@db.example.org/x",
        "note": PLANTED,
        "format": PLANTED,
    }
    assert PLANTED not in repr(describe(kind, details))
    assert shown(details, kind)["headers.Authorization"] is None


def test_what_is_empty_is_not_set_and_false_and_zero_are():
    details: dict[str, Any] = {
        "a": None,
        "b": "",
        "c": [],
        "d": {},
        "e": False,
        "f": 0,
        "g": {"h": None},
    }
    assert {part.key: part.is_set for part in describe("X", details).parts} == {
        "a": False,
        "b": False,
        "c": False,
        "d": False,
        "e": True,
        "f": True,
        "g.h": False,
    }


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": PLANTED}
    for _ in range(levels):
        value = {"k": value}
    return value


@pytest.mark.parametrize(
    "details",
    [
        None,
        PLANTED,
        [PLANTED],
        7,
        True,
        {},
        deep(50_000),
        {str(number): PLANTED for number in range(50_000)},
        {"x" * 1_000_000: PLANTED},
        {"\ud800\u202e\x00": PLANTED},
        {1: PLANTED, None: PLANTED},
        {"url": 5},
        {"url": {"a": 1}},
        {"url": "http://[::1"},
        {"format": ["csv"]},
        object(),
        Secret(PLANTED),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("kind", ["HTTP", "X", None])
def test_describe_never_raises_and_stays_small(kind, details):
    description = describe(kind, details)
    assert PLANTED not in repr(description)
    assert len(repr(description)) < 40_000
    json.dumps([part.label for part in description.parts], ensure_ascii=False).encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(10**6) | st.text("SECRT\u00e9/:@?#.", min_size=4),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", max_size=3), inner),
    max_leaves=12,
)


def texts_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts_in(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts_in(inner)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["url", "host", "format", "token", "note", "x"]), json_values),
    st.sampled_from(["HTTP", "KAFKA"]),
)
def test_no_value_of_any_details_is_shown_unless_it_is_allow_listed(details, kind):
    description = describe(kind, details)
    allowed = {"Scheme", "Host", "Port", "File", "Format"}
    values = [part.value for part in description.parts if part.label not in allowed]
    assert set(values) <= {None}
    if kind == "KAFKA":
        text = repr(description)
        assert all(secret not in text for secret in texts_in(details) if len(secret) > 3)


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("", ""),
        ("   ", ""),
        ("http//files.example.org/x.json", "https://files.example.org/x.json"),
        ("https//files.example.org/x.json", "https://files.example.org/x.json"),
        ("http//127.0.0.1:8080/x.json", "http://127.0.0.1:8080/x.json"),
        ("http:/files.example.org/x", "https://files.example.org/x"),
        ("https:files.example.org/x", "https://files.example.org/x"),
        ("https:///files.example.org/x", "https://files.example.org/x"),
        ("https;//files.example.org/x", "https://files.example.org/x"),
        ("htps://files.example.org/x", "https://files.example.org/x"),
        ("htttps://files.example.org/x", "https://files.example.org/x"),
        ("ttps://files.example.org/x", "https://files.example.org/x"),
        ("://files.example.org/x", "https://files.example.org/x"),
        ("//files.example.org/x", "https://files.example.org/x"),
        ("files.example.org/x.json", "https://files.example.org/x.json"),
        ("files.example.org:8443/x.json", "https://files.example.org:8443/x.json"),
        ("localhost:8080/x.json", "http://localhost:8080/x.json"),
        ("ftp://files.example.org/x.json", "https://files.example.org/x.json"),
        ("s3://bucket/x.json", ""),
        ("file:///etc/passwd", ""),
        ("https://", ""),
        ("https://?x", ""),
        ("https://files.example.org:99999/x", ""),
        ("https://files.example.org/a b.json", "https://files.example.org/a%20b.json"),
        ("https://files.exa mple.org/x.json", "https://files.example.org/x.json"),
        ("https://files.example.org/a\nb.json", "https://files.example.org/ab.json"),
        ("https:\\\\files.example.org\\x.json", "https://files.example.org/x.json"),
        ('"https://files.example.org/x.json"', "https://files.example.org/x.json"),
        ("<https://files.example.org/x.json>", "https://files.example.org/x.json"),
        ("hello", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_a_wrong_link_is_refused_at_its_field_with_a_correction(typed, suggestion):
    with pytest.raises(InvalidInput) as caught:
        HTTP.validate({"url": typed})
    assert caught.value.field == "url"
    assert caught.value.suggestion == suggestion
    if suggestion:
        assert HTTP.validate({"url": suggestion}) == {"url": suggestion}


def test_the_missing_colon_is_named():
    with pytest.raises(InvalidInput, match="the colon after http is missing"):
        HTTP.validate({"url": "http//files.example.org"})


@given(st.text(max_size=40))
def test_any_typed_link_is_stored_as_typed_or_refused_with_a_usable_correction(typed):
    refused = None
    try:
        assert HTTP.validate({"url": typed}) == {"url": typed.strip()}
    except InvalidInput as error:
        refused = error
    if refused is not None:
        assert refused.field == "url"
        assert not refused.suggestion or HTTP.validate({"url": refused.suggestion})


@pytest.mark.parametrize(
    ("values", "details"),
    [
        ({"url": f"  {LINK} "}, {"url": LINK}),
        ({"host": LINK}, {"host": LINK}),
        ({"host": "files.example.org/x.csv"}, {"host": "files.example.org/x.csv"}),
        ({"url": LINK, "format": "auto", "sign_in": "none", "token": "x"}, {"url": LINK}),
        ({"url": LINK, "format": "CSV"}, {"url": LINK, "format": "csv"}),
        (
            {"url": Secret(LINK), "sign_in": "bearer", "token": Secret("Bearer abc")},
            {"url": LINK, "token": "abc"},
        ),
        (
            {"url": LINK, "sign_in": "basic", "username": "ann", "password": " p:w "},
            {"url": LINK, "username": "ann", "password": " p:w "},
        ),
        (
            {"url": LINK, "headers": "X-Api-Key: a: b\n\nX-B:c"},
            {"url": LINK, "headers": {"X-Api-Key": "a: b", "X-B": "c"}},
        ),
    ],
)
def test_a_form_becomes_the_details_to_store(values, details):
    assert HTTP.validate(values) == details


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "url"),
        ({"url": 5}, "url"),
        ({"host": "not a host"}, "host"),
        ({"url": LINK, "format": "xlsx"}, "format"),
        ({"url": LINK, "sign_in": "magic"}, "sign_in"),
        ({"url": LINK, "sign_in": "bearer"}, "token"),
        ({"url": LINK, "sign_in": "bearer", "token": "a\nb"}, "token"),
        ({"url": LINK, "sign_in": "basic", "password": "x"}, "username"),
        ({"url": LINK, "sign_in": "basic", "username": "a:b", "password": "x"}, "username"),
        ({"url": LINK, "sign_in": "basic", "username": "ann"}, "password"),
        ({"url": LINK, "headers": "no colon"}, "headers"),
        ({"url": LINK, "headers": f"Host: {PLANTED}"}, "headers"),
        ({"url": LINK, "headers": {"X-A": f"{PLANTED}\r\nX-B: c"}}, "headers"),
        ({"url": LINK, "headers": f"X-A: {PLANTED}\nx-a: b"}, "headers"),
        ({"url": LINK, "headers": 5}, "headers"),
    ],
)
def test_a_wrong_form_is_refused_at_its_field(values, field):
    with pytest.raises(InvalidInput) as caught:
        HTTP.validate(values)
    assert caught.value.field == field
    assert PLANTED not in caught.value.message


def test_the_form_is_made_from_the_model():
    fields = {field.key: field for field in HTTP.fields()}
    assert list(fields) == list(HTTP.details_model.model_fields)
    assert fields["url"].is_required
    assert fields["password"].kind is FieldKind.SECRET
    assert fields["password"].shown_when == ("sign_in", "basic")
    assert fields["format"].choices[0][0] == "auto"
    assert not fields["format"].is_secret
    assert all(field.is_secret for key, field in fields.items() if key not in ("format", "sign_in"))
    assert all(field.label for field in fields.values())


@pytest.fixture
def outbound() -> Outbound:
    return Outbound(allow=AllowList.parse(["127.0.0.1"]), resolve=lambda *_: ("127.0.0.1",))


@pytest.mark.parametrize("key", ["url", "host"])
def test_a_table_is_fetched_with_its_passport(key, listen, answer, outbound):
    server = listen(answer(RECORDS))
    sink, progress = Collected(), Progress()
    details = Secret({key: f"{server.origin}/x"})
    found = HTTP.fetch(details, outbound=outbound, sink=sink, progress=progress)
    assert sink.table.to_pylist() == [{"inputs": "A text.", "return_text": True}]
    assert (progress.received_bytes, progress.expected_bytes) == (len(RECORDS), len(RECORDS))
    assert (found.rows, progress.rows) == (1, 1)
    assert found.columns == (ColumnFacts("inputs", "string"), ColumnFacts("return_text", "bool"))
    assert found.raw_bytes == len(RECORDS)
    assert found.fingerprint == hashlib.sha256(RECORDS).hexdigest()
    assert found.format == "JSON records"
    assert found.fetch_ms > 0
    assert set(found.stage_times_ms) == set(Stage)
    assert "A text." not in repr(found)


@pytest.mark.parametrize("name", ["json", "csv", "parquet", "arrow"])
def test_a_file_longer_than_what_stays_in_memory_is_read_from_the_disk(
    name, listen, answer, outbound
):
    texts = [f"{number} {'x' * 1000}" for number in range(6_000)]
    table, file = pa.table({"inputs": texts}), io.BytesIO()
    if name == "json":
        file.write(json.dumps(table.to_pylist()).encode())
    elif name == "csv":
        pa_csv.write_csv(table, file)
    elif name == "parquet":
        pq.write_table(table, file, compression="none")
    else:
        feather.write_feather(table, file, compression="uncompressed", chunksize=1000)
    content = file.getvalue()
    assert len(content) > MOST_IN_MEMORY_BYTES
    sink = Collected()
    server = listen(answer(content))
    found = HTTP.fetch(Secret({"url": server.origin}), outbound=outbound, sink=sink)
    assert sink.table.column("inputs").to_pylist() == texts
    assert found.raw_bytes == len(content)
    assert found.fingerprint == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("details", "header"),
    [
        ({"token": "abc"}, "Authorization: Bearer abc"),
        ({"username": "ann", "password": "p\u00e4"}, "Authorization: Basic YW5uOnDDpA=="),
        ({"headers": {"X-Api-Key": "k"}}, "X-Api-Key: k"),
        ({"headers": {"authorization": "Custom z"}}, "authorization: Custom z"),
    ],
)
def test_the_stored_sign_in_is_sent(details, header, listen, answer, outbound):
    server = listen(answer(RECORDS))
    HTTP.fetch(Secret({"url": server.origin, **details}), outbound=outbound, sink=Collected())
    assert f"\r\n{header}\r\n" in server.requests[0]


def test_a_host_without_a_scheme_is_asked_by_https(outbound):
    asked = []

    def resolve(host, port):
        asked.append((host, port))
        return ()

    with pytest.raises(FetchFailed):
        HTTP.fetch(
            Secret({"host": "files.example.org/x"}),
            outbound=Outbound(resolve=resolve),
            sink=Collected(),
        )
    assert asked == [("files.example.org", 443)]


@pytest.mark.parametrize("details", [None, [], "x", {}, {"url": 5}, {"url": "nonsense"}])
def test_details_without_a_link_fail_as_such(details, outbound):
    result = HTTP.test(Secret(details), outbound=outbound)
    assert result.failure is not None
    assert result.failure.cause_code == FetchCause.INVALID_LINK
    assert result.stages[0].state is StageState.FAILED


def test_a_test_that_passes_says_what_it_found(listen, answer, outbound):
    told = []
    result = HTTP.test(
        Secret({"url": listen(answer(RECORDS)).origin}),
        outbound=outbound,
        progress=Progress(on_stage=lambda stage, _ms: told.append(stage)),
    )
    assert result.passed
    assert [stage.state for stage in result.stages] == [StageState.DONE] * 5
    assert all(stage.elapsed_ms is not None for stage in result.stages)
    assert (result.format, result.rows) == ("JSON records", 1)
    assert result.columns == (ColumnFacts("inputs", "string"), ColumnFacts("return_text", "bool"))
    assert told == list(Stage)


@pytest.mark.parametrize(
    ("status", "body", "failing", "field"),
    [
        ("401 U", b"", Stage.AUTHORISE, "sign_in"),
        ("404 N", b"", Stage.AUTHORISE, "url"),
        ("200 O", b"<html>", Stage.RECOGNISE, "format"),
    ],
)
def test_a_test_that_fails_names_stage_and_field(status, body, failing, field, listen, outbound):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
    server = listen(head.encode() + body)
    result = HTTP.test(Secret({"url": server.origin}), outbound=outbound)
    states = {stage.stage: stage.state for stage in result.stages}
    assert states[failing] is StageState.FAILED
    order = list(Stage)
    assert all(states[stage] is StageState.DONE for stage in order[: order.index(failing)])
    assert all(
        states[stage] is StageState.NOT_REACHED for stage in order[order.index(failing) + 1 :]
    )
    assert result.failure is not None
    assert result.failure.field == field


def test_a_cancelled_test_says_so(listen, outbound):
    cancel = threading.Event()

    def cancel_and_wait(connection):
        cancel.set()
        connection.recv(1)

    server = listen(cancel_and_wait)
    result = HTTP.test(
        Secret({"url": server.origin}), outbound=outbound, progress=Progress(cancel=cancel)
    )
    assert result.was_cancelled
    assert not result.passed


def test_a_custom_connection_cannot_be_read_but_is_kept(outbound):
    custom = connector_for("KAFKA")
    assert custom.validate({"details": '{"a": [1]}'}) == {"a": [1]}
    result = custom.test(Secret({}), outbound=outbound)
    assert result.failure is not None
    assert result.failure.cause_code == FetchCause.NO_CONNECTOR
    with pytest.raises(FetchFailed, match="KAFKA") as caught:
        custom.fetch(Secret({}), outbound=outbound, sink=Collected())
    assert "from code" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "  ", "{", "[1]", "5", f'{{"a": {PLANTED}}}', "[" * 100_000, "9" * 5000, "NaN"]
)
def test_custom_details_that_are_no_json_object_are_refused(text):
    with pytest.raises(InvalidInput) as caught:
        connector_for("X").validate({"details": text})
    assert caught.value.field == "details"
    assert PLANTED not in caught.value.message
    assert caught.value.__context__ is None


def facts(**types: str) -> list[ColumnFacts]:
    return [ColumnFacts(name, kind) for name, kind in types.items()]


@pytest.mark.parametrize(
    ("columns", "missing", "wrong_type", "extra"),
    [
        (facts(inputs="string"), (), (), ()),
        (facts(inputs="large_string", return_text="bool"), (), (), ()),
        (facts(text="string"), ("inputs",), (), ("text",)),
        (facts(inputs="int64"), (), ("inputs",), ()),
        (facts(inputs="string", return_text="string"), (), (), ()),
        (facts(), ("inputs",), (), ()),
    ],
)
def test_a_table_fits_the_summarizer_or_says_why_not(columns, missing, wrong_type, extra):
    fit = fit_of(columns)
    wrong = tuple(column.name for column in fit.wrong_type)
    assert (fit.missing, wrong, fit.extra) == (missing, wrong_type, extra)
    assert fit.fits == (not missing and not wrong_type)
