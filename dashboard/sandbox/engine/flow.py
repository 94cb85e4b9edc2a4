"""Runs a request through the stages of a pipeline."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.engine.runtimes.base import InputError
from dashboard.sandbox.engine.stages import Stage, StageKind

if TYPE_CHECKING:
    from dashboard.sandbox.engine.runtimes.base import Row, Runtime
    from dashboard.sandbox.engine.validations import Validations

_MODEL_SPLIT = "_model_split"

#: Output rows and the Arrow types of their columns.
_Table = tuple[list[dict[str, Any]], dict[str, str]]  # Any: model output


@dataclass(slots=True)
class Passage:
    """What became of a request.

    Parameters
    ----------
    rows
        What goes on to the next stage, and at the end into the answer.
    types
        Arrow type by column.
    elapsed_ns
        One entry per stage that ran models.
    ran
        The models that ran, the one whose outputs are given last.
    others
        What came of the other models of a stage: their outputs, or why there are none.
    """

    rows: list[dict[str, Any]]  # Any: user data, then model output
    types: dict[str, str] = field(default_factory=dict)
    elapsed_ns: list[int] = field(default_factory=list)
    ran: list[int] = field(default_factory=list)
    others: list[tuple[int, _Table | Exception]] = field(default_factory=list)
    splits: list[list[str]] = field(default_factory=list)
    anomalies: dict[str, list[bool]] = field(default_factory=dict)


class Flow:
    """The loaded models of a pipeline and the stages they stand in."""

    def __init__(
        self,
        runtimes: Sequence[Runtime],
        names: Sequence[str],
        stages: Sequence[Stage],
        checks: Mapping[int, Validations],
    ) -> None:
        self._runtimes = runtimes
        self._names = names
        self._stages = stages
        self._checks = checks

    def run(self, rows: Sequence[Row], *, draw: float, started_ns: int) -> Passage:
        """Run every stage and return the answer's rows.

        Parameters
        ----------
        draw
            Decides where a random split goes, from 0 to 1; the same for all rows of a request.
        started_ns
            When the first stage's time began.

        Raises
        ------
        InputError
            If the rows do not fit a model.
        ValidationError
            If a validation cannot be evaluated.
        """
        passage = Passage([dict(row) for row in rows])
        for place, stage in enumerate(self._stages):
            if stage.kind is StageKind.CHECK:
                self._give_all(passage)
                found = self._checks[place].evaluate(rows, passage.rows, passage.types)
                passage.anomalies |= found
            elif stage.kind in (StageKind.ALL, StageKind.SELECT):
                self._choose(passage, stage)
            else:
                self._prepare(passage, stage)
                if stage.kind is StageKind.MODELS:
                    self._run_models(passage, stage)
                else:
                    self._run_split(passage, stage, rows, draw)
                now_ns = time.perf_counter_ns()
                passage.elapsed_ns.append(now_ns - started_ns)
                started_ns = now_ns
        self._give_all(passage)
        return _finished(passage)

    def _prepare(self, passage: Passage, stage: Stage) -> None:
        """Turn the outputs of the stage before into inputs.

        A lone column goes to a model with a lone input, whatever the two are called.
        """
        passage.others = []
        if not passage.ran:
            return
        rows: list[dict[str, Any]] = [  # Any: model output
            {name: value for name, value in row.items() if not name.startswith(".")}
            for row in passage.rows
        ]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        takes = {getattr(self._runtimes[step], "sole_column", None) for step in stage.steps}
        if len(columns) == 1 and len(takes) == 1 and None not in takes:
            rows = [{str(name): row.get(columns[0]) for name in takes} for row in rows]
        passage.rows = rows

    def _run_models(self, passage: Passage, stage: Stage) -> None:
        first, *others = stage.steps
        table = self._run_one(first, passage.rows)
        passage.others = [(step, self._run_beside(step, passage.rows)) for step in others]
        ran = [step for step, outcome in passage.others if not isinstance(outcome, Exception)]
        passage.ran += [*ran, first]
        passage.rows, passage.types = table

    def _run_split(
        self, passage: Passage, stage: Stage, inputs: Sequence[Row], draw: float
    ) -> None:
        choices = [_choice(stage, row, draw) for row in inputs]
        tables: dict[int, _Table] = {}
        for choice in dict.fromkeys(choices):
            places = [place for place, each in enumerate(choices) if each == choice]
            try:
                rows = [passage.rows[place] for place in places]
                tables[choice] = self._run_one(stage.steps[choice], rows)
            except InputError as exc:
                # The model counts the rows it got, the caller those that were sent.
                place = None if exc.row is None else places[exc.row]
                raise InputError(str(exc), row=place) from exc
        answers = {choice: iter(table[0]) for choice, table in tables.items()}
        passage.rows = [next(answers[choice]) for choice in choices]
        passage.types = _common_types([table[1] for table in tables.values()])
        passage.splits.append([stage.labels[choice] for choice in choices])
        passage.ran += [stage.steps[choice] for choice in tables]

    def _run_one(self, step: int, rows: Sequence[Row]) -> _Table:
        runtime = self._runtimes[step]
        return runtime.predict(rows), dict(runtime.output_types)

    def _run_beside(self, step: int, rows: Sequence[Row]) -> _Table | Exception:
        try:
            return self._run_one(step, rows)
        except Exception as exc:  # noqa: BLE001  # a later stage says whether it matters
            return exc

    def _choose(self, passage: Passage, stage: Stage) -> None:
        if stage.kind is StageKind.ALL:
            self._give_all(passage, with_failed=True)
        elif stage.index:
            step, outcome = passage.others[stage.index - 1]
            passage.rows, passage.types = _given(outcome)
            passage.ran.append(step)
        passage.others = []

    def _give_all(self, passage: Passage, *, with_failed: bool = False) -> None:
        """Put the outputs of the other models of a stage beside those that go on.

        Parameters
        ----------
        with_failed
            Of a shadow deployment the first model's answer stands whatever the others do: the
            columns of one that failed hold nulls, and the engine's log says why.
        """
        for step, outcome in passage.others:
            if with_failed and isinstance(outcome, Exception):
                rows, types = self._without_outputs(step, outcome, len(passage.rows))
            else:
                rows, types = _given(outcome)
            prefix = f".out_{self._names[step]}."
            for row, other in zip(passage.rows, rows, strict=True):
                row.update({prefix + column: value for column, value in other.items()})
            passage.types |= {prefix + column: kind for column, kind in types.items()}
        passage.others = []

    def _without_outputs(self, step: int, exc: Exception, row_count: int) -> _Table:
        why = str(exc) if isinstance(exc, InputError) else type(exc).__name__
        sys.stderr.write(f"model '{self._names[step]}' failed beside the first one: {why}\n")
        types = dict(self._runtimes[step].output_types)
        return [dict.fromkeys(types) for _ in range(row_count)], types


def _given(outcome: _Table | Exception) -> _Table:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _choice(stage: Stage, row: Mapping[str, Any], draw: float) -> int:  # Any: user data
    value = None if stage.key is None else row.get(stage.key)
    if stage.kind is StageKind.KEY_SPLIT:
        text = _key_text(value)
        return stage.routes.index(text) + 1 if text in stage.routes else 0
    return _by_weight(stage.weights, draw if value is None else _fraction(value))


def _key_text(value: object) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _fraction(value: object) -> float:
    """Return a place from 0 to 1 for a key: the same one for the same value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= 1:  # type: ignore[operator]  # a number, as said
        return float(value)  # type: ignore[arg-type]  # likewise
    digest = hashlib.sha256(_key_text(value).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _by_weight(weights: Sequence[float], draw: float) -> int:
    bounds = list(accumulate(weights))
    for place, bound in enumerate(bounds):
        if draw * bounds[-1] < bound:
            return place
    return max(place for place, weight in enumerate(weights) if weight)


def _common_types(tables: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the types on which the models that ran agree."""
    columns = dict.fromkeys(name for types in tables for name in types)
    found = {name: {types[name] for types in tables if name in types} for name in columns}
    return {name: types.pop() for name, types in found.items() if len(types) == 1}


def _finished(passage: Passage) -> Passage:
    for place, row in enumerate(passage.rows):
        if passage.splits:
            row[_MODEL_SPLIT] = [labels[place] for labels in passage.splits]
        for name, found in passage.anomalies.items():
            row[f".anomaly.{name}"] = found[place]
    if passage.splits:
        passage.types[_MODEL_SPLIT] = "list<string>"
    passage.types |= {f".anomaly.{name}": "bool" for name in passage.anomalies}
    return passage
