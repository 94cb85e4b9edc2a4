"""The outbound client: fetches one http(s) link for a connector, and defends us while it does.

It resolves the host itself, refuses what is not public, pins the checked address, follows at most
a few redirects with each re-checked, drops the sign-in when the origin changes, and bounds time
and size. Its errors name the host at most; the details behind them go to the log, redacted.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from dashboard.connectors.causes import FetchCause, fetch_failure, in_words, not_a_table
from dashboard.connectors.outbound.addresses import AllowList, Resolve, system_resolve
from dashboard.connectors.outbound.contract import FORBIDDEN_HEADERS, Fetched, Limits, SignIn
from dashboard.connectors.outbound.deadline import Deadline
from dashboard.connectors.outbound.decoding import KNOWN_ENCODINGS, DamagedContent, decoded
from dashboard.connectors.outbound.failures import (
    LED_ON,
    broken_off,
    cause_of,
    chain,
    not_found,
    redirect_refused,
    status_failure,
)
from dashboard.connectors.outbound.link import BadLink, Link, parse_link
from dashboard.connectors.outbound.pinning import PinnedAdapter
from dashboard.connectors.outbound.progress import Progress
from dashboard.connectors.outbound.spool import Spool
from dashboard.domain.check import Stage
from dashboard.errors import FetchFailed
from dashboard.masking import REDACTOR, Secret

_log = logging.getLogger(__name__)

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PIECE_BYTES: Final = 64 * 1024
_OWN_HEADERS: Final = {
    "User-Agent": "wallaroo-dashboard",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Outbound:
    """The client. It holds no state between fetches and may be shared by all threads.

    Parameters
    ----------
    allow
        What may be reached although it is not public.
    resolve
        Finds the addresses of a host.
    ca_file
        Certificates to trust instead of the usual ones, for sources inside a company.
    spool_dir
        Where long files lie, sealed, while they are read.
    """

    allow: AllowList = field(default_factory=AllowList)
    limits: Limits = field(default_factory=Limits)
    resolve: Resolve = system_resolve
    ca_file: str | None = None
    spool_dir: Path | None = None

    def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        sign_in: SignIn | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> Fetched:
        """Fetch `url` with GET.

        Parameters
        ----------
        headers
            Sent to the link's own origin only, like the sign-in.
        sign_in
            A user in the link itself is used when this is None.
        progress
            Told about the stages; its `cancel` stops the fetch.

        Raises
        ------
        FetchFailed
            With one of the causes of `FetchCause`.
        """
        link = _link(url)
        progress = progress or Progress()
        limits = limits or self.limits
        if sign_in is None and link.has_user:
            sign_in = SignIn(Secret(link.basic_auth), "user name and password", "url")
        sent = _checked_headers(headers or {})
        with Deadline(
            total_s=limits.total_s, clock=progress.clock, cancel=progress.cancel
        ) as deadline:
            fetch = _Fetch(self, limits, progress, deadline)
            try:
                return fetch.run(link, sent, sign_in)
            finally:
                progress.abandon()


def _link(url: str) -> Link:
    link = None
    with contextlib.suppress(BadLink):
        link = parse_link(url)
    if link is None:
        raise fetch_failure(FetchCause.INVALID_LINK)
    return link


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` if they can be sent as they are; nothing may split the request."""
    for name, value in headers.items():
        is_token = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        is_one_line = value.isprintable() and value.strip() == value
        if not is_token or not is_one_line or name.lower() in FORBIDDEN_HEADERS:
            raise fetch_failure(
                FetchCause.INVALID_LINK,
                message="One of the headers cannot be sent.",
                hint="Check the headers: one name and one line of text each.",
                field="headers",
            )
        REDACTOR.register(value)
    return dict(headers)


