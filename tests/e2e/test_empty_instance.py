"""On an empty instance the way to a running pipeline is no dead end."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.sandbox.archives import packed
from tests.support.launcher import running_dashboard


def create_a_workspace(screens: Screens) -> None:
    screens.open_from_rail("Workspaces")
    screens.widget("workspaces_first").get_by_role("button").click()
    name = screens.dialog().get_by_role("textbox", name="Name")
    create = screens.dialog().get_by_role("button", name="Create workspace")
    name.fill("bad name!")
    create.click()
    expect(screens.dialog().get_by_text("letters, digits and dashes only")).to_be_visible()
    expect(name).to_have_value("bad name!")
    name.fill("press-desk")
    create.click()
    expect(screens.message("Created the workspace press-desk")).to_be_visible()
    # The new one stands open.
    expect(screens.dialog().get_by_text("Nobody but you yet.")).to_be_visible()
    screens.close_dialog()


def make_a_pipeline_from_an_uploaded_model(screens: Screens, archive: Path) -> None:
    screens.open_from_rail("Pipelines")
    screens.widget("pipelines_first").get_by_role("button").click()
    dialog = screens.dialog()
    dialog.locator("input[type=file]").set_input_files(str(archive))
    upload = screens.widget("upload_model_submit").get_by_role("button")
    expect(upload).to_be_enabled()
    upload.click()
    create = dialog.get_by_role("button", name="Create pipeline")
    expect(create).to_be_visible()
    create.click()
    expect(screens.message("It uses nothing until you deploy it")).to_be_visible()


def test_from_nothing_to_a_running_pipeline(page: Page, tmp_path):
    archive = tmp_path / "model.zip"
    archive.write_bytes(packed())
    with running_dashboard(tmp_path / "data", sandbox_seed="empty") as dashboard:
        screens = Screens(page, dashboard.url)
        screens.go("connections")
        expect(page.get_by_text("No connections yet")).to_be_visible()
        screens.open_from_rail("Summarize")
        expect(page.get_by_text("No workspace yet")).to_be_visible()
        create_a_workspace(screens)
        make_a_pipeline_from_an_uploaded_model(screens, archive)
        screens.ask_to_deploy()
        screens.dialog().get_by_role("button", name="Deploy", exact=True).click()
        card = page.locator("[class*='st-key-pipeline_']").first
        expect(card.get_by_text("Running").first).to_be_visible()
