"""What the page says of a table before a run of columns, and the words for other models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from components.deploy_dialog import out_of_sight
from components.table_fit import SentColumns
from dashboard.domain.model import ModelVersion
from dashboard.domain.run import RowState, RunRow
from dashboard.domain.table import ColumnFacts
from dashboard.views import deploying
from tests.app import stories
from tests.app.conftest import settle, shown, words

PASSPORT = replace(
    stories.passport(),
    format="CSV",
    rows=2,
    columns=tuple(ColumnFacts(name, "string") for name in ("id", "body", "x")),
)
ROWS = [
    {"id": "1", "body": "A text.", "x": "2.5"},
    {"id": "2", "body": "Another.", "x": "none"},
]


def draw_card(passport, rows, sent, *, is_of_texts):
    from components.table_card import table_card

    table_card(passport, rows, key="text", is_of_texts=is_of_texts, sent=sent)


def card(sent: SentColumns | None, *, is_of_texts: bool = False) -> AppTest:
    given = {"is_of_texts": is_of_texts}
    return AppTest.from_function(draw_card, args=(PASSPORT, ROWS, sent), kwargs=given).run()


def test_texts_that_go_out_as_numbers_are_told_and_so_is_the_row_that_will_fail():
    at = card(SentColumns((ColumnFacts("x", "float"), ColumnFacts("body", "string"))))
    told = shown(words(at))
    assert "Sent as numbers" in told
    assert "Sent as texts" not in told
    assert "Row 2 will fail: Column “x” must hold a number; this row holds a text." in told
    assert "none" not in told


def test_a_model_of_texts_gets_the_texts_of_a_csv():
    told = words(card(SentColumns((ColumnFacts("body", "string"), ColumnFacts("id", "string")))))
    assert "Sent as texts" in told
    assert "will fail" not in told


def test_what_does_not_fit_is_said_before_the_run():
    told = shown(words(card(SentColumns(problem="The model reads 3 values from “x”."))))
    assert "Does not fit the model" in told
    assert "The model reads 3 values from “x”." in told


def test_nothing_is_promised_while_it_is_not_known_what_the_model_reads():
    told = words(card(None))
    assert "Sent as columns" in told
    assert not any(word in told for word in ("Sent as texts", "Sent as numbers", "Does not fit"))


def test_a_column_of_numbers_is_offered_last_as_the_text_and_never_suggested():
    at = card(None, is_of_texts=True)
    (choice,) = at.selectbox
    assert choice.options == ["body", "x", "id"]
    assert at.button(key="text_use").label == "Use body as inputs"
    at.button(key="text_use").click().run()
    assert "**body** is sent as **inputs**" in words(at)


def test_where_all_columns_hold_numbers_none_is_suggested():
    given = {"is_of_texts": True}
    rows = [{"id": "1", "body": "7", "x": ""}, {"id": "2", "body": "8", "x": "1.5"}]
    at = AppTest.from_function(draw_card, args=(PASSPORT, rows, None), kwargs=given).run()
    assert [one.key for one in at.button] == []


def draw_values(rows):
    from components.value_table import value_table

    value_table(rows, key="values")


def prices(at: AppTest) -> Any:  # a list of cells
    (frame,) = at.dataframe
    sent = pa.ipc.open_stream(frame.proto.arrow_data.data).read_all()
    return sent.column("out: price").to_pylist()


def test_one_number_in_a_list_is_shown_as_the_number_it_is():
    outputs: list[dict[str, Any]] = [{"price": [0.73]}, {"price": [[2]]}, {"price": []}]
    rows = [RunRow(at, RowState.DONE, "", outputs=one) for at, one in enumerate(outputs[:2])]
    assert prices(AppTest.from_function(draw_values, args=(rows,)).run()) == [0.73, 2.0]
    rows.append(RunRow(2, RowState.DONE, "", outputs=outputs[2]))
    told = prices(AppTest.from_function(draw_values, args=(rows,)).run())
    assert told == ["0.73", "2", "[]"]


def draw_steps(version):
    from components.steps import steps_row
    from components.vocabulary import vocabulary_of
    from dashboard.domain.story import StoryFacts, steps

    steps_row(steps(StoryFacts()), on_press=print, said=vocabulary_of(version))


@pytest.mark.parametrize("framework", ["onnx", "hugging-face-summarization"])
def test_the_steps_speak_of_a_summarizer_where_there_is_one(framework):
    version = ModelVersion(1, "v", "m", "sha", framework=framework)
    told = words(AppTest.from_function(draw_steps, args=(version,)).run())
    is_summarizer = framework != "onnx"
    assert ("Deploy the summarizer" in told) is is_summarizer
    assert ("Deploy the model" in told) is not is_summarizer


@pytest.mark.parametrize("framework", ["onnx", "hugging-face-summarization"])
def test_the_page_speaks_of_texts_to_a_summarizer_alone(open_page, demo, monkeypatch, framework):
    version = ModelVersion(0, "v", "m", "sha", framework=framework)
    monkeypatch.setattr(deploying, "model_version_of", lambda _pipeline: version)
    at = settle(open_page("summarize"))
    is_summarizer = framework != "onnx"
    assert at.title[0].value == ("Summarize" if is_summarizer else "Run")
    assert any(one.label == "Try one text" for one in at.expander) is is_summarizer
    assert ("Choose where the texts come from" in words(at)) is is_summarizer


def draw_reason(wrong):
    import streamlit as st

    from components import presenting
    from components.deploy_dialog import out_of_sight

    presenting.switch(is_wanted=True)
    st.text(out_of_sight(wrong))


def test_a_variable_that_presenter_mode_hides_is_said_to_be_hidden():
    at = AppTest.from_function(draw_reason, args=({"environment_0": "Type it."},)).run()
    assert "turn presenter mode off" in at.text[0].value
    at = AppTest.from_function(draw_reason, args=({"label": "No."},)).run()
    assert at.text[0].value == ""
    assert out_of_sight({"environment_0": "Type it."}) == ""
