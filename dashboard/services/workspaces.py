"""Creating workspaces."""

from __future__ import annotations

from dashboard.domain.identity import Identity
from dashboard.domain.workspace import NAME_RULE, MemberRole, Workspace
from dashboard.errors import InvalidInput
from dashboard.services import catalog
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Reads


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
        return Outcome(f"Created the workspace {room.name}.", result=str(room.workspace_id))

    def add_member(
        self, who: Identity, room: Workspace, *, email: str, role: MemberRole
    ) -> Outcome:
        """Put a person into a workspace. Raises InvalidInput, NotFound, Conflict: field `email`."""
        raise NotImplementedError


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
