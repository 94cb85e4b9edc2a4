"""A file with a table behind an http or https link: the types HTTP, HTTPS and HTTPFILE.

Stored details are flat, as in the workshop (`{"url": …}`), so that other people's scripts read
them too. Older connections keep the whole link under `host`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, Field

from dashboard.connectors.address_finding import whole
from dashboard.connectors.base import FetchedTable, FormField, TestResult, form_field, staged
from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.connectors.describing import (
    holds_something,
    link_parts,
    plain,
    set_or_not,
    shown_link,
)
from dashboard.connectors.first_rows import Taster, first_rows_of
from dashboard.connectors.formats.pieces import TableSink
from dashboard.connectors.http_form import (
    AUTO,
    SECRET_KEYS,
    bare_token,
    check_stored_headers,
    check_stored_sign_in,
    revealed,
    text_of,
    validated_headers,
    validated_sign_in,
)
from dashboard.connectors.link_help import checked_link
from dashboard.connectors.outbound import Limits, Outbound, Progress, SignIn, Stage
from dashboard.connectors.outbound.link import basic_auth
from dashboard.connectors.table_formats import TableFormat, read_into
from dashboard.domain.connection import Description, DetailPart
from dashboard.domain.detail_tree import Path
from dashboard.domain.table import ColumnFacts, FirstRows
from dashboard.errors import FetchFailed, InvalidInput
from dashboard.masking import Secret, SecretDetails

if TYPE_CHECKING:
    import pyarrow as pa

#: A test answers within this time, or says that the source is slow.
TEST_TOTAL_S: Final = 3.0
_LINK_KEYS: Final = ("url", "host")


class HttpFileDetails(BaseModel):
    """What the form of an HTTP connection asks for; every field is optional but the link."""

    url: str = Field(
        default="",
        title="Link",
        description="The full link of the file. Only its host and the file's name are shown later.",
        examples=["https://files.example.org/articles/test.df.json"],
        json_schema_extra={"required": True},
    )
    format: str = Field(
        default=AUTO,
        title="Format",
        description="How the file is read. Usually its content tells.",
        json_schema_extra={
            "kind": "choice",
            "secret": False,
            "choices": {AUTO: "Recognise it", **{kind.value: kind.words for kind in TableFormat}},
        },
    )
    sign_in: str = Field(
        default="none",
        title="Sign-in",
        description="What the source asks for before it gives the file.",
        json_schema_extra={
            "kind": "choice",
            "secret": False,
            "choices": {"none": "None", "basic": "User name and password", "bearer": "Token"},
        },
    )
    username: str = Field(
        default="",
        title="User name",
        json_schema_extra={"shown_when": ["sign_in", "basic"]},
    )
    password: str = Field(
        default="",
        title="Password",
        json_schema_extra={"kind": "secret", "shown_when": ["sign_in", "basic"]},
    )
    token: str = Field(
        default="",
        title="Token",
        description="Sent as `Authorization: Bearer …`.",
        json_schema_extra={"kind": "secret", "shown_when": ["sign_in", "bearer"]},
    )
    headers: str = Field(
        default="",
        title="Headers",
        description="One per line: name, colon, value. Sent to this host only.",
        examples=["X-Api-Key: …"],
        json_schema_extra={"kind": "long_text"},
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Source:
    """What stored details mean. It has no repr: all of it is secret."""

    url: str
    headers: Mapping[str, str]
    sign_in: SignIn | None
    format: TableFormat | None


class HttpFileConnector:
    """Reads a table from a file behind a link."""

    type_names = ("HTTP", "HTTPS", "HTTPFILE")
    title = "File behind a link (HTTP)"
    details_model = HttpFileDetails
    can_fetch = True

    def fields(self) -> tuple[FormField, ...]:
        """Return the form's fields."""
        return tuple(form_field(key, info) for key, info in HttpFileDetails.model_fields.items())

    def describe(self, details: object) -> Description:
        """Return host, port, data file and format, and every other key as set or not set."""
        if not isinstance(details, Mapping):
            return Description(set_or_not(details))
        key = next((key for key in _LINK_KEYS if holds_something(details.get(key))), "")
        link = shown_link(details.get(key), may_lack_scheme=key == "host") if key else None
        parts: tuple[DetailPart, ...] = ()
        said: tuple[str, ...] = ()
        if link is not None:
            parts, said = link_parts(key, link), (key,)
        kind = TableFormat.named(details.get("format"))
        if kind is not None:
            parts = (*parts, DetailPart("format", "Format", kind.words, is_set=True))
            said = (*said, "format")
        host = plain(link.host, 255) if link is not None else None
        return Description(parts + set_or_not(details, without=said), host)

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:  # any JSON value
        """Make the details to store from a form's values; `host` may stand for `url`.

        Raises
        ------
        InvalidInput
            With the field; a broken link comes with a `suggestion`.
        """
        typed = {key: revealed(value) for key, value in values.items()}
        link_key = "host" if not holds_something(typed.get("url")) and typed.get("host") else "url"
        details: dict[str, Any] = {link_key: _checked_link(typed, link_key)}
        kind = _checked_format(typed)
        if kind is not None:
            details["format"] = kind.value
        details |= validated_sign_in(typed)
        headers = validated_headers(typed.get("headers"))
        if headers:
            details["headers"] = headers
        return details

    def check(self, details: Any, touched: Collection[str]) -> None:  # noqa: ANN401 - any JSON value
        """Hold the touched keys against the rules of `validate`; unknown keys are anybody's.

        Raises
        ------
        InvalidInput
            With the field; a broken link comes with a `suggestion`.
        """
        if not isinstance(details, Mapping):
            raise InvalidInput("The details of this type are a group.", field="details")
        touched_links = [key for key in _LINK_KEYS if key in touched]
        if touched_links and not any(holds_something(details.get(key)) for key in _LINK_KEYS):
            raise InvalidInput("Enter the link of the file.", field=touched_links[0])
        for key in touched_links:
            if holds_something(details.get(key)):
                _checked_link(details, key)
        if "format" in touched:
            _checked_format(details)
        check_stored_sign_in(details, touched)
        if "headers" in touched:
            check_stored_headers(details.get("headers"))

    def address_in(self, path: Path, value: object) -> str | None:
        """Return the origin of the link, or all of a text there that is no link."""
        if len(path) != 1 or path[0] not in _LINK_KEYS:
            return None
        if not isinstance(value, str) or not value.strip():
            return None
        link = shown_link(value, may_lack_scheme=path[0] == "host")
        return whole(value) if link is None else link.origin

    def may_show(self, path: Path, value: object) -> bool:
        """Whether it is a known format, or a link that is no more than host and data file."""
        if path == ("format",):
            return TableFormat.named(value) is not None
        if len(path) != 1 or path[0] not in _LINK_KEYS or not isinstance(value, str):
            return False
        link = shown_link(value, may_lack_scheme=path[0] == "host")
        # The parts say nothing of a fragment, nor of a query that is empty.
        if link is None or "#" in value or "?" in value:
            return False
        return all(part.value is not None for part in link_parts("", link))

    def uses(self, path: Path) -> bool:
        """Return whether it is one of the keys read here; others are somebody else's."""
        return bool(path) and path[0] in (*HttpFileDetails.model_fields, *_LINK_KEYS)

    def is_free(self, path: Path) -> bool:
        """Whether it is the format, which is sent nowhere."""
        return path == ("format",)

    def test(
        self, details: SecretDetails, *, outbound: Outbound, progress: Progress | None = None
    ) -> TestResult:
        """Try the whole way to a table within 3 s. Everything runs on the calling thread."""
        progress = progress or Progress()
        usual = outbound.limits
        limits = Limits(min(usual.total_s, TEST_TOTAL_S), usual.most_bytes, usual.most_redirects)
        try:
            found = _read(details, outbound, _Watched(progress), limits)
        except FetchFailed as failure:
            if progress.current is None:
                progress.begin(Stage.RESOLVE)
                progress.abandon()
            return TestResult(staged(progress), _with_test_words(failure, progress))
        return TestResult(
            staged(progress),
            format=found.format,
            rows=found.rows,
            columns=found.columns,
        )

    def fetch(
        self,
        details: SecretDetails,
        *,
        outbound: Outbound,
        sink: TableSink,
        progress: Progress | None = None,
    ) -> FetchedTable:
        """Read the table into `sink`.

        Raises
        ------
        FetchFailed
            With one of the causes of `FetchCause`.
        """
        return _read(details, outbound, _Watched(progress or Progress(), sink), outbound.limits)


