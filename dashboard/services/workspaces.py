"""Creating workspaces and putting people into them."""

from __future__ import annotations

import re

from dashboard.domain.activity import Act
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import NAME_RULE, MemberRole, Workspace
from dashboard.errors import InvalidInput
from dashboard.services import catalog
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Reads

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_LONGEST_ADDRESS = 254


class Workspaces:
    """The use cases. Methods block on the platform: run them as jobs."""

    def __init__(self, gateway: GatewayOf, reads: Reads, activity: ActivityLog) -> None:
        self._gateway = gateway
        self._reads = reads
        self._activity = activity

    def create(self, who: Identity, name: str) -> Outcome:
        """Create a workspace. Raises InvalidInput or Conflict, with field `name`."""
        check_name(name)
        try:
            room = self._gateway().create_workspace(who, name)
        finally:
            self._reads.invalidate(who.key, catalog.WORKSPACES)
        self._activity.note(
            who, Act.WORKSPACE_CREATED, workspace=room.name, workspace_id=room.workspace_id
        )
        return Outcome(f"Created the workspace {room.name}.", result=str(room.workspace_id))

    def add_member(
        self, who: Identity, room: Workspace, *, email: str, role: MemberRole
    ) -> Outcome:
        """Put a person into a workspace, confirmed by its list of members as it is read again.

        Raises
        ------
        InvalidInput, NotFound, Conflict, AccessDenied
            With field `email`: no address, nobody's, a member's already, or not the owner's to do.
        """
        address = check_email(email)
        try:
            members = self._gateway().add_member(
                who, workspace_id=room.workspace_id, email=address, role=role
            )
        finally:
            # Also when it failed: somebody else may have changed what is shown.
            self._reads.invalidate(who.key, catalog.MEMBERS, room.workspace_id)
        # As the platform writes it, where it tells.
        same = (one.email for one in members if one.email.casefold() == address.casefold())
        address = next(same, address)
        told = f"{address} joined as {role}"
        self._activity.note(
            who,
            Act.MEMBER_ADDED,
            workspace=room.name,
            workspace_id=room.workspace_id,
            note=told,
        )
        return Outcome(f"{address} is in {room.name} now, as {role}.")


def check_email(email: str) -> str:
    """Return an address without the space around it.

    Raises
    ------
    InvalidInput
        With field `email`, if it cannot be one.
    """
    address = email.strip()
    if not address:
        raise InvalidInput("Whom do you want to add?", hint="Type an address.", field="email")
    is_short = len(address) <= _LONGEST_ADDRESS
    if not (is_short and address.isprintable() and _ADDRESS.fullmatch(address)):
        raise InvalidInput(
            "This is no e-mail address.", hint="For example ann@example.com.", field="email"
        )
    return address


def check_name(name: str) -> None:
    """Hold a name against the platform's rule.

    Raises
    ------
    InvalidInput
        With field `name`.
    """
    if not name.strip():
        raise InvalidInput("A workspace needs a name.", hint="Type one.", field="name")
    if NAME_RULE.fullmatch(name) is None:
        raise InvalidInput(
            "The platform takes letters, digits and dashes only: a letter first, no dash last, "
            "63 characters at most.",
            hint="For example press-desk.",
            field="name",
        )
