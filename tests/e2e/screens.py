"""What a visitor does on the screens, in their words.

A page is drawn anew by every answer of the server, and a field or button that is replaced just
then swallows a click. A visitor looks, and tries again; so does everything here that can.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable

from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Locator, Page, expect

# Measured in the page itself: a driver that polls from outside is too coarse for this.
_MS_TO_HEADING = """name => new Promise(resolve => {
  const link = [...document.querySelectorAll('[data-testid=stSidebarNavLink]')]
    .find(one => one.textContent.includes(name));
  const began = performance.now();
  const observer = new MutationObserver(() => {
    const heading = document.querySelector('[data-testid=stMain] h1');
    if (heading && heading.textContent.trim() === name) {
      observer.disconnect();
      resolve(performance.now() - began);
    }
  });
  observer.observe(document.body, {subtree: true, childList: true, characterData: true});
  link.click();
})"""

ROW_PX = 38
HEADER_PX = 36
_TICK_PX = 16
_NAME_PX = 60

#: How long something is tried again, in all.
_PATIENCE_S = 60.0
#: How long one try is given to be seen.
_ONE_TRY_MS = 8_000


class Screens:
    """One visitor in one browser page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def go(self, path: str = "") -> None:
        self.page.goto(f"{self.url}/{path}")

    def open_from_rail(self, name: str) -> None:
        """Open a page from the rail.

        Streamlit folds a poll of the page that is left into a click that still waits, and stays
        there then.
        """
        link = self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name)
        heading = self.page.get_by_role("heading", name=name, exact=True, level=1)
        self.until(heading, link.click, what=f"the page {name} is open")

    def ms_to_heading(self, name: str) -> float:
        """Open a page from the rail; return the ms until its heading stands there."""
        return float(self.page.evaluate(_MS_TO_HEADING, name))

    def heading(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("heading", name=name, level=1)

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    def save(self) -> None:
        self.widget("new_connection_save").get_by_role("button").click()

    def field(self, name: str) -> Locator:
        """Return a field by its label; those that cannot stay empty have a star behind it."""
        return self.page.get_by_role("textbox", name=re.compile(rf"^{re.escape(name)}( \*)?$"))

    def widget(self, key: str) -> Locator:
        return self.page.locator(f".st-key-{key}")

    def card(self) -> Locator:
        """Return the card of the first pipeline."""
        return self.page.locator("[class*='st-key-pipeline_']").first

    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def close_dialog(self) -> None:
        self.until_gone(self.dialog(), self.dialog().get_by_role("button", name="Close").last.click)

    def leave_dialog(self) -> None:
        """Close what stands over the page by a key."""
        self.until_gone(self.dialog(), lambda: self.page.keyboard.press("Escape"))

    def message(self, text: str | re.Pattern[str]) -> Locator:
        """Return a message that tells how something ended; it stands there for some seconds."""
        return self.widget("messages").get_by_text(text)

    def cell(self, column: int, row: int) -> Locator:
        """A table's cell; tables are drawn on a canvas, its cells stand in the hidden table."""
        return self.page.get_by_test_id(f"glide-cell-{column}-{row}")

    def press_name(self, table: str, row: int) -> None:
        """Press the name in a row of a table, and see that what it names is open."""
        self.until(
            self.dialog(), lambda: self._press_row(table, row, _NAME_PX), what="the row is open"
        )

    def tick(self, table: str, row: int, shown: Locator) -> None:
        """Tick a row of a table, and see what tells that it is ticked."""
        self.until(shown, lambda: self._press_row(table, row, _TICK_PX), what="the row is ticked")

    def _press_row(self, table: str, row: int, across_px: int) -> None:
        grid = self.widget(table).get_by_test_id("stDataFrame")
        # Its rows are there when those of its hidden table are.
        grid.get_by_test_id(f"glide-cell-1-{row}").wait_for(state="attached", timeout=_ONE_TRY_MS)
        box = grid.bounding_box()
        if box is None:
            raise BrowserError("the table is drawn anew")
        # Drawn on a canvas below a scroller, so there is nothing in the page to click on.
        down_px = HEADER_PX + ROW_PX * row + ROW_PX // 2
        self.page.mouse.click(box["x"] + across_px, box["y"] + down_px)

    def ask_to_deploy(self) -> None:
        """Open the dialog of a deploy, beside whatever can be undeployed."""
        asks = self.page.get_by_role("button", name="Deploy…", exact=True).first
        self.until(self.dialog(), asks.click, what="the dialog of a deploy is open")

    def deploy(self) -> None:
        """Deploy the only pipeline and wait until it runs."""
        self.go("pipelines")
        self.ask_to_deploy()
        self.dialog().get_by_role("button", name="Deploy", exact=True).click()
        expect(self.card().get_by_text(re.compile("Running")).first).to_be_visible()

    def choose(self, label: str, option: str, *, exact: bool = False) -> None:
        """Choose an option of a select field by its text."""
        field = self.page.get_by_role("combobox", name=label, exact=True)
        self.choose_in(field, option, exact=exact)

    def choose_in(self, field: Locator, option: str, *, exact: bool = False) -> None:
        """As `choose`. A redraw of the page closes the field's list: it is opened again."""
        wanted = self.page.get_by_role("option", name=option, exact=exact)

        def choose() -> None:
            self._open(field)
            wanted.click(timeout=_ONE_TRY_MS)

        self._persist(choose, what=f"{option} is offered and chosen")

    def set_switch(self, label: str, *, on: bool) -> None:
        """Turn a switch on or off, and see that it is."""
        switch = self.page.get_by_role("switch", name=label, exact=True)

        def turn() -> None:
            if switch.is_checked(timeout=_ONE_TRY_MS) != on:
                self.page.get_by_text(label, exact=True).click(timeout=_ONE_TRY_MS)
            expect(switch).to_be_checked(checked=on, timeout=_ONE_TRY_MS)

        self._persist(turn, what=f"{label} is {'on' if on else 'off'}")

    def open_options(self, label: str, shown: Locator) -> None:
        """Open the list of a select field, and see one of its options."""
        field = self.page.get_by_role("combobox", name=label, exact=True)
        self.until(shown, lambda: self._open(field), what=f"the list of {label} is open")

    def _open(self, field: Locator) -> None:
        # A second click would close it.
        if field.get_attribute("aria-expanded", timeout=_ONE_TRY_MS) != "true":
            field.click(force=True, timeout=_ONE_TRY_MS)

    def until(self, shown: Locator, act: Callable[[], object], *, what: str = "") -> None:
        """Act until something is shown: again where a redraw has swallowed it."""

        def once() -> None:
            act()
            shown.first.wait_for(timeout=_ONE_TRY_MS)

        self._persist(once, what=what, is_done=shown.first.is_visible)

    def until_gone(self, shown: Locator, act: Callable[[], object]) -> None:
        """Act until something is not shown any more: again where a redraw has swallowed it."""

        def once() -> None:
            act()
            shown.wait_for(state="hidden", timeout=_ONE_TRY_MS)

        self._persist(once, what="it is gone", is_done=shown.is_hidden)

    def _persist(
        self,
        once: Callable[[], None],
        *,
        what: str,
        is_done: Callable[[], bool] = lambda: False,
    ) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                once()
            except (BrowserError, AssertionError) as error:
                with contextlib.suppress(BrowserError):
                    # It came a little late, and doing it again would undo it.
                    if is_done():
                        return
                if time.monotonic() > deadline:
                    raise AssertionError(f"not in {_PATIENCE_S:g} s: {what}") from error
                continue
            return