@dataclass(slots=True)
class _Fetch:
    """One fetch, redirects included."""

    client: Outbound
    limits: Limits
    progress: Progress
    deadline: Deadline
    #: How sentences and the log call the source.
    named: str = ""

    def run(self, link: Link, headers: Mapping[str, str], sign_in: SignIn | None) -> Fetched:
        origin, host = link.origin, link.host
        self.named = host
        for _ in range(self.limits.most_redirects + 1):
            response = self._request(link, headers, sign_in)
            try:
                if response.status_code not in _REDIRECTS:
                    return self._answer(link, response, sign_in, moved=link.origin != origin)
                link = self._next_link(link, response.headers.get("Location", ""))
            finally:
                response.close()
            if link.origin != origin:
                headers, sign_in = {}, None
            # Another host is the source's own word, which may hold what it was sent.
            self.named = host if link.host == host else LED_ON
        limit = self.limits.most_redirects
        raise redirect_refused(f"it leads on more than {limit} times")

    def _request(
        self, link: Link, headers: Mapping[str, str], sign_in: SignIn | None
    ) -> requests.Response:
        """Resolve, check, connect and send; return the answer with its body unread."""
        self.deadline.host = self.named
        self.progress.begin(Stage.RESOLVE)
        addresses = self._addresses(link)
        self.progress.begin(Stage.CONNECT)
        # The library below logs request lines at debug level.
        REDACTOR.register(link.target)
        sent = {**headers, **_OWN_HEADERS}
        if sign_in is not None:
            sent = {name: text for name, text in sent.items() if name.lower() != "authorization"}
            sent["Authorization"] = sign_in.authorization.reveal()
        adapter = PinnedAdapter(
            dial=lambda: self.deadline.connect(addresses, link.port),
            on_connected=lambda: self.progress.begin(Stage.AUTHORISE),
        )
        cause = None
        try:
            prepared = requests.Request("GET", link.url, headers=sent).prepare()
            return adapter.send(
                prepared,
                stream=True,
                timeout=self.deadline.left_s(),
                verify=self.client.ca_file or True,
            )
        # UnicodeError: a header that latin-1 cannot hold.
        except (
            requests.RequestException,
            HTTPError,
            HTTPException,
            OSError,
            UnicodeError,
        ) as error:
            cause = cause_of(error)
            names = [type(part).__name__ for part in chain(error)]
            _log.info("fetch from %s failed as %s: %s", self.named, cause, names)
        # Raised here, so that the library's exception, which quotes the link, is not its context.
        failure = self.deadline.failure()
        raise failure or broken_off(cause, self.named, self.limits, at=self.progress.current)

    def _addresses(self, link: Link) -> tuple[str, ...]:
        """Return the host's addresses if every one of them may be connected to."""
        found = self.deadline.resolve(self.client.resolve, link.host, link.port)
        self.deadline.check()
        if found is None:
            raise not_found(self.named)
        for address in found:
            if not self.client.allow.admits(link, address):
                _log.warning("blocked %s: it resolves to %.60s", self.named, address)
                raise fetch_failure(FetchCause.BLOCKED_ADDRESS)
        return tuple(found)

    def _next_link(self, link: Link, location: str) -> Link:
        """Return where a redirect leads, if it may be followed."""
        # Headers arrive as latin-1; addresses that are not ASCII are in UTF-8 in practice.
        location = location.encode("latin-1", "replace").decode("utf-8", "replace")
        following = None
        with contextlib.suppress(ValueError):
            following = parse_link(urljoin(link.url, location.strip()))
        if following is None or not location.strip():
            raise redirect_refused("it is not an http(s) link")
        if link.scheme == "https" and following.scheme == "http":
            raise redirect_refused("it is not encrypted")
        return following

    def _answer(
        self, link: Link, response: requests.Response, sign_in: SignIn | None, *, moved: bool
    ) -> Fetched:
        """Return what a final answer holds, or raise what its status means."""
        status = response.status_code
        if not 200 <= status < 300:
            raise status_failure(status, self.named, sign_in, moved=moved)
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in KNOWN_ENCODINGS:
            raise not_a_table(
                "The source packed the file in a way that we do not read.",
                "Ask the source's owner to send it plain or as gzip.",
            )
        self.progress.begin(Stage.READ)
        body = Spool(self.client.spool_dir)
        try:
            received_bytes = self._take(body, response, encoding)
        except BaseException:
            body.close()
            raise
        self.progress.finish()
        return Fetched(
            body=body,
            content_type=response.headers.get("Content-Type", ""),
            final_origin=link.origin,
            received_bytes=received_bytes,
            stage_times_ms=dict(self.progress.times_ms),
        )

    def _take(self, body: Spool, response: requests.Response, encoding: str) -> int:
        """Read the body and return its size as it was sent."""
        announced = response.headers.get("Content-Length", "")
        if announced.isascii() and announced.isdigit() and len(announced) > 18:
            raise self._too_big()
        if announced.isascii() and announced.isdigit():
            self._check_size(int(announced))
            self.progress.expected_bytes = int(announced)
        received_bytes = 0

        def pieces() -> Iterator[bytes]:
            nonlocal received_bytes
            for piece in _as_it_comes(response.raw):
                received_bytes += len(piece)
                self.progress.received_bytes = received_bytes
                self._check_size(received_bytes)
                self.deadline.check()
                yield piece

        cause, damaged = None, False
        try:
            for part in decoded(pieces(), encoding):
                self._check_size(body.size_bytes + len(part))
                self.deadline.check()
                body.write(part)
                self.progress.take(part)
        except DamagedContent:
            damaged = True
        except (HTTPError, HTTPException, OSError) as error:
            cause = cause_of(error)
            _log.info("reading from %s broke off: %s", self.named, type(error).__name__)
        # A shut socket may look like the regular end of a body without a length.
        self.deadline.check()
        if cause is not None:
            raise broken_off(cause, self.named, self.limits, at=Stage.READ)
        if damaged:
            raise not_a_table("The file arrived damaged.", "Try again, or ask the source's owner.")
        return received_bytes

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self.limits.most_bytes:
            raise self._too_big()

    def _too_big(self) -> FetchFailed:
        return fetch_failure(FetchCause.TOO_BIG, detail=in_words(self.limits.most_bytes))


def _as_it_comes(raw: HTTPResponse) -> Iterator[bytes]:
    """Give what has arrived, as soon as something has: a slow source is to be seen at work."""
    if raw.chunked:
        yield from raw.stream(_PIECE_BYTES, decode_content=False)
        return
    while piece := raw.read1(_PIECE_BYTES, decode_content=False):
        yield piece
