"""Who carries which guarded replace, and where each stands: the journal with its claims."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dashboard.domain.identity import Identity
from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.errors import DashboardError, NotFound
from dashboard.gateway.base import PlatformGateway
from dashboard.services import replace_words as words
from dashboard.services.replace_steps import Steps
from dashboard.store.replacement_records import ReplacementRecords
from dashboard.store.run_records import Claim

if TYPE_CHECKING:
    from dashboard.store.database import Store

_CLAIM_FOR: Final = timedelta(seconds=30)
#: A single step may take longer than a claim lasts, where the platform is slow.
_RENEW_EVERY_S: Final = 10.0
_RECEIPTS: Final = 20


class ReplaceJournal:
    """Keeps replaces and carries them for this process. Thread-safe."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._records = ReplacementRecords(store)
        self._now = now

    def of(self, who: Identity) -> tuple[Replacement, ...]:
        """Return this person's replaces that are not over, and the newest receipts."""
        return self._records.of(who.user_id, self._now(), receipts=_RECEIPTS)

    def successor(self, who: Identity, connection_id: str) -> str:
        """Return what this person's own edits have put in a connection's place; empty if nothing.

        Chains are followed to their end.
        """
        followers = self._records.followers(who.user_id)
        last, seen = connection_id, {connection_id}
        while (following := followers.get(last, "")) and following not in seen:
            seen.add(following)
            last = following
        return last if last != connection_id else ""

    def refuse_second(self, who: Identity, name: str) -> None:
        """Raise Conflict if a replace of this name is under way, or unfinished by this person."""
        if self._records.is_running(name, self._now()):
            raise words.running_already(name)
        theirs = self._records.of(who.user_id, self._now(), receipts=0)
        if any(record.connection_name == name for record in theirs):
            raise words.not_finished_before(name)

    @contextmanager
    def begun(
        self, gateway: PlatformGateway, who: Identity, record: Replacement
    ) -> Iterator[Steps]:
        """Keep a new replace and carry it through the block. Raises Conflict if one is under way.

        How it ended is written by `close` or `stop`; without either it is unfinished.
        """
        owner = secrets.token_hex(8)
        if not self._records.begin(record, self._claim(owner), now=self._now()):
            raise words.running_already(record.connection_name)
        with self._carrying(record, owner):
            yield self._steps(gateway, who, record, owner)

    @contextmanager
    def resumed(
        self, gateway: PlatformGateway, who: Identity, record: Replacement
    ) -> Iterator[Steps]:
        """Take an unfinished replace and carry it through the block.

        Raises
        ------
        Conflict
            Somebody carries it at this moment, or it is over by now.
        """
        owner = secrets.token_hex(8)
        if not self._records.claim(record.replacement_id, self._claim(owner), now=self._now()):
            raise words.running_already(record.connection_name)
        # Read again: until the claim, somebody else may have carried it further.
        record = self._records.find(record.replacement_id, self._now()) or record
        record = replace(record, state=ReplaceState.RUNNING, reason="")
        with self._carrying(record, owner):
            yield self._steps(gateway, who, record, owner)

    def find(self, who: Identity, replacement_id: str) -> Replacement:
        """Return a replace of this person. Raises NotFound."""
        record = self._records.find(replacement_id, self._now())
        if record is None or record.owner_id != who.user_id:
            raise NotFound("There is no such unfinished change.")
        return record

    def close(self, steps: Steps, state: ReplaceState, *, reason: str = "") -> None:
        """Write that a replace is over, and how."""
        steps.note(state=state, reason=reason, ended_at=self._now())

    def stop(self, steps: Steps, reason: str) -> None:
        """Write that a replace is unfinished, and why. Never raises."""
        # If the journal cannot be written either, the claim runs out, which says the same.
        with suppress(DashboardError):
            steps.note(state=ReplaceState.UNFINISHED, reason=reason)

    def _steps(
        self, gateway: PlatformGateway, who: Identity, record: Replacement, owner: str
    ) -> Steps:
        def save(changed: Replacement) -> None:
            if not self._records.save(changed, self._claim(owner)):
                raise words.running_already(changed.connection_name)

        return Steps(gateway, who, record, save)

    def _claim(self, owner: str) -> Claim:
        return Claim(owner, self._now() + _CLAIM_FOR)

    @contextmanager
    def _carrying(self, record: Replacement, owner: str) -> Iterator[None]:
        over = threading.Event()

        def renew() -> None:
            while not over.wait(_RENEW_EVERY_S):
                with suppress(DashboardError):
                    self._records.renew(record.replacement_id, self._claim(owner))

        threading.Thread(target=renew, name="replace-claim", daemon=True).start()
        try:
            yield
        finally:
            over.set()
