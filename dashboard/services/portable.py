"""Export and import of connections as JSON, with a slot in the place of every secret."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from dashboard.connectors import registry
from dashboard.domain.activity import Act
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Workspace
from dashboard.errors import Conflict, DashboardError, InvalidInput, NotFound, bare
from dashboard.masking import Secret
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.connections import Connections, LinkChange, NewConnection
from dashboard.services.import_plan import Ready, ready_of
from dashboard.services.jobs import Outcome
from dashboard.services.portable_file import (
    MOST_BYTES,
    MOST_CONNECTIONS,
    Draft,
    Exported,
    drafts_in,
    text_of,
    written,
)
from dashboard.services.slots import Slot, with_slots

__all__ = ["MOST_BYTES", "MOST_CONNECTIONS", "Draft", "Portable", "Slot"]

#: Names told in one sentence.
_MOST_NAMES: Final = 8
#: Names of details in one entry of the activity log.
_MOST_FIELDS: Final = 40
_FEWER_HINT: Final = "Choose fewer connections and export the others into a second file."


class Portable:
    """The use cases. Methods that reach the platform block: run them as jobs. Thread-safe."""

    def __init__(
        self,
        gateway: GatewayOf,
        connections: Connections,
        activity: ActivityLog,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateway = gateway
        self._connections = connections
        self._activity = activity
        self._now = now
        self._lock = threading.Lock()
        self._progress: dict[tuple[str, str], tuple[int, int]] = {}

    def export(self, who: Identity, connections: Sequence[Connection], mark: str = "") -> Outcome:
        """Write connections as JSON text; the outcome's `result` is that text, without secrets.

        Parameters
        ----------
        mark
            What `progress` is asked with, such as the mark of the browser session.

        Raises
        ------
        InvalidInput
            There are none, or more than one file takes.
        NotFound
            All of them were deleted meanwhile.
        """
        if not connections:
            raise InvalidInput("There is no connection to export.", hint="Create one first.")
        if len(connections) > MOST_CONNECTIONS:
            raise InvalidInput(
                f"One file holds at most {MOST_CONNECTIONS:,} connections; these are "
                f"{len(connections):,}.",
                hint=_FEWER_HINT,
            )
        exported: list[Exported] = []
        gone: list[str] = []
        taken: set[str] = set()
        with self._counting(who, mark, len(connections)) as step:
            for one in connections:
                try:
                    exported.append(self._exported(who, one.name, taken))
                except NotFound:
                    gone.append(one.name)
                step()
        if not exported:
            raise NotFound("They were deleted meanwhile: there is nothing to export.")
        text = written(exported, at=self._now())
        if len(text.encode()) > MOST_BYTES:
            raise InvalidInput("The file would be larger than 5 MB.", hint=_FEWER_HINT)
        self._note(who, exported)
        told = _told_export(exported, gone, {one.connection_id for one in connections})
        return Outcome(told, result=text)

    def read(self, content: str | bytes) -> tuple[Draft, ...]:
        """Read an export, as text or as an uploaded file. Raises InvalidInput (field `file`)."""
        return drafts_in(content if isinstance(content, str) else text_of(content))

    def import_(
        self,
        who: Identity,
        drafts: Sequence[Draft],
        filled: Mapping[tuple[int, str], Secret[str]],
        *,
        names: Sequence[str],
        link: bool,
        mark: str = "",
    ) -> Outcome:
        """Create what was read. What exists already is an error, never overwritten.

        Parameters
        ----------
        filled
            What was typed, by the draft's place and the slot's name.
        names
            The name each draft gets; an empty one leaves that draft out.
        link
            Whether to link each to the workspaces of the same names that this person is in.
        mark
            What `progress` is asked with, such as the mark of the browser session.

        Raises
        ------
        InvalidInput, Conflict
            A slot is empty or does not fit, a name is taken, or what the file holds breaks the
            type's rules; `field` is `slot:<place>:<name>`, `name:<place>` or `draft:<place>`.
            Nothing was made.
        DashboardError
            Without a field: the platform failed in the middle. It tells what was made and what
            was not.
        """
        chosen = [
            (place, draft, name)
            for place, (draft, name) in enumerate(zip(drafts, names, strict=True))
            if name.strip()
        ]
        if not chosen:
            raise InvalidInput("All of them are left out: there is nothing to import.")
        self._check_names(who, [(place, name) for place, _draft, name in chosen])
        ready = [ready_of(place, draft, name, filled) for place, draft, name in chosen]
        rooms = self._gateway().list_workspaces(who) if link else ()
        ids: dict[str, Ready] = {}
        with self._counting(who, mark, len(ready)) as step:
            for number, one in enumerate(ready):
                try:
                    ids[self._made(who, one)] = one
                except DashboardError as exc:
                    raise _stopped(exc, ready[:number], one, ready[number + 1 :]) from None
                step()
        told = f"Imported {_count(len(ids), 'connection')}."
        return Outcome(f"{told} {self._link(who, ids, rooms)}".strip() if link else told)

    def progress(self, who: Identity, mark: str) -> tuple[int, int] | None:
        """Return how many of how many are done while an export or import runs, else None."""
        with self._lock:
            return self._progress.get((who.key, mark))

    # -- export

    def _exported(self, who: Identity, name: str, taken: set[str]) -> Exported:
        found, details = self._gateway().read_details(who, name)
        connector = registry.connector_for(found.type)
        template, slots = with_slots(
            details.reveal(), name=found.name, may_show=connector.may_show, taken=taken
        )
        return Exported(found, template, slots)

    def _note(self, who: Identity, exported: Sequence[Exported]) -> None:
        for one in exported:
            labels = [slot.label for slot in one.slots]
            if len(labels) > _MOST_FIELDS:
                labels[_MOST_FIELDS:] = [f"and {len(labels) - _MOST_FIELDS} more"]
            self._activity.note(
                who,
                Act.EXPORTED,
                connection_id=one.connection.connection_id,
                connection_name=one.connection.name,
                fields=labels,
                note="These are left out as slots." if labels else "It holds no secret.",
            )

    # -- import

    def _check_names(self, who: Identity, names: Sequence[tuple[int, str]]) -> None:
        taken = {one.name for one in self._gateway().list_connections(who)}
        seen: set[str] = set()
        for place, name in names:
            if name in taken:
                raise Conflict(
                    f"A connection called {name} exists already.",
                    hint="Give this one another name, or leave it out.",
                    field=f"name:{place}",
                )
            if name in seen:
                raise InvalidInput(
                    f"Two of these would be called {name}.",
                    hint="Give this one another name, or leave it out.",
                    field=f"name:{place}",
                )
            seen.add(name)

    def _made(self, who: Identity, one: Ready) -> str:
        new = NewConnection(one.name, one.draft.type, one.details)
        return self._connections.save(who, new, act=Act.IMPORTED).result

    def _link(self, who: Identity, ids: Mapping[str, Ready], rooms: Sequence[Workspace]) -> str:
        """Link what was made; it exists by now, so whatever fails here is told, not raised."""
        try:
            made = {one.connection_id: one for one in self._gateway().list_connections(who)}
            changes, missing = [], set()
            for connection_id, ready in ids.items():
                for name in dict.fromkeys(ready.draft.workspaces):
                    same = [room for room in rooms if room.name == name and not room.archived]
                    # Where two rooms share the name, nobody can tell which one was meant.
                    if len(same) == 1 and connection_id in made:
                        changes.append(LinkChange(made[connection_id], same[0], link=True))
                    else:
                        missing.add(name)
            told = self._connections.change_links(who, changes).message if changes else ""
        except DashboardError as exc:
            return f"They could not be linked: {exc.message}"
        if missing:
            told += f" Not linked, as you are in no one workspace of that name: {_list(missing)}."
        return told.strip()

    # -- inner

    @contextmanager
    def _counting(self, who: Identity, mark: str, most: int) -> Iterator[Callable[[], None]]:
        key = (who.key, mark)

        def step() -> None:
            with self._lock:
                done, _most = self._progress.get(key, (0, most))
                self._progress[key] = (done + 1, most)

        with self._lock:
            self._progress[key] = (0, most)
        try:
            yield step
        finally:
            with self._lock:
                self._progress.pop(key, None)


def _stopped(
    error: DashboardError, made: Sequence[Ready], failed: Ready, left: Sequence[Ready]
) -> DashboardError:
    """Say what exists by now and what does not; with nothing made, it is the error itself."""
    is_name = error.field == "name"
    if not made:
        if is_name:
            error.field = f"name:{failed.place}"
        return bare(error)
    not_made = [one.name for one in (failed, *left)]
    return Conflict(
        f"{failed.name}: {error.message} Imported before that: {_list([m.name for m in made])}. "
        f"Not imported: {_list(not_made)}.",
        title="Some were imported, some were not",
        hint="Those that were imported are listed as existing now. Import the others again.",
        field=f"name:{failed.place}" if is_name else None,
    )


def _told_export(exported: Sequence[Exported], gone: Sequence[str], shown_ids: set[str]) -> str:
    secrets = sum(len(one.slots) for one in exported)
    told = f"Exported {_count(len(exported), 'connection')}. "
    if secrets:
        told += f"{_count(secrets, 'secret')} {'is' if secrets == 1 else 'are'} left out as "
        told += "a slot." if secrets == 1 else "slots."
    else:
        told += "They hold no secret."
    changed = [one for one in exported if one.connection.connection_id not in shown_ids]
    if changed:
        told += f" Replaced meanwhile, and exported as now: {_list(_names(changed))}."
    if gone:
        told += f" Deleted meanwhile, so not in the file: {_list(gone)}."
    return told


def _names(exported: Sequence[Exported]) -> list[str]:
    return [one.connection.name for one in exported]


def _list(names: Sequence[str] | set[str]) -> str:
    told = sorted(names) if isinstance(names, set) else list(names)
    more = len(told) - _MOST_NAMES
    return ", ".join(told[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"