@dataclass(slots=True)
class _Watched:
    """Stands before a sink, if there is one: says how far it is, and stops when asked to."""

    progress: Progress
    sink: TableSink | None = None
    columns: tuple[ColumnFacts, ...] = ()

    def begin(self) -> None:
        self.progress.rows = 0
        self.columns = ()
        if self.sink is not None:
            self.sink.begin()

    def add(self, piece: pa.Table) -> None:
        if self.progress.cancel.is_set():
            raise fetch_failure(FetchCause.CANCELLED)
        if not self.columns:
            self.columns = tuple(ColumnFacts(part.name, str(part.type)) for part in piece.schema)
            if self.sink is not None:
                self.show(first_rows_of(piece))
        if self.sink is not None:
            self.sink.add(piece)
        self.progress.rows += piece.num_rows

    def show(self, rows: FirstRows) -> None:
        """Let the first rows be looked at."""
        self.progress.first_rows = rows


def _read(
    details: SecretDetails, outbound: Outbound, sink: _Watched, limits: Limits
) -> FetchedTable:
    progress = sink.progress
    began_at = progress.clock()
    source = _source(details.reveal())
    if sink.sink is not None:  # a test keeps no rows and shows none
        progress.on_content = Taster(source.format, sink.show).take
    fetched = outbound.fetch(
        source.url,
        headers=source.headers,
        sign_in=source.sign_in,
        limits=limits,
        progress=progress,
    )
    with fetched.body as body:
        if progress.cancel.is_set():
            raise fetch_failure(FetchCause.CANCELLED)
        progress.begin(Stage.RECOGNISE)
        try:
            kind = read_into(sink, body, format=source.format, most_bytes=4 * limits.most_bytes)
            progress.finish()
        finally:
            progress.abandon()
        return FetchedTable(
            rows=progress.rows,
            columns=sink.columns,
            raw_bytes=body.size_bytes,
            fingerprint=body.fingerprint,
            format=kind.words,
            fetch_ms=(progress.clock() - began_at) * 1000,
            stage_times_ms=dict(progress.times_ms),
        )


