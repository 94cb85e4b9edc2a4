"""A model goes up in a browser, and what a pipeline was asked is found again in its log."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.e2e.test_story import (
    create_the_connection,
    deploy,
    link_it_to_the_workspace,
    summarize,
)
from tests.sandbox.archives import packed
from tests.support.launcher import running_dashboard


def upload(screens: Screens, folder: Path) -> None:
    """Choose a wrong file first: what is typed stays, and the right one goes up."""
    wrong, right = folder / "wrong.zip", folder / "model.zip"
    wrong.write_bytes(b"this is no zip")
    right.write_bytes(packed())
    screens.open_from_rail("Models")
    screens.button("Upload a model…").click()
    dialog = screens.dialog()
    name = dialog.get_by_role("textbox", name="Model name")
    name.fill("press-model")
    submit = screens.widget("upload_model_submit").get_by_role("button")
    for file in (wrong, right):
        dialog.locator("input[type=file]").set_input_files(str(file))
        expect(dialog.get_by_text(file.name).first).to_be_visible()
        expect(dialog.get_by_role("progressbar")).to_have_count(0)
        expect(submit).to_be_enabled()
        submit.click()
        if file is wrong:
            expect(dialog.get_by_text("This file is not a zip")).to_be_visible()
            expect(name).to_have_value("press-model")
    expect(screens.message("Uploaded press-model. It is ready.")).to_be_visible()
    expect(screens.page.get_by_text("2 models")).to_be_visible()


def read_the_log(screens: Screens) -> None:
    page = screens.page
    expect(page.get_by_role("article", name="Summary")).to_be_visible()
    screens.open_from_rail("Pipelines")
    screens.widget("pipeline_1_log").get_by_role("button").click()
    expect(screens.heading("Inference log")).to_be_visible()
    expect(page.get_by_text("1 inference")).to_be_visible()
    page.get_by_text("Last hour").click()
    expect(page).to_have_url(re.compile("span=hour"))
    expect(page.get_by_text("1 inference")).to_be_visible()
    with page.expect_download() as told:
        screens.widget("pipeline_log_csv").get_by_role("button").click()
    rows = list(csv.DictReader(io.StringIO(Path(told.value.path()).read_text("utf-8-sig"))))
    assert len(rows) == 1
    assert "Since December 2016" in rows[0]["in.inputs"]
    page.reload()
    expect(page.get_by_text("1 inference")).to_be_visible()


def test_a_model_goes_up_and_a_pipelines_log_is_read(page: Page, tmp_path: Path):
    with running_dashboard(tmp_path / "data") as dashboard:
        screens = Screens(page, dashboard.url)
        create_the_connection(screens)
        link_it_to_the_workspace(screens)
        deploy(screens)
        summarize(screens)
        read_the_log(screens)
        upload(screens, tmp_path)
