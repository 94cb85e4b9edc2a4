"""Who did what to which connection, and when: names of fields, never their values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
