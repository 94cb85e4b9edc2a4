"""Runs of models that take several rows in one request."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.domain.inference import Answer, RowTiming
from dashboard.domain.latency import samples_of
from dashboard.domain.run import RowState, RunState
from dashboard.domain.table import ColumnFacts
from dashboard.errors import (
    InferenceFailed,
    InvalidInput,
    PlatformUnreachable,
    RequestTooLarge,
    TimedOut,
)
from dashboard.services.clock import Clock
from dashboard.services.notebook import _COLUMN_INPUTS, _OUTPUTS, _reads, notebook
from dashboard.services.run_batch import BatchSize
from dashboard.services.run_columns import columns_to_send, types_to_send
from dashboard.services.run_rows import RowFeed, columns_row
from dashboard.services.run_stretch import Gate, Stretch, StretchRules
from dashboard.services.run_values import shown_inputs
from dashboard.services.runs import RunSettings
from dashboard.store.blocks import BlockSpot
from dashboard.store.run_records import SEND, SKIP, RowResult
from tests.unit.services.run_stubs import (
    MEMBER,
    MODEL,
    PIPELINE,
    WHEN,
    WORKSPACE,
    Doubler,
    Rig,
    doubled,
    draft,
    open_rig,
    until,
)

Rows = Sequence[Mapping[str, Any]]
BAD = InferenceFailed("This row is bad.")


@pytest.fixture
def platform() -> Doubler:
    return Doubler()


@pytest.fixture
def rig(tmp_path: Path, platform: Doubler) -> Iterator[Rig]:
    rig = open_rig(tmp_path / "data", platform, settings=RunSettings(claim_s=2.0, batch_rows=8))
    yield rig
    rig.close()


def test_rows_go_in_requests_of_several_and_each_has_its_values_and_its_record(
    rig: Rig, platform: Doubler
):
    run = rig.submit_numbers(20)
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.input_columns) == (RunState.DONE, 20, ("x", "name"))
    assert [len(numbers) for numbers in platform.requests] == [8, 8, 4]
    rows = rig.runs.rows(MEMBER, run.run_id)
    assert [row.inputs for row in rows] == [{"x": n, "name": f"row {n}"} for n in range(20)]
    assert [row.outputs for row in rows] == [{"y": [2.0 * n]} for n in range(20)]
    assert (rows[3].input_text, rows[3].summary) == ("x: 3\nname: row 3", "y: 6.0")
    assert rows[3].doubts is None
    assert rows[3].answered_at is not None


def test_the_time_of_a_row_is_said_to_be_that_of_its_request(rig: Rig):
    run = rig.submit_numbers(12)
    rig.ended(run.run_id)
    rows = rig.runs.rows(MEMBER, run.run_id)
    assert [row.timing.batch_rows for row in rows] == [8] * 8 + [4] * 4
    assert {row.timing.wait_ms for row in rows} == {8.0}
    # Statistics count what was measured, not what was copied.
    assert [sample.row_index for sample in samples_of(rows)] == [0, 8]
    samples = rig.runs.samples(MEMBER, run.run_id)
    assert [sample.timing for sample in samples] == [row.timing for row in rows]


def test_a_bad_row_fails_alone_and_a_retry_sends_it_alone(rig: Rig, platform: Doubler):
    platform.refuse = lambda numbers: BAD if 5 in numbers else None
    run = rig.submit_numbers(16)
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 15, 1)
    row = rig.runs.row(MEMBER, run.run_id, 5)
    assert (row.state, row.error, row.outputs) == (RowState.FAILED, "This row is bad.", {})
    assert platform.requests == [
        [*range(8)], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [6, 7], [*range(8, 16)],
    ]  # fmt: skip
    platform.requests.clear()
    platform.refuse = lambda _numbers: None
    rig.runs.retry_failed(MEMBER, run.run_id)
    assert rig.ended(run.run_id).rows_done == 16
    assert platform.requests == [[5]]
    assert rig.runs.row(MEMBER, run.run_id, 5).outputs == {"y": [10.0]}


@pytest.mark.parametrize("error", [RequestTooLarge("Too large."), TimedOut("Too slow.")])
def test_requests_that_are_too_large_get_smaller_for_the_rows_to_come(
    rig: Rig, platform: Doubler, error: Exception
):
    platform.refuse = lambda numbers: error if len(numbers) > 2 else None
    ended = rig.ended(rig.submit_numbers(40).run_id)
    assert (ended.rows_done, ended.rows_failed) == (40, 0)
    refused = [len(numbers) for numbers in platform.requests if len(numbers) > 2]
    assert refused == [8, 4]


def test_an_answer_with_other_rows_than_were_sent_fails_them(rig: Rig, platform: Doubler):
    platform.copies = 2
    run = rig.submit_numbers(3)
    assert rig.ended(run.run_id).rows_failed == 3
    said = {row.error for row in rig.runs.rows(MEMBER, run.run_id)}
    assert said == {"The model's answer has not as many rows as were sent."}


def test_cancel_keeps_the_batches_that_are_answered(rig: Rig, platform: Doubler):
    platform.refuse = lambda numbers: setattr(platform, "held", 15 in numbers)
    run = rig.submit_numbers(64)
    until(lambda: rig.runs.progress(MEMBER, run.run_id).done == 16 and len(platform.requests) == 3)
    ended = rig.runs.cancel(MEMBER, run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_left) == (RunState.CANCELLED, 16, 48)
    assert len(platform.requests) == 3


def test_rows_of_a_run_left_in_the_middle_go_on_where_they_stood(tmp_path: Path):
    first = open_rig(tmp_path / "data", Doubler(wait_s=0.005))
    run = first.submit_numbers(500, replicas=2)
    until(lambda: first.runs.progress(MEMBER, run.run_id).done >= 100)
    first.close()
    second = open_rig(tmp_path / "data", Doubler())
    second.runs.resume_all()
    assert second.ended(run.run_id).rows_done == 500
    requests = [
        number
        for rig in (first, second)
        if isinstance(rig.platform, Doubler)
        for numbers in rig.platform.requests
        for number in numbers
    ]
    assert Counter(requests) == Counter(range(500))
    second.close()


def test_killed_at_any_moment_at_most_the_rows_in_flight_are_sent_again(tmp_path: Path):
    rows, batch_rows, in_flight, kills = 600, 8, 2, 3
    moments = sorted(random.Random(20_261_122).sample(range(5, rows // batch_rows - 5), kills))  # noqa: S311 - no secret
    command = [
        *(sys.executable, "-m", "tests.unit.services.run_child"),
        *(str(tmp_path), str(rows), str(batch_rows)),
    ]
    log = tmp_path / "sent.log"

    def requests() -> list[list[int]]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [[int(number) for number in line.split()] for line in lines]

    for moment in moments:
        child = subprocess.Popen(command)
        until(lambda: len(requests()) >= moment and (tmp_path / "run_id").exists())  # noqa: B023 - used at once
        assert child.poll() is None
        child.kill()
        child.wait()
    assert subprocess.run(command, check=True, timeout=90).returncode == 0
    sent = Counter(number for numbers in requests() for number in numbers)
    assert set(sent) == set(range(rows))
    assert sent.total() - rows <= in_flight * batch_rows * kills
    rig = open_rig(tmp_path / "data", Doubler())
    (run,) = rig.runs.recent(MEMBER, [7])
    assert (run.state, run.rows_done, run.rows_failed) == (RunState.DONE, rows, 0)
    found = rig.runs.rows(MEMBER, run.run_id, limit=rows)
    assert [row.outputs for row in found] == [{"y": [2.0 * number]} for number in range(rows)]
    rig.close()


def test_columns_that_the_table_lacks_are_named_before_the_run(rig: Rig):
    saved = rig.tables.save(MEMBER, draft(), pa.table({"x": [1]}))
    with pytest.raises(InvalidInput, match="no column “z”"):
        rig.runs.submit(
            MEMBER,
            table_id=saved.table_id,
            pipeline=PIPELINE,
            model_version=MODEL,
            workspace=WORKSPACE,
            replicas=1,
            input_columns=("x", "z"),
        )


COLUMNS = (ColumnFacts("x", "int64"), ColumnFacts("name", "string"), ColumnFacts("note", "string"))


def test_all_columns_are_sent_where_the_platform_does_not_tell_what_the_model_reads():
    assert columns_to_send(COLUMNS) == ("x", "name", "note")


def test_only_what_the_model_reads_is_sent_in_its_own_order():
    reads = (ColumnFacts("name", "string"), ColumnFacts("x", "float"))
    assert columns_to_send(COLUMNS, reads) == ("name", "x")
    assert columns_to_send(COLUMNS, (ColumnFacts("x", ""),)) == ("x",)


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        (ColumnFacts("y", "float"), "no column “y”"),
        (ColumnFacts("name", "float"), "reads a number from “name”; the table holds a text"),
        (ColumnFacts("x", "string"), "reads string from “x”; the table holds int64"),
    ],
)
def test_a_table_that_the_model_cannot_read_is_refused(reads: ColumnFacts, said: str):
    with pytest.raises(InvalidInput, match=said):
        types_to_send(COLUMNS, (reads,), {"name": ["", None, "Oslo"]}, words="CSV")


def test_the_notebook_of_such_a_run_reads_and_sends_its_columns(rig: Rig, platform: Doubler):
    run = rig.submit_numbers(3)
    rig.ended(run.run_id)
    passport = rig.tables.passport(MEMBER, run.table_id)
    cells = json.loads(notebook(run, replace(passport, format="CSV")))["cells"]
    code = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}
    wanted = [
        text
        for text in code.values()
        if any(word in text for word in ("COLUMNS =", "csv.reader", "sent = {", "answers = ["))
    ]
    sent: list[dict[str, Any]] = []

    def infer(frame: pd.DataFrame, timeout: float) -> pd.DataFrame:
        assert timeout > 0
        assert len(frame) == 1
        row = {str(name): value for name, value in frame.iloc[0].items()}
        sent.append(row)
        if row["x"] == 1:
            raise ValueError("no")
        return pd.DataFrame([doubled(row)])

    space: dict[str, Any] = {
        "content": b"x,name\n0,row 0\n1,row 1\n2,row 2\n",
        "is_same_input": True,
        "pipeline": SimpleNamespace(infer=infer),
    }
    for text in wanted:
        exec(compile(text, "cell", "exec"), space)  # noqa: S102 - our own notebook
    assert sent == [{"x": number, "name": f"row {number}"} for number in range(3)]
    result = space["result"]
    assert list(result["in.x"]) == [0, 1, 2]
    assert [result["out.y"][0], result["out.y"][2]] == [[0.0], [4.0]]
    assert result["error"][1] == "ValueError: no"


# Any pattern of bad rows and lost requests


@dataclass
class Trial:
    """One stretch over numbers, with everything that was sent and kept."""

    rows: int
    bad: frozenset[int]
    lost: Sequence[bool]
    sent: list[list[int]] = field(default_factory=list)
    kept: list[RowResult] = field(default_factory=list)

    async def infer(self, rows: Rows, *, timeout_s: float) -> Answer:
        assert timeout_s > 0
        numbers = [row["x"] for row in rows]
        self.sent.append(numbers)
        await asyncio.sleep(0)
        if len(self.sent) <= len(self.lost) and self.lost[len(self.sent) - 1]:
            raise PlatformUnreachable("Nothing answers.")
        if self.bad.intersection(numbers):
            raise BAD
        return Answer(tuple(doubled(row) for row in rows), RowTiming(wait_ms=1.0), WHEN)

    async def run(self, size: int, in_flight: int, block_rows: int, skipped: set[int]) -> None:
        table = pa.table({"x": list(range(self.rows))})
        starts = range(0, self.rows, block_rows)
        spots = [
            BlockSpot(number, first, min(block_rows, self.rows - first), 0, 1)
            for number, first in enumerate(starts)
        ]

        async def read(spot: BlockSpot) -> pa.Table:
            await asyncio.sleep(0)
            return table.slice(spot.first_row, spot.row_count)

        async def keep(results: Sequence[RowResult]) -> None:
            await asyncio.sleep(0)
            self.kept.extend(results)

        async def saw(_index: int, _metadata: Mapping[str, Any]) -> None:
            return None

        async def is_serving() -> bool:
            return True

        marks = bytearray(SKIP if row in skipped else SEND for row in range(self.rows))
        feed = RowFeed(spots, marks, read, columns=("x",))
        batch = BatchSize(size)
        for _attempt in itertools.count():
            stretch = Stretch(
                feed,
                Gate(in_flight),
                batch,
                keep=keep,
                saw=saw,
                is_serving=is_serving,
                rules=StretchRules(),
                clock=Clock(sleep=lambda _s: asyncio.sleep(0)),
            )
            if await stretch.send_rows(self, in_flight=in_flight) is None:
                return


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_every_row_ends_exactly_once_whatever_fails_and_a_good_one_never_fails(data):
    rows = data.draw(st.integers(0, 70), label="rows")
    numbers = st.integers(0, max(rows - 1, 0))
    bad = data.draw(st.frozensets(numbers), label="bad")
    skipped = data.draw(st.sets(numbers, max_size=10), label="skipped")
    # Fewer than what a row alone survives.
    lost = data.draw(st.lists(st.booleans(), max_size=12).filter(lambda one: sum(one) < 3))
    size, in_flight = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 4))
    trial = Trial(rows, bad, lost)
    asyncio.run(trial.run(size, in_flight, data.draw(st.integers(1, 30)), skipped))
    assert sorted(result.index for result in trial.kept) == sorted(set(range(rows)) - skipped)
    for result in trial.kept:
        expected = RowState.FAILED if result.index in bad else RowState.DONE
        assert result.state is expected
        if result.state is RowState.DONE:
            assert result.summary == f'{{"y": [{2.0 * result.index}]}}'
    assert max((len(numbers) for numbers in trial.sent), default=1) <= size
    # A row is sent once more for each time its request was halved, and for each loss.
    sent = Counter(number for numbers in trial.sent for number in numbers)
    assert max(sent.values(), default=0) <= size.bit_length() + 1 + sum(lost)


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.booleans(), st.integers(1, 200)), max_size=60),
)
def test_a_request_never_grows_beyond_its_most_nor_below_one_row(
    most: int, story: list[tuple[bool, int]]
):
    size = BatchSize(most)
    for went_well, rows in story:
        sent = min(rows, size.now)
        if went_well:
            size.went_well(sent)
        else:
            size.was_too_much(sent)
            assert sent == 1 or size.now <= sent // 2
        assert 1 <= size.now <= most


def test_requests_grow_back_when_all_goes_well():
    size = BatchSize(32)
    size.was_too_much(32)
    size.was_too_much(16)
    assert size.now == 8
    for _request in range(200):
        size.went_well(size.now)
    assert size.now == 32


CELLS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers().map(str),
    st.lists(st.integers(-9, 9) | st.floats(-1, 1)).map(json.dumps),
    st.sampled_from(["", " ", "true", "FALSE", "0", "1", "nan", "inf", "1_0", "007", "1e400", "x"]),
)
KINDS = st.sampled_from(["float", "double", "int64", "bool", "number", "list<item: double>"])


@settings(deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=8), KINDS)
def test_the_notebook_sends_what_a_run_sends(cells: list[str], kind: str):
    shown: list[Any] = []

    def infer(frame: pd.DataFrame, **_rest: float) -> pd.DataFrame:
        shown.append(frame["x"].iloc[0])
        return pd.DataFrame([{}])

    space: dict[str, Any] = {
        "table": {"x": cells},
        "INPUT_COLUMNS": ["x"],
        "READS": _reads(
            SimpleNamespace(input_columns=("x",), reads={"x": kind}),  # type: ignore[arg-type]
            draft(columns=(ColumnFacts("x", "string"),)),
        ),
        "TIMEOUT_S": 1.0,
        "pipeline": SimpleNamespace(infer=infer),
    }
    for code in (_COLUMN_INPUTS, _OUTPUTS):
        exec(compile(code, "cell", "exec"), space)  # noqa: S102 - our own notebook
    rows = [columns_row(at, {"x": cell}, {"x": kind}) for at, cell in enumerate(cells)]
    assert repr(shown) == repr([row.flags["x"] for row in rows if not row.unfit])


def test_long_lists_are_shown_as_the_texts_they_are():
    reads = {"x": "double", "picture": "list<item: double>", "name": ""}
    picture = json.dumps([0.5] * 5_000)
    row = {"x": "2", "picture": picture, "name": "7"}
    assert shown_inputs(row, reads) == {"x": 2.0, "picture": picture, "name": "7"}
    assert shown_inputs({**row, "picture": "[1]"}, reads)["picture"] == [1]
