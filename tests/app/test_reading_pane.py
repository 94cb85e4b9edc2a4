from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect, sync_playwright
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.util import patch_config_options

import components.reading_pane as pane_module
from components.reading_pane import ROWS_A_PAGE, pane_data
from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, RunRow
from tests.support.chromium import LAUNCH_ARGS, chromium_executable

ASSETS = Path(pane_module.__file__).parent / "assets"
TIMING = RowTiming(queue_ms=3, send_ms=2, wait_ms=445, engine_read_ms=2, model_ms=438, receive_ms=5)
ANSWERED = datetime(2026, 11, 22, 14, 2, 3, tzinfo=UTC)
HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "\u202eright to left override",
    "هذا نص عربي",
    "emoji 👩‍👩‍👧‍👦 and \x00 NUL",
    "lone \ud800 surrogate",
    "x" * 100_000,
    "",
)


def done(index: int, text: str = "A text to read.", summary: str = "A text.") -> RunRow:
    return RunRow(index, RowState.DONE, text, summary, 0, ANSWERED, TIMING)


def data_of(rows: list[RunRow], chosen: int = 0) -> dict[str, Any]:
    return pane_data(rows, chosen=chosen, engine_label="Made by the sandbox.", opinions={})


# What Python sends


def test_a_done_row_says_its_length_time_split_and_who_made_it():
    row = data_of([done(0, "one two three four", "one two")])["rows"][0]
    assert row["facts"] == "4 words · 455 ms"
    assert row["summary_facts"] == "2 words, 50 % of the input"
    assert [(s["text"], s["color"]) for s in row["segments"]] == [
        ("waiting 3.0 ms", 2),
        ("sending and platform 7.0 ms", 6),
        ("reading 2.0 ms", 3),
        ("model 438 ms", 0),
        ("receiving 5.0 ms", 1),
    ]
    assert sum(s["share"] for s in row["segments"]) == 455
    assert row["anomalies"] == "anomaly count 0"
    assert row["answered_at"] == "2026-11-22T14:02:03+00:00"


def test_a_failed_row_gives_its_reason_and_a_waiting_one_says_so():
    failed = RunRow(0, RowState.FAILED, "text", error="The engine did not answer within 60 s.")
    rows = data_of(
        [failed, RunRow(1, RowState.WAITING, "text"), replace(failed, index=2, error="")]
    )
    first, second, third = rows["rows"]
    assert first["notice"]["text"] == "The engine did not answer within 60 s."
    assert first["flag"]["text"] == "✕ failed"
    assert (first["total"], first["segments"]) == ("No time measured", [])
    assert second["flag"]["text"] == "… waiting"
    assert second["no_summary"].startswith("Waiting for its turn")
    assert third["notice"]["text"] == "The engine gave no reason."


def test_failed_checks_are_flagged_and_explained():
    row = data_of([replace(done(0), anomaly_count=2)])["rows"][0]
    assert row["flag"]["text"] == "▲ check"
    assert row["notice"]["title"] == "This answer failed 2 checks."


def test_an_overflowed_engine_clock_is_named_and_never_shown_as_a_time():
    row = data_of([replace(done(0), timing=replace(TIMING, model_ms=4294.967295, overflow=True))])
    texts = [segment["text"] for segment in row["rows"][0]["segments"]]
    assert "engine (its clock overflowed) and platform 445 ms" in texts
    assert not any("4295" in text or "model" in text for text in texts)


def test_small_texts_all_go_to_the_browser_and_large_ones_only_near_the_chosen_row():
    assert len(data_of([done(at) for at in range(50)])["texts"]) == 50
    large = [done(at, "word " * 4_000) for at in range(50)]
    assert sorted(map(int, data_of(large, chosen=20)["texts"])) == [18, 19, 20, 21, 22]
    assert sorted(map(int, data_of(large, chosen=0)["texts"])) == [0, 1, 2]


def test_the_browser_gets_one_page_of_rows_and_knows_its_neighbours():
    rows = [done(at * 2) for at in range(2 * ROWS_A_PAGE + 10)]
    data = data_of(rows, chosen=2 * ROWS_A_PAGE)
    assert [row["index"] for row in data["rows"]] == [
        row.index for row in rows[ROWS_A_PAGE : 2 * ROWS_A_PAGE]
    ]
    assert data["before"] == rows[ROWS_A_PAGE - 1].index
    assert data["after"] == rows[2 * ROWS_A_PAGE].index
    assert data["rows_facts"] == "201–400 of 410"


