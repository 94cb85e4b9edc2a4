"""Who is asking. Every service call takes an `Identity`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What the platform lets a person do."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or service account, and whose token its calls carry.

    Parameters
    ----------
    key
        Name of the token in the gateway's keeper; never the token itself.
    user_id
        The platform's id of the account (the token's `sub`).
    email
        Address shown to other people; empty in the sandbox's local mode.
    roles
        What the platform lets it do.
    """

    key: str
    user_id: str
    email: str
    roles: frozenset[Role] = field(default_factory=lambda: frozenset({Role.USER}))
