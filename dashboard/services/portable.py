"""Export and import of connections as JSON, with a slot in the place of every secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dashboard.connectors import registry
from dashboard.domain.activity import Act
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import label_of
from dashboard.domain.identity import Identity
from dashboard.domain.json_text import MOST_LEVELS, fits
from dashboard.domain.workspace import Workspace
from dashboard.errors import Conflict, DashboardError, InvalidInput, NotFound, bare
from dashboard.masking import Secret
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.connections import Connections, LinkChange, NewConnection
from dashboard.services.import_plan import Ready, ready_of
from dashboard.services.jobs import Outcome
from dashboard.services.portable_file import (
    FEWER,
    MOST_BYTES,
    MOST_CONNECTIONS,
    Draft,
    Exported,
    drafts_in,
    text_of,
    written,
)
from dashboard.services.shelf import Shelf
from dashboard.services.slots import Slot, with_slots

__all__ = ["MOST_BYTES", "MOST_CONNECTIONS", "Draft", "Portable", "ReadFile", "Slot"]

#: Names told in one sentence.
_MOST_NAMES: Final = 8
#: Names of details in one entry of the activity log.
_MOST_FIELDS: Final = 40
_READ_KEPT_S: Final = 900.0
#: Files of all people that are kept at once, each of at most 5 MB.
_MOST_READ: Final = 8


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What an uploaded file holds, or why it cannot be read."""

    drafts: tuple[Draft, ...] = ()
    problem: DashboardError | None = None


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
        self._salt = secrets.token_bytes(32)
        self._files: Shelf[ReadFile] = Shelf(kept_s=_READ_KEPT_S, most=_MOST_READ)

    def export(self, who: Identity, connections: Sequence[Connection], mark: str = "") -> Outcome:
        """Write connections as JSON text; the outcome's `result` is that text, without secrets.

        Parameters
        ----------
        mark
            What `progress` is asked with, such as the mark of the browser session.

        Raises
        ------
        InvalidInput
            There are none, or more than an import takes from one file.
        NotFound
            All of them were deleted meanwhile.
        """
        if not connections:
            raise InvalidInput("There is no connection to export.", hint="Create one first.")
        if len(connections) > MOST_CONNECTIONS:
            raise InvalidInput(
                f"One file holds at most {MOST_CONNECTIONS:,} connections; these are "
                f"{len(connections):,}.",
                hint=FEWER,
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
        self._tell_log(who, exported)
        told = _told_export(exported, gone, {one.connection_id for one in connections})
        return Outcome(told, result=text)

    def file_id(self, who: Identity, content: str | bytes) -> str:
        """Return the id of a file for this person: the same for the same content, unguessable."""
        held = content.encode(errors="surrogatepass") if isinstance(content, str) else content
        return hmac.new(self._salt, who.key.encode() + b"\0" + held, hashlib.sha256).hexdigest()

    def read(self, who: Identity, content: str | bytes, file_id: str) -> Outcome:
        """Read an export, as text or as an uploaded file; `found` gives what it holds.

        It is kept until `drop`, for 15 minutes at most. `progress` goes by the file's id.
        """
        problem = None
        drafts: tuple[Draft, ...] = ()
        with self._counting(who, file_id, 0):
            try:
                text = content if isinstance(content, str) else text_of(content)
                drafts = drafts_in(
                    text, on_progress=lambda done, most: self._note(who, file_id, (done, most))
                )
            except InvalidInput as exc:
                problem = bare(exc)
        self._files.put(who, ReadFile(drafts, problem), thing_id=file_id)
        return Outcome("")

    def found(self, who: Identity, file_id: str) -> ReadFile | None:
        """Return what a file holds that this person had read; None if that is not kept."""
        return self._files.find(who, file_id)

    def drop(self, who: Identity, file_id: str) -> None:
        """Keep what was read of a file no longer."""
        self._files.take(who, file_id)

    def close(self) -> None:
        """Drop every file that was read."""
        self._files.clear()

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
        """Return how many of how many are done, else None.

        Parameters
        ----------
        mark
            That of the export or import, or the id of a file that is read.
        """
        with self._lock:
            return self._progress.get((who.key, mark))

    # -- export

    def _exported(self, who: Identity, name: str, taken: set[str]) -> Exported:
        found, details = self._gateway().read_details(who, name)
        connector = registry.connector_for(found.type)
        template, slots = with_slots(
            details.reveal(), name=found.name, may_show=connector.may_show, taken=taken
        )
        return Exported(found, template, slots, _too_much(details.reveal()))

    def _tell_log(self, who: Identity, exported: Sequence[Exported]) -> None:
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
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self._note(who, mark, (done, most))

        self._note(who, mark, (0, most))
        try:
            yield step
        finally:
            with self._lock:
                self._progress.pop((who.key, mark), None)

    def _note(self, who: Identity, mark: str, progress: tuple[int, int]) -> None:
        with self._lock:
            self._progress[who.key, mark] = progress


def _too_much(details: object) -> tuple[str, ...]:
    """Return the labels of the upper places that hold more than an import takes."""
    if fits(details):
        return ()
    inner = details.items() if isinstance(details, Mapping) else ()
    found = [label_of((key,)) for key, each in inner if not fits(each, levels=MOST_LEVELS - 1)]
    return tuple(found) or (label_of(()),)


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
    much = [f"{one.connection.name} ({label})" for one in exported for label in one.too_much]
    if much:
        told += f" Too deep or too large to be imported again: {_list(much)}."
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
