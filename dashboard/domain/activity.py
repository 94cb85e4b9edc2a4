"""Who did what to which connection, and when: names of fields, never their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

_MOST_FIELDS: Final = 6
#: Words that begin a sentence and are small within one; anything else may be a name.
_OPENING: Final = re.compile(r"(A|An|The|This|These|It|Its|There|None|No|Nobody|Nothing)\b")


class Act(StrEnum):
    """What was done; the value is the word it is shown by."""

    CREATED = "Created"
    DUPLICATED = "Duplicated"
    IMPORTED = "Imported"
    EDITED = "Edited"
    RESTORED = "Restored"
    DELETED = "Deleted"
    LINKED = "Linked"
    UNLINKED = "Unlinked"
    TESTED = "Tested"
    FETCHED = "Fetched"
    EXPORTED = "Exported"
    WORKSPACE_CREATED = "Workspace created"
    MEMBER_ADDED = "Member added"
    DEPLOYED = "Deployed"
    UNDEPLOYED = "Undeployed"
    STOPPED_IDLE = "Stopped when idle"
    KEPT_RUNNING = "Kept running"
    GUARD_CHANGED = "Idle guard changed"
    PIPELINE_CREATED = "Pipeline created"
    MODEL_UPLOADED = "Model uploaded"


class ActResult(StrEnum):
    """How it ended."""

    DONE = "Done"
    FAILED = "Failed"
    UNFINISHED = "Unfinished"


@dataclass(frozen=True, slots=True)
class Activity:
    """One entry of the activity log.

    Parameters
    ----------
    activity_id
        Grows with time; 0 until it is stored.
    at
        UTC.
    who_id, who
        The platform's id of the account, and its address (empty for the sandbox's local person).
    connection_id, connection_name
        Empty where it is about no connection. A replaced connection has a new id.
    workspace
        Name of the workspace it is about, or empty.
    pipeline
        Name of the pipeline (or model) it is about, or empty.
    fields
        Names of the fields touched, such as `token` or `headers.X-Api-Key`.
    note
        One plain sentence without secrets, such as why it failed; may be empty.
    workspace_id
        The platform's number of the workspace: names may be doubled. None for no workspace, or an
        entry of old that does not tell.
    """

    at: datetime
    who_id: str
    who: str
    act: Act
    result: ActResult = ActResult.DONE
    connection_id: str = ""
    connection_name: str = ""
    workspace: str = ""
    pipeline: str = ""
    fields: tuple[str, ...] = ()
    note: str = ""
    activity_id: int = 0
    workspace_id: int | None = None


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Which entries are wanted; empty means all.

    Parameters
    ----------
    words
        Each must stand in the name of the connection, pipeline or workspace, or in the person's
        address.
    connection_name
        Exactly this connection: ids change with a replace, the name stays.
    """

    acts: tuple[Act, ...] = ()
    results: tuple[ActResult, ...] = ()
    words: str = ""
    connection_name: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at the log. Connections are everybody's, all else is its workspace's.

    Parameters
    ----------
    who_id
        The platform's id of the account.
    workspace_ids
        The workspaces this person is in.
    """

    who_id: str
    workspace_ids: frozenset[int]


#: What is done with a connection for one workspace: that is its members' business.
OF_A_WORKSPACE: Final = (Act.FETCHED,)

#: What was tried, where it did not come about.
_TRIED: Final = {
    Act.CREATED: "create",
    Act.DUPLICATED: "save the duplicate",
    Act.IMPORTED: "import",
    Act.EDITED: "edit",
    Act.RESTORED: "restore",
    Act.DELETED: "delete",
    Act.LINKED: "link",
    Act.UNLINKED: "unlink",
    Act.TESTED: "test",
    Act.FETCHED: "fetch a table",
    Act.EXPORTED: "export",
    Act.WORKSPACE_CREATED: "create the workspace",
    Act.MEMBER_ADDED: "add a member",
    Act.DEPLOYED: "deploy",
    Act.UNDEPLOYED: "undeploy",
    Act.STOPPED_IDLE: "stop the idle pipeline",
    Act.KEPT_RUNNING: "give more time to",
    Act.GUARD_CHANGED: "change the idle guard of",
    Act.PIPELINE_CREATED: "create the pipeline",
    Act.MODEL_UPLOADED: "upload the model",
}
_DONE: Final = {
    Act.FETCHED: "Fetched a table",
    Act.WORKSPACE_CREATED: "Created the workspace",
    Act.MEMBER_ADDED: "Added a member",
    Act.STOPPED_IDLE: "Stopped the idle pipeline",
    Act.KEPT_RUNNING: "Gave more time to",
    Act.GUARD_CHANGED: "Changed the idle guard of",
    Act.PIPELINE_CREATED: "Created the pipeline",
    Act.MODEL_UPLOADED: "Uploaded the model",
}
_BEFORE_WORKSPACE: Final = {
    Act.LINKED: "to ",
    Act.UNLINKED: "from ",
    Act.MEMBER_ADDED: "to ",
    Act.WORKSPACE_CREATED: "",
}
_BEFORE_FIELDS: Final = {Act.EDITED: "", Act.EXPORTED: "without "}


def sentence(entry: Activity) -> str:
    """Return what happened, and why where it did not work. Plain text; names may be hostile.

    For example `Edited token and url`, or `Could not create: a connection of that name exists`.
    """
    did_work = entry.result is ActResult.DONE
    if entry.act is Act.TESTED and entry.result is ActResult.FAILED:
        told = "The test failed"
    elif did_work:
        told = " ".join([_DONE.get(entry.act, entry.act.value), *_about(entry)])
    elif entry.result is ActResult.UNFINISHED:
        told = " ".join(["Began to", _TRIED[entry.act], *_about(entry)]) + ", not finished"
    else:
        told = " ".join(["Could not", _TRIED[entry.act], *_about(entry)])
    # What an export leaves out is told already.
    note = "" if entry.act is Act.EXPORTED and entry.fields and did_work else entry.note
    note = note.strip().removesuffix(".")
    if _OPENING.match(note):
        note = note[0].lower() + note[1:]
    return f"{told}: {note}" if note else told


def _about(entry: Activity) -> Sequence[str]:
    """Return what it was done with, and where."""
    parts = [entry.pipeline] if entry.pipeline else []
    # Of what came to nothing, the parts are of no interest; but for an edit, they are the point.
    if entry.fields and (entry.result is ActResult.DONE or entry.act is Act.EDITED):
        parts.append(_BEFORE_FIELDS.get(entry.act, "with ") + _listed(entry.fields))
    if entry.workspace:
        parts.append(_BEFORE_WORKSPACE.get(entry.act, "in ") + entry.workspace)
    return parts


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_FIELDS
    told = [*names[:_MOST_FIELDS], *([f"{more} more"] if more > 0 else [])]
    if told[-1].startswith("and "):  # counted already where it was noted
        return ", ".join(told[:-1]) + f" {told[-1]}"
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))