# What comes back


def page_with_pane(indexes: list[int], chosen: int) -> None:
    import streamlit as st

    from components.reading_pane import reading_pane
    from dashboard.domain.run import RowState, RunRow

    rows = [RunRow(index, RowState.DONE, "text", "text") for index in indexes]
    st.session_state["shown"] = reading_pane(rows, chosen=chosen, engine_label="", key="pane")


def run_pane(indexes: list[int], chosen: int, sent: object = None) -> AppTest:
    at = AppTest.from_function(page_with_pane, args=(indexes, chosen)).run(timeout=20)
    if sent is not None:
        send(at, sent)
    assert not at.exception
    return at


def send(at: AppTest, sent: object) -> None:
    """Rerun with what the browser would send; AppTest has no public way to drive a component."""
    own_id = at.get("bidi_component")[0].proto.id
    states = at._tree.get_widget_states()
    trigger = states.widgets.add()
    trigger.id = _make_trigger_id(own_id, "events")
    trigger.json_trigger_value = json.dumps(sent)
    at._run(states, timeout=20)


def choice(index: object, sequence: object = 1) -> dict[str, object]:
    return {"event": "chosen", "value": {"index": index, "sequence": sequence}}


def test_the_page_decides_the_row_until_the_reader_chooses_another():
    assert run_pane([0, 4, 9], 4).session_state["shown"] == 4
    at = run_pane([0, 4, 9], 4, [choice(9, 3)])
    assert at.session_state["shown"] == 9
    sent_down = json.loads(at.get("bidi_component")[0].proto.json)
    assert (sent_down["chosen"], sent_down["answers"]) == (9, 3)


def test_a_choice_counts_once_then_the_page_decides_again():
    at = run_pane([0, 4, 9], 4, [choice(9)])
    assert at.session_state["shown"] == 9
    assert at.run(timeout=20).session_state["shown"] == 4


def test_the_panes_state_may_stay_in_a_session_that_must_be_picklable():
    with patch_config_options({"runner.enforceSerializableSessionState": True}):
        at = run_pane([0, 4], 0, [choice(4)])
    assert at.session_state["pane"] is None


def test_a_row_that_is_not_there_shows_the_first():
    assert run_pane([3, 4], 99).session_state["shown"] == 3


def test_no_rows_draw_nothing_and_keep_the_choice():
    at = run_pane([], 7)
    assert at.session_state["shown"] == 7
    assert not at.get("bidi_component")


@pytest.mark.parametrize(
    "sent",
    [
        [choice(5)],
        [choice("4")],
        [choice(True)],
        [choice(4, None)],
        [{"event": "chosen", "value": 4}],
        [{"event": "other", "value": {"index": 4, "sequence": 1}}],
        "4",
    ],
)
def test_what_the_browser_should_not_have_sent_is_ignored(sent):
    assert run_pane([0, 1, 4], 0, sent).session_state["shown"] == 0


# What the reader sees and does: the pane itself, in a browser, without a server


INVOICE = (
    "The invoice of 3 November shows VAT at 21 %. The customer's company is in Lyon. "
    "Reverse charge should apply, so the net amount is €1,840. The order itself was fine."
)
CLAIMS = (
    "The invoice of 3 November shows VAT at 21 %.\nReverse charge should apply, so the net amount "
    "is €1,480. Shares of an airline fell."
)


def test_a_summary_says_what_each_sentence_rests_on_and_what_is_not_in_the_input():
    texts = data_of([done(0, INVOICE, CLAIMS)])["texts"]["0"]
    assert "".join(piece for piece, _ in texts["input"]) == INVOICE
    # What is never marked stays in one piece: of a book's sentences few are.
    assert [number for _, number in texts["input"]] == [0, None, 2, None]
    assert "".join(run for piece in texts["summary"] for run, _ in piece["runs"]) == CLAIMS
    claims = [piece for piece in texts["summary"] if "sources" in piece]
    assert [(claim["sources"], claim["words"]) for claim in claims] == [
        ([0], "From input sentence 1"),
        ([2], "Closest to input sentence 3"),
        ([], "No source found in the input"),
    ]
    assert ["1,480", "number"] in [list(run) for run in claims[1]["runs"]]
    assert texts["doubts"] == "Check this: 1,480 is not in the input."


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=chromium_executable(), args=list(LAUNCH_ARGS)
        )
        yield chromium
        chromium.close()


