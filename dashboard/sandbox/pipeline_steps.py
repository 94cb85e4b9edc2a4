"""A pipeline's definition, as the SDK writes it, turned into stages for the engines.

Definitions are the clients' own JSON: whatever does not have the wire's form is refused by name,
for a step that was passed over would make the pipeline answer something else than it says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.sandbox.engine.stages import Stage, StageKind
from dashboard.sandbox.engine.validations import BadExpressionError, name_of

#: A model of a definition: `name`, `version` (a UUID) and `sha`.
Stub = Mapping[str, Any]  # Any: JSON


class BadDefinitionError(Exception):
    """A definition cannot be deployed; the text names the step."""


@dataclass(slots=True)
class Program:
    """What a definition says.

    Parameters
    ----------
    models
        The models of all stages, in their order; a stage names them by their places here.
    """

    models: list[Stub] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    def add(self, stub: Stub) -> int:
        """Add a model and return its place."""
        self.models.append(stub)
        return len(self.models) - 1


def read(definition: object) -> Program:
    """Read a definition.

    Raises
    ------
    BadDefinitionError
        If it has no model, or a step that the engines cannot run.
    """
    steps = definition.get("steps") if isinstance(definition, dict) else None
    program = Program()
    for step in steps if isinstance(steps, list) else []:
        kind, content = _parts(step)
        reader = _READERS.get(kind)
        if reader is None:
            raise BadDefinitionError(f"the sandbox does not imitate this step: {kind[:100]}")
        reader(program, content)
    if not program.models:
        raise BadDefinitionError("it has no model")
    return program


def _parts(step: object) -> tuple[str, Mapping[str, Any]]:  # Any: JSON
    if not isinstance(step, dict) or len(step) != 1:
        raise BadDefinitionError("a step is not an object of one key")
    kind, content = next(iter(step.items()))
    return kind, content if isinstance(content, dict) else {}


def _models(program: Program, content: Mapping[str, Any]) -> None:  # Any: JSON
    stubs = [_stub(each) for each in _list(content, "models")]
    if not stubs:
        raise BadDefinitionError("ModelInference has no model")
    places = tuple(program.add(stub) for stub in stubs)
    program.stages.append(Stage(StageKind.MODELS, steps=places))


def _all(program: Program, _content: Mapping[str, Any]) -> None:  # Any: JSON
    _models_before(program, "MultiOut")
    program.stages.append(Stage(StageKind.ALL))


def _audit(_program: Program, _content: Mapping[str, Any]) -> None:  # Any: JSON
    """Everything is logged here anyway."""


def _select(program: Program, content: Mapping[str, Any]) -> None:  # Any: JSON
    index = content.get("index")
    count = _models_before(program, "Nth")
    if type(index) is not int or not 0 <= index < count:
        raise BadDefinitionError(f"Nth selects from {count} outputs by an index from 0")
    program.stages.append(Stage(StageKind.SELECT, index=index))


def _models_before(program: Program, kind: str) -> int:
    last = program.stages[-1] if program.stages else None
    if last is None or last.kind is not StageKind.MODELS:
        raise BadDefinitionError(f"{kind} does not follow a step of models")
    return len(last.steps)


def _random_split(program: Program, content: Mapping[str, Any]) -> None:  # Any: JSON
    entries = [each for each in _list(content, "weights") if isinstance(each, dict)]
    weights = [_weight(each.get("weight")) for each in entries]
    if not sum(weights):
        raise BadDefinitionError("RandomSplit has no model with a weight")
    stubs = [_stub(each.get("model")) for each in entries]
    key = content.get("hash_key")
    program.stages.append(
        Stage(
            StageKind.SPLIT,
            steps=tuple(program.add(stub) for stub in stubs),
            labels=tuple(_label(stub) for stub in stubs),
            weights=tuple(weights),
            key=key if isinstance(key, str) else None,
        )
    )


def _key_split(program: Program, content: Mapping[str, Any]) -> None:  # Any: JSON
    key, routes = content.get("split_key"), content.get("routes")
    if not isinstance(key, str) or not isinstance(routes, dict):
        raise BadDefinitionError("MetaValueSplit has no key or no routes")
    stubs = [_stub(content.get("control")), *(_stub(each) for each in routes.values())]
    program.stages.append(
        Stage(
            StageKind.KEY_SPLIT,
            steps=tuple(program.add(stub) for stub in stubs),
            labels=tuple(_label(stub) for stub in stubs),
            key=key,
            routes=tuple(routes),
        )
    )


def _check(program: Program, content: Mapping[str, Any]) -> None:  # Any: JSON
    tree = content.get("tree")
    expressions = tuple(each for each in _list(content, "tree") if isinstance(each, str))
    if not isinstance(tree, list) or len(expressions) != len(tree):
        raise BadDefinitionError("Check is not a list of expressions")
    try:
        for expression in expressions:
            name_of(expression)
    except BadExpressionError as exc:
        raise BadDefinitionError(str(exc)) from exc
    program.stages.append(Stage(StageKind.CHECK, expressions=expressions))


def _stub(value: object) -> Stub:
    if not isinstance(value, dict) or not isinstance(value.get("version"), str):
        raise BadDefinitionError("a step names a model without its version")
    return value


def _label(stub: Stub) -> str:
    named = {name: stub.get(name) for name in ("name", "version", "sha")}
    return json.dumps(named, separators=(",", ":"))


def _weight(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    weight = float(value) if is_number else -1.0  # type: ignore[arg-type]  # a number, as said
    if not (math.isfinite(weight) and weight >= 0):
        raise BadDefinitionError("a weight of RandomSplit is not a number from 0")
    return weight


def _list(content: Mapping[str, Any], name: str) -> list[Any]:  # Any: JSON
    value = content.get(name)
    return value if isinstance(value, list) else []


_READERS: Mapping[str, Callable[[Program, Mapping[str, Any]], None]] = {  # Any: JSON
    "ModelInference": _models,
    "AuditResults": _audit,
    "MultiOut": _all,
    "Nth": _select,
    "RandomSplit": _random_split,
    "MetaValueSplit": _key_split,
    "Check": _check,
}
