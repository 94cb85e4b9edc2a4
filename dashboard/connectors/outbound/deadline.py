"""One deadline and one cancel switch over everything a fetch does, blocking calls included.

A socket's own timeout starts anew with every byte, so a source that drips would hold us for ever.
A watching thread shuts the sockets down instead, which wakes whatever call waits on them.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.connectors.outbound.addresses import Resolve
from dashboard.errors import FetchFailed

_POLL_S: Final = 0.05
_MOST_ADDRESSES: Final = 8
#: Name look-ups at one time in this process: one that hangs cannot be ended, only left behind.
_MOST_LOOK_UPS: Final = 32
_LOOK_UPS: Final = threading.BoundedSemaphore(_MOST_LOOK_UPS)


class Deadline:
    """Ends a fetch after `total_s` seconds of `clock`, or when `cancel` is set."""

    def __init__(
        self, *, total_s: float, clock: Callable[[], float], cancel: threading.Event
    ) -> None:
        self.host = ""
        self._total_s = total_s
        self._clock = clock
        self._ends_at = clock() + total_s
        self._cancel = cancel
        self._done = threading.Event()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, name="outbound-deadline", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._watcher.join()
        for sock in self._sockets:
            sock.close()

    def failure(self) -> FetchFailed | None:
        """Why the fetch must end now, or None."""
        if self._cancel.is_set():
            return fetch_failure(FetchCause.CANCELLED)
        if self._clock() >= self._ends_at:
            limit = f"{self._total_s:g} s"
            return fetch_failure(FetchCause.TIMED_OUT, host=self.host, detail=limit)
        return None

    def check(self) -> None:
        """Raise FetchFailed if the time is up or the fetch was cancelled."""
        failure = self.failure()
        if failure is not None:
            raise failure

    def left_s(self) -> float:
        """Seconds left, never less than one poll: a timeout of 0 would mean non-blocking."""
        return max(self._ends_at - self._clock(), _POLL_S)

    def resolve(self, resolve: Resolve, host: str, port: int) -> Sequence[str] | None:
        """Return the host's addresses, or None if there are none.

        The look-up runs in a thread of its own, since the system's cannot be interrupted. It keeps
        its place among those that run until it is really over, however long ago the fetch was.
        """
        found: list[Sequence[str]] = []
        places = _LOOK_UPS

        def look_up() -> None:
            try:
                # UnicodeError: the system's codec refuses names that are too long.
                with contextlib.suppress(OSError, UnicodeError):
                    found.append(resolve(host, port))
            finally:
                places.release()

        thread = threading.Thread(target=look_up, name="outbound-resolve", daemon=True)
        self._wait_for_place(places)
        try:
            thread.start()
        except BaseException:
            places.release()
            raise
        while thread.is_alive():
            self.check()
            thread.join(_POLL_S)
        return found[0] if found and found[0] else None

    def _wait_for_place(self, places: threading.Semaphore) -> None:
        while not places.acquire(timeout=_POLL_S):
            failure = self.failure()
            if failure is not None and failure.cause_code == FetchCause.TIMED_OUT:
                raise fetch_failure(
                    FetchCause.TIMED_OUT,
                    message="Too many other look-ups of host names are still waiting.",
                    hint="Try again in a few minutes. If it stays so, tell whoever runs the "
                    "dashboard that its name servers do not answer.",
                )
            self.check()

    def connect(self, addresses: Sequence[str], port: int) -> socket.socket:
        """Connect to the first of `addresses` that accepts.

        Raises
        ------
        OSError
            If none does.
        """
        last_error = OSError("no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return self._connect_one(address, port)
            except OSError as error:
                last_error = error
        raise last_error

    def _connect_one(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            _raise_unless(sock.connect_ex((address, port)), in_order=(0, errno.EINPROGRESS))
            with selectors.DefaultSelector() as selector:
                selector.register(sock, selectors.EVENT_WRITE)
                while not selector.select(_POLL_S):
                    self.check()
            _raise_unless(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), in_order=(0,))
            sock.settimeout(self.left_s())
            with self._lock:
                # A duplicate: TLS takes the original's descriptor away while it shakes hands.
                self._sockets.append(sock.dup())
        except BaseException:
            sock.close()
            raise
        return sock

    def _watch(self) -> None:
        while not self._done.wait(_POLL_S):
            if self.failure() is not None:
                with self._lock:
                    for sock in self._sockets:
                        with contextlib.suppress(OSError):  # closed by the other side already
                            sock.shutdown(socket.SHUT_RDWR)


def _raise_unless(code: int, *, in_order: tuple[int, ...]) -> None:
    if code not in in_order:
        raise OSError(code, "the connection was not accepted")