MOUNT = """async ([html, css, js, data]) => {
  const host = document.createElement("div")
  host.style.setProperty("--st-chart-categorical-colors", "red,green,blue,teal,navy,gray,lime,tan")
  document.body.replaceChildren(host)
  const root = host.attachShadow({ mode: "open" })
  root.innerHTML = `<style>${css}</style>${html}`
  const module = await import(URL.createObjectURL(new Blob([js], { type: "text/javascript" })))
  window.sent = []
  const setTriggerValue = (name, value) => window.sent.push([name, value])
  window.draw = (data) => module.default({ data, parentElement: root, setTriggerValue })
  window.draw(data)
}"""


@contextmanager
def mounted(browser, data: dict[str, Any], *, width: int = 1000):
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_default_timeout(5_000)
    problems: list[str] = []

    def refuse(dialog: Dialog) -> None:
        problems.append("dialog")
        dialog.dismiss()

    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", refuse)
    parts = [(ASSETS / f"reading_pane.{kind}").read_text("utf-8") for kind in ("html", "css", "js")]
    # As Streamlit does it: ASCII JSON that the browser parses.
    page.evaluate(
        f"(a) => ({MOUNT})([...a.slice(0, 3), JSON.parse(a[3])])", [*parts, json.dumps(data)]
    )
    yield page
    page.close()
    assert problems == []


def chosen_number(page: Page) -> str:
    return page.locator("li[aria-selected=true] .number").inner_text()


_PRESS = """(list, keys) => {
  const press = key => new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true});
  for (const key of keys) list.dispatchEvent(press(key));
}"""


