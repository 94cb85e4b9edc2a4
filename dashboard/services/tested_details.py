"""What tests of details have found, so that whoever saves them without one is told all the same.

The details themselves are not kept: they are known again by a digest with a key of this process,
from which nobody can guess them. Nothing of it is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dashboard.connectors.base import TestResult
from dashboard.connectors.causes import FetchCause
from dashboard.domain.identity import Identity
from dashboard.masking import SecretDetails
from dashboard.services.watched_tests import own

_KEPT_S: Final = 900.0
_MOST_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """What a test found, `age_s` seconds ago."""

    result: TestResult
    age_s: float


class TestedDetails:
    """Remembers the newest result of each person's details for 15 min. Thread-safe."""

    __test__ = False  # not a test case, whatever its name makes pytest think

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, bytes], tuple[TestResult, float]] = OrderedDict()

    def remember(
        self, who: Identity, connection_type: str, details: SecretDetails, result: TestResult
    ) -> None:
        """Keep what a test found; a cancelled one says nothing."""
        failure = result.failure
        if failure is not None and failure.cause_code == FetchCause.CANCELLED:
            return
        mark = (who.key, self._digest(connection_type, details))
        with self._lock:
            self._found[mark] = own(result), self._clock()
            self._found.move_to_end(mark)
            while len(self._found) > _MOST_KEPT:
                self._found.popitem(last=False)

    def last(self, who: Identity, connection_type: str, details: SecretDetails) -> Finding | None:
        """Return what this person's last test of exactly these details found; None without one."""
        mark = (who.key, self._digest(connection_type, details))
        with self._lock:
            result, tested_at = self._found.get(mark, (None, 0.0))
            age_s = self._clock() - tested_at
        if result is None or age_s > _KEPT_S:
            return None
        return Finding(own(result), age_s)

    def _digest(self, connection_type: str, details: SecretDetails) -> bytes:
        told = json.dumps([connection_type, details.reveal()], sort_keys=True)
        return hmac.digest(self._key, told.encode(), hashlib.sha256)
