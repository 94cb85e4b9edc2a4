"""Failures on order: tests and rehearsals register them, platform routes then fail that way."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass

from starlette.types import Message, Receive, Scope, Send

EVERY_PLATFORM_ROUTE = "*"


@dataclass(slots=True)
class Fault:
    """One registered failure.

    Parameters
    ----------
    route
        A path as written in requests, or `*` for every route outside `/_sandbox/`.
    times
        How many requests it meets; None for every one until it is removed.
    delay_s
        Seconds to wait before anything else happens.
    status
        Status to answer with instead of doing the work; None to do the work.
    body
        Text to answer with; None for the wire's own error form.
    truncate
        Send half of the answer's body, then close the connection.
    """

    route: str
    times: int | None = None
    delay_s: float = 0.0
    status: int | None = None
    body: str | None = None
    truncate: bool = False
    fault_id: int = 0
    consumed: int = 0

    def meets(self, path: str) -> bool:
        """Say whether a request of `path` runs into this failure."""
        if self.times is not None and self.consumed >= self.times:
            return False
        if self.route == EVERY_PLATFORM_ROUTE:
            return not path.startswith("/_sandbox/")
        return path == self.route


class Faults:
    """The registered failures, oldest first. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._next_id = 1

    def add(self, fault: Fault) -> int:
        """Register a failure and return its id."""
        with self._lock:
            fault.fault_id = self._next_id
            self._next_id += 1
            self._faults.append(fault)
            return fault.fault_id

    def clear(self) -> None:
        """Remove them all."""
        with self._lock:
            self._faults.clear()

    def take(self, path: str) -> Fault | None:
        """Return the oldest failure that meets `path` and count it; None if there is none."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.meets(path):
                    fault.consumed += 1
                    return fault
        return None

    def listing(self) -> list[dict[str, object]]:
        """Return one object per failure, with `consumed` and `left` (None: no end)."""
        with self._lock:
            return [
                {
                    **asdict(fault),
                    "left": None if fault.times is None else fault.times - fault.consumed,
                }
                for fault in self._faults
            ]


class TruncatingSend:
    """Passes an answer on but keeps back the second half of its body.

    The length promised in the headers stays, so the client sees a broken answer.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._broken = False

    async def __call__(self, message: Message) -> None:
        """Forward one ASGI message."""
        if self._broken:
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body = message.get("body", b"")
        self._broken = True
        half = body[: len(body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})


__all__ = ["Fault", "Faults", "Receive", "Scope", "TruncatingSend"]
