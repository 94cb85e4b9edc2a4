"""Creating workspaces."""

from __future__ import annotations

from dashboard.domain.identity import Identity
from dashboard.domain.workspace import NAME_RULE
from dashboard.errors import InvalidInput
from dashboard.services import catalog
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Reads


class Workspaces:
    """The use cases. Methods block on the platform: run them as jobs."""

    def __init__(self, gateway: GatewayOf, reads: Reads) -> None:
        self._gateway = gateway
        self._reads = reads

    def create(self, who: Identity, name: str) -> Outcome:
        """Create a workspace. Raises InvalidInput or Conflict, with field `name`."""
        check_name(name)
        try:
            room = self._gateway().create_workspace(who, name)
        finally:
            self._reads.invalidate(who.key, catalog.WORKSPACES)
        return Outcome(f"Created the workspace {room.name}.", result=str(room.workspace_id))


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
