"""An export of one platform becomes connections again, with its slots filled in by hand."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.platform import sandbox_url, signed_in
from tests.support.secrets import Witness, found_in, found_in_files

ROOM = "workshop-workspace-summarization"
TYPED = {"token": "typed-token-a1b2c3", "header": "typed-header-d4e5f6"}
IN_FILE = {"note": "note-in-the-file-77ab"}


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path / "data") as running:
        yield running


def export(sample: str) -> str:
    names = ("imported/token", "imported/headers.X-Api-Key")
    details = {
        "url": sample,
        "note": IN_FILE["note"],
        "token": f"${{SECRET:{names[0]}}}",
        "headers": {"X-Api-Key": f"${{SECRET:{names[1]}}}"},
    }
    slots = {name: {"kind": "text", "label": name.partition("/")[2]} for name in names}
    entry = {"name": "imported", "type": "HTTP", "details": details, "slots": slots}
    return json.dumps(
        {
            "format": "wallaroo-dashboard-connections",
            "version": 1,
            "connections": [{**entry, "workspaces": [ROOM]}],
        }
    )


def test_an_import_with_slots_makes_a_linked_connection(page: Page, dashboard, tmp_path):
    witness = Witness()
    witness.follow(page)
    screens = Screens(page, dashboard.url)
    screens.go("import-connections")
    expect(screens.heading("Import connections")).to_be_visible()
    sample = f"{sandbox_url(dashboard.data_dir)}/_sandbox/samples/test_summarization.df.json"
    page.locator("input[type=file]").set_input_files(
        {
            "name": "connections.json",
            "mimeType": "application/json",
            "buffer": export(sample).encode(),
        }
    )
    button = screens.button("Import 1 connection")
    expect(button).to_be_visible()
    button.click()
    # Nothing is made before all of it is filled in; the field says so.
    expect(screens.widget("bad_import_slot_0_0")).to_contain_text("Fill this in")
    expect(page.locator("input[type=password]")).to_have_count(2)
    token, header = page.locator("input[type=password]").all()
    token.fill(TYPED["token"])
    header.fill(TYPED["header"])
    button.click()
    expect(screens.message(re.compile("Imported 1 connection"))).to_be_visible()
    expect(screens.heading("Connections")).to_be_visible()
    with signed_in(dashboard.data_dir) as platform:
        made = platform.post("/v1/api/connections/get", json={"name": "imported"}).json()
    assert made["details"] == {
        "url": sample,
        "note": IN_FILE["note"],
        "token": TYPED["token"],
        "headers": {"X-Api-Key": TYPED["header"]},
    }
    assert made["workspace_names"] == [ROOM]
    secrets = {**TYPED, **IN_FILE}
    assert len(witness.received) > 5
    assert found_in(witness.told() + page.content().encode(), secrets) == []
    assert found_in("".join(dashboard.output).encode(), secrets) == []
    assert found_in_files(tmp_path, secrets) == []