def _checked_link(values: Mapping[str, Any], key: str) -> str:
    """Return the link under `key` as it is to be stored. Raises InvalidInput."""
    text = text_of(values, key)
    if key == "host" and shown_link(text, may_lack_scheme=True):
        return text.strip()
    return checked_link(text, field=key)


def _checked_format(values: Mapping[str, Any]) -> TableFormat | None:
    """Return the chosen format, or None to recognise it. Raises InvalidInput."""
    chosen = text_of(values, "format") or AUTO
    kind = TableFormat.named(chosen)
    if kind is None and chosen != AUTO:
        raise InvalidInput("Choose one of the formats.", field="format")
    return kind


def _with_test_words(failure: FetchFailed, progress: Progress) -> FetchFailed:
    is_slow = failure.cause_code == FetchCause.TIMED_OUT and progress.current is Stage.READ
    if not is_slow:
        return failure
    return fetch_failure(
        FetchCause.TIMED_OUT,
        message=failure.message,
        hint="Everything up to here works. A fetch waits longer than a test: try to fetch it.",
    )


def _source(details: object) -> _Source:
    """Read stored details; unknown keys are somebody else's and stay unused."""
    if not isinstance(details, Mapping):
        raise fetch_failure(FetchCause.INVALID_LINK)
    key = next((key for key in _LINK_KEYS if holds_something(details.get(key))), "url")
    link = details.get(key)
    if not isinstance(link, str):
        raise fetch_failure(FetchCause.INVALID_LINK)
    link = link.strip()
    if key == "host" and "://" not in link:
        link = f"https://{link}"
    headers = details.get("headers")
    return _Source(
        url=link,
        headers={str(name): str(value).strip() for name, value in headers.items()}
        if isinstance(headers, Mapping)
        else {},
        sign_in=_sign_in(details),
        format=TableFormat.named(details.get("format")),
    )


def _sign_in(details: Mapping[Any, Any]) -> SignIn | None:
    user, password, token = (details.get(key) for key in SECRET_KEYS)
    if isinstance(token, str) and token:
        if not token.isprintable() or not token.isascii():
            raise fetch_failure(
                FetchCause.UNAUTHORISED,
                message="The token holds characters that cannot be sent.",
                hint="Replace the token.",
                field="token",
            )
        return SignIn(Secret(f"Bearer {bare_token(token)}"), "token", "token")
    if isinstance(user, str) and isinstance(password, str) and (user or password):
        return SignIn(Secret(basic_auth(user, password)), "user name and password", "password")
    return None
