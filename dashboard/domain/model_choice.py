"""What of the list of models is looked at, and how the page's address says it: numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.domain.connection_list import searchable
from dashboard.domain.model import Model

#: The parameters of the address that are read here.
PARAMETERS: Final = ("model", "version", "workspace", "page")
#: So many are on one page.
PAGE_ROWS: Final = 20

_LONGEST_NUMBER: Final = 9


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which one is open, the filter and the page; 0 for none, all and the first.

    Parameters
    ----------
    version
        The number of the version that is looked at in the open model; 0 for the newest.
    page
        Counts from 1 and may be past the end.
    """

    model: int = 0
    version: int = 0
    workspace: int = 0
    page: int = 0

    def to_query(self) -> dict[str, str]:
        """Return the parameters of the address; what is as usual is left out."""
        numbers = {
            "model": self.model,
            "version": self.version,
            "workspace": self.workspace,
            "page": self.page,
        }
        return {name: str(number) for name, number in numbers.items() if number}


def choice_of(query: Mapping[str, str]) -> ModelChoice:
    """Read an address. What it cannot mean is ignored."""
    return ModelChoice(*(_number(query.get(name, "")) for name in PARAMETERS))


def find(
    models: Sequence[Model], choice: ModelChoice, *, words: str, rooms: Mapping[int, str]
) -> tuple[Model, ...]:
    """Return the models that fit, by name; each word must stand in the name.

    Parameters
    ----------
    rooms
        The workspaces this person is in: models of others are left out.
    """
    wanted = searchable(words).split()
    fitting = [
        one
        for one in models
        if one.workspace_id in rooms
        and choice.workspace in (0, one.workspace_id)
        and all(word in searchable(one.name) for word in wanted)
    ]
    return tuple(sorted(fitting, key=lambda one: (one.name.casefold(), one.model_id)))


def _number(text: str) -> int:
    """Return a positive whole number as it is written in an address, else 0."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else 0