def wait_sent(page: Page, index: int) -> int:
    page.wait_for_function("(i) => window.sent.at(-1)?.[1].index === i", arg=index)
    return int(page.evaluate("window.sent.at(-1)[1].sequence"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_text_and_runs_nothing(browser, text):
    rows = [done(0, text, text), RunRow(1, RowState.FAILED, text, error=text)]
    with mounted(browser, data_of(rows)) as page:
        shown = text.replace("\ud800", "\ufffd")
        told = {"": "(no text)"}.get(shown, shown)
        read = "([s]) => document.querySelector('div').shadowRoot.querySelector(s).textContent"
        assert page.evaluate(f"(a) => ({read})(a).toWellFormed()", [".input-text"]) == told
        page.get_by_role("button", name="Next row").locator("visible=true").click()
        assert chosen_number(page) == "2"
        assert page.locator(".notice").is_visible()
        assert page.locator("img, script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 1000


def test_rows_are_chosen_by_keyboard_and_only_the_last_choice_is_sent(browser):
    with mounted(browser, data_of([done(at, f"Text {at}") for at in range(30)])) as page:
        rows = page.get_by_role("listbox", name="Rows of the run")
        rows.focus()
        # Faster than anybody's fingers: a busy machine must not come between two of them.
        rows.evaluate(_PRESS, ["ArrowDown", "ArrowDown", "ArrowUp", "End", "Home", "PageDown"])
        assert chosen_number(page) == "8"
        expect(page.get_by_label("Text of the input")).to_have_text("Text 7")
        assert rows.get_attribute("aria-activedescendant") == "row-7"
        wait_sent(page, 7)
        assert page.evaluate("window.sent.length") == 1


def test_the_chosen_row_is_scrolled_into_the_list(browser):
    with mounted(browser, data_of([done(at) for at in range(60)])) as page:
        page.get_by_role("listbox", name="Rows of the run").press("End")
        expect(page.locator("#row-59")).to_be_in_viewport()
        assert page.evaluate("window.scrollY") == 0


def test_an_older_answer_does_not_take_the_reader_back(browser):
    rows = [done(at) for at in range(9)]
    with mounted(browser, data_of(rows)) as page:
        page.locator("#row-3").click()
        sequence = wait_sent(page, 3)
        page.locator("#row-6").click()
        page.evaluate("(d) => window.draw(d)", {**data_of(rows, chosen=3), "answers": sequence})
        assert chosen_number(page) == "7"
        sequence = wait_sent(page, 6)
        page.evaluate("(d) => window.draw(d)", {**data_of(rows, chosen=6), "answers": sequence})
        page.evaluate("(d) => window.draw(d)", {**data_of(rows, chosen=0), "answers": -1})
        assert chosen_number(page) == "1"


def test_stepping_past_the_page_asks_for_the_next_one(browser):
    rows = [done(at) for at in range(ROWS_A_PAGE + 5)]
    with mounted(browser, data_of(rows, chosen=ROWS_A_PAGE - 1)) as page:
        page.get_by_role("listbox", name="Rows of the run").press("ArrowDown")
        sequence = wait_sent(page, ROWS_A_PAGE)
        data = {**data_of(rows, chosen=ROWS_A_PAGE), "answers": sequence}
        page.evaluate("(d) => window.draw(d)", data)
        assert chosen_number(page) == str(ROWS_A_PAGE + 1)


def test_new_data_keeps_the_readers_place_in_a_long_text(browser):
    data = data_of([done(0, "word " * 3_000), RunRow(1, RowState.WAITING, "text")])
    with mounted(browser, data) as page:
        page.locator(".input-scroll").evaluate("node => { node.scrollTop = 400 }")
        fresh = data_of([done(0, "word " * 3_000), done(1)])
        page.evaluate("(d) => window.draw(d)", fresh)
        assert page.locator(".input-scroll").evaluate("node => node.scrollTop") == 400
        expect(page.locator("#row-1 .about")).to_contain_text("455 ms")


def test_a_phone_gets_a_picker_with_large_targets_and_the_summary_first(browser):
    rows = [done(0), replace(done(1), anomaly_count=1)]
    with mounted(browser, data_of(rows), width=400) as page:
        select = page.get_by_role("combobox", name="Row")
        expect(page.get_by_role("listbox", name="Rows of the run")).to_be_hidden()
        for target in (select, *page.locator(".picker button").all()):
            box = target.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44
        select.select_option(label="Row 2 of 2, check")
        wait_sent(page, 1)
        top = {
            name: page.get_by_label(f"Text of the {name}").bounding_box()
            for name in ("summary", "input")
        }
        assert top["summary"]["y"] < top["input"]["y"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_choosing_a_summary_sentence_marks_what_it_rests_on_until_it_is_chosen_again(browser):
    filler = "Nothing of note happened here. " * 120
    with mounted(browser, data_of([done(0, filler + INVOICE, CLAIMS), done(1)])) as page:
        marked = page.locator(".input-text .marked")
        claim = page.get_by_role("button", name="Reverse charge")
        claim.hover()
        expect(marked).to_have_text("Reverse charge should apply, so the net amount is €1,840.")
        claim.click()
        page.mouse.move(0, 0)
        expect(marked).to_be_in_viewport()
        expect(claim).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Shares of an airline").focus()
        expect(marked).to_have_count(0)
        page.evaluate("(d) => window.draw(d)", data_of([done(0, filler + INVOICE, CLAIMS)]))
        expect(claim).to_have_attribute("aria-pressed", "true")
        claim.click()
        claim.blur()
        page.mouse.move(0, 0)
        expect(marked).to_have_count(0)


def test_on_a_phone_the_source_comes_to_the_chosen_sentence(browser):
    with mounted(browser, data_of([done(0, INVOICE, CLAIMS)]), width=400) as page:
        page.get_by_role("button", name="The invoice of").click()
        source = page.locator(".source")
        expect(source).to_be_visible()
        expect(source).to_have_attribute(
            "data-text", "The invoice of 3 November shows VAT at 21 %."
        )


def test_what_somebody_thinks_of_a_row_is_told_in_the_list():
    rows = [done(0), done(1)]
    data = pane_data(rows, chosen=0, engine_label="", opinions={1: "judged bad"})
    assert data["rows"][1]["facts"].endswith(" · judged bad")
    assert data["rows"][1]["picked_as"] == "Row 2 of 2, judged bad"
    assert "judged" not in str(data["rows"][0])
