"""The list of connections in a browser: searching, filtering, ticking, and the way back."""

from __future__ import annotations

import json
import re

import httpx
from playwright.sync_api import expect

from tests.e2e.screens import Screens
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.sandbox import RunningSandbox, token

FOUND = 123


def test_a_filter_a_page_and_the_way_back(page, tmp_path):
    with running_dashboard(tmp_path) as running:
        screens = Screens(page, running.url)
        screens.go("connections")
        foot = screens.widget("connections_foot")
        expect(foot).to_contain_text("1–6 of 6.")
        _connect(running, FOUND - 6)
        # The page reads its list again by itself.
        expect(foot).to_contain_text("1–50 of 123.")

        screens.widget("connections_search").get_by_role("textbox").press_sequentially("press")
        expect(foot).to_contain_text("filtered from 123.")
        assert "press" not in page.url
        screens.widget("connections_search").get_by_role("textbox").fill("")
        screens.widget("connections_search").get_by_role("textbox").press("Enter")
        expect(foot).to_contain_text("1–50 of 123.")

        foot.get_by_role("button", name="Page 2", exact=True).click()
        expect(foot).to_contain_text("51–100 of 123.")
        expect(page).to_have_url(re.compile(r"\?page=2$"))
        screens.choose("Type", "KAFKA")
        expect(foot).to_contain_text("filtered from 123.")
        expect(page).to_have_url(re.compile(r"\?type=KAFKA$"))

        screens.tick("connections_list", 0, page.get_by_text("1 selected"))

        page.go_back()
        expect(foot).to_contain_text("51–100 of 123.")
        expect(screens.widget("connections_bar")).to_contain_text("(1 not here)")
        page.go_forward()
        expect(foot).to_contain_text("filtered from 123.")

        address = page.url
        page.goto("about:blank")
        page.goto(address)
        expect(foot).to_contain_text("filtered from 123.")


def _connect(running: RunningDashboard, number: int) -> None:
    """Make connections on the dashboard's sandbox, past the dashboard."""
    folder = running.data_dir / "sandbox"
    account = json.loads((folder / "credentials.json").read_text(encoding="utf-8"))
    url = f"http://127.0.0.1:{(folder / 'port').read_text(encoding='ascii')}"
    sandbox = RunningSandbox(url, account["username"], account["password"], folder, running.process)
    headers = {"Authorization": f"Bearer {token(sandbox)}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as http:
        for at in range(number):
            kind = ("HTTP", "KAFKA")[at % 2]
            body = {"name": f"press-{at:03d}", "type": kind, "details": {"host": "h.example"}}
            http.post("/v1/api/connections/create", json=body).raise_for_status()
