"""The stages of a pipeline as the server tells them to a worker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StageKind(StrEnum):
    """What a stage does."""

    #: Runs its models on the same input; the first one's outputs go on.
    MODELS = "models"
    #: Gives the outputs of every model, those of the later ones under columns of their own.
    ALL = "all"
    #: Gives the outputs of one of the models.
    SELECT = "select"
    #: Runs one of its models, drawn by weight.
    SPLIT = "split"
    #: Runs one of its models, chosen by a column's value.
    KEY_SPLIT = "key_split"
    #: Evaluates validations.
    CHECK = "check"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Parameters
    ----------
    steps
        Its models, as places in the list of a deployment's models.
    labels
        JSON of each model's name, version and sha, for a split.
    weights
        Of a split, one per model.
    key
        Column a split goes by; None for none.
    routes
        Of a key split: the value of the key per model, after the first, which is for the rest.
    index
        Of a select: which model's outputs go on.
    expressions
        Validations as JSON.
    """

    kind: StageKind
    steps: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    key: str | None = None
    routes: tuple[str, ...] = ()
    index: int = 0
    expressions: tuple[str, ...] = ()


def chain(count: int) -> tuple[Stage, ...]:
    """Return the stages of `count` models, one after the other."""
    return tuple(Stage(StageKind.MODELS, steps=(place,)) for place in range(count))
