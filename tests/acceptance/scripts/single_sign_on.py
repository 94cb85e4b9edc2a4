"""Log-in through a browser: the notebook prints an address, a person opens it and agrees."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import threading
import time
from html.parser import HTMLParser
from typing import Any

import httpx
import wallaroo

URL = re.compile(r"https?://\S+")
LIMIT_S = 60.0


class Forms(HTMLParser):
    """Collects the forms of a page: where each goes and what it carries."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.found.append({"action": values["action"], "fields": {}})
        elif tag == "input" and self.found:
            self.found[-1]["fields"][values["name"]] = values.get("value") or ""


def send(browser: httpx.Client, page: httpx.Response, **typed: str) -> httpx.Response:
    form = Forms(page.text).found[0]
    origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
    return browser.post(form["action"], data=form["fields"] | typed, headers={"Origin": origin})


def main() -> None:
    username, password = os.environ.pop("WALLAROO_USER"), os.environ.pop("WALLAROO_PASSWORD")
    facts: dict[str, Any] = {}
    clients: list[Any] = []
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        notebook = threading.Thread(
            target=lambda: clients.append(wallaroo.Client(auth_type="sso")), daemon=True
        )
        notebook.start()
        deadline = time.monotonic() + LIMIT_S
        while not (printed := URL.search(said.getvalue())) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert printed, said.getvalue()
        base = os.environ["WALLAROO_URL"]
        facts["address"] = printed[0].startswith(base)
        with httpx.Client(base_url=base, follow_redirects=True, trust_env=False) as browser:
            page = browser.get(printed[0])
            page = send(browser, page, username=username, password=username, action="sign_in")
            facts["wrong password"] = page.status_code
            page = browser.get(printed[0])
            page = send(browser, page, username=username, password=password, action="sign_in")
            page = send(browser, page, action="allow")
            facts["allowed"] = page.status_code
        notebook.join(LIMIT_S)
    facts["said"] = "Login successful" in said.getvalue()
    (wl,) = clients
    facts["who"] = wl.auth.user_email() == username
    facts["works"] = isinstance(wl.list_workspaces(), list)
    # A second client takes the kept token and asks nobody.
    with contextlib.redirect_stdout(said):
        again = wallaroo.Client(auth_type="sso")
    facts["again"] = again.auth.user_id() == wl.auth.user_id()
    facts["workspace"] = wl.create_workspace("by-browser").name()
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
