"""What a visitor does on the screens, in their words."""

from __future__ import annotations

import contextlib
import re

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as TookTooLong

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
        there then: as a visitor would, it is clicked again.
        """
        link = self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name)
        for _ in range(2):
            link.click()
            with contextlib.suppress(TookTooLong):
                self.heading(name).wait_for(timeout=5_000)
                return
        link.click()
        expect(self.heading(name)).to_be_visible()

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

    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def close_dialog(self) -> None:
        self.dialog().get_by_role("button", name="Close").click()
        expect(self.dialog()).to_be_hidden()

    def message(self, text: str | re.Pattern[str]) -> Locator:
        return self.widget("messages").get_by_text(text)

    def cell(self, column: int, row: int) -> Locator:
        """A table's cell; tables are drawn on a canvas, its cells stand in the hidden table."""
        return self.page.get_by_test_id(f"glide-cell-{column}-{row}")

    def press_name(self, table: str, row: int) -> None:
        """Press the name in a row of a table."""
        grid = self.widget(table).get_by_test_id("stDataFrame")
        grid.wait_for()
        box = grid.bounding_box()
        assert box is not None
        # Drawn on a canvas below a scroller, so there is nothing in the page to click on.
        self.page.mouse.click(box["x"] + 60, box["y"] + HEADER_PX + ROW_PX * row + ROW_PX // 2)

    def deploy(self) -> None:
        """Deploy the only pipeline and wait until it runs."""
        self.go("pipelines")
        self.button("Deploy…").click(timeout=60_000)
        self.dialog().get_by_role("button", name="Deploy", exact=True).click()
        card = self.page.locator("[class*='st-key-pipeline_']").first
        expect(card.get_by_text(re.compile("Running")).first).to_be_visible(timeout=30_000)

    def choose(self, label: str, option: str, *, exact: bool = False) -> None:
        """Choose an option of a select field by its text."""
        field = self.page.get_by_role("combobox", name=label, exact=True)
        self.choose_in(field, option, exact=exact)

    def choose_in(self, field: Locator, option: str, *, exact: bool = False) -> None:
        """As `choose`.

        A redraw of the page just then closes the field: as a visitor would, it is opened again.
        """
        wanted = self.page.get_by_role("option", name=option, exact=exact)
        for patience_ms in (3_000, 3_000, 20_000):
            field.click(force=True)
            try:
                wanted.click(timeout=patience_ms)
            except TookTooLong:
                continue
            return
        raise AssertionError(f"{option} is not offered")
