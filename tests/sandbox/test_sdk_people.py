"""People, tags and lists on the unmodified SDK, and the log-in that a person confirms."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser

import httpx
import pytest

from tests.support.sandbox import REPOSITORY, running_sandbox

#: Far beyond what it takes, on the slowest machine.
LIMIT_S = 300.0


class _Form(HTMLParser):
    """The fields of a page's form."""

    def __init__(self, text):
        super().__init__()
        self.fields = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "input":
            self.fields[values["name"]] = values.get("value") or ""


def confirm(sandbox, address):
    """Do what a person does with the address that the SDK prints."""
    with httpx.Client(follow_redirects=True, timeout=30.0, trust_env=False) as browser:
        page = browser.get(address)
        account = {"username": sandbox.username, "password": sandbox.password}
        form = _Form(page.text).fields | account | {"action": "sign_in"}
        asked = browser.post(address.partition("?")[0], data=form)
        assert "The Wallaroo SDK wants to log in" in asked.text
        form = _Form(asked.text).fields | {"action": "allow"}
        assert "is logged in" in browser.post(address.partition("?")[0], data=form).text


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the script saw: it logs in by a browser and goes on from there."""
    home = tmp_path_factory.mktemp("people")
    with running_sandbox(home / "data") as sandbox:
        environment = {
            **os.environ,
            "WALLAROO_URL": sandbox.url,
            "XDG_CACHE_HOME": str(home / "cache"),
            "NO_PROXY": "127.0.0.1",
            "SSL_CERT_DIR": str(home),
        }
        process = subprocess.Popen(
            [sys.executable, "-u", "-W", "ignore", "-m", "tests.sandbox.sdk_people"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            confirm(sandbox, address_in(process))
            printed, said = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0, said
        yield {"printed": printed, "said": said, "account": sandbox.username, **last(printed)}


def address_in(process):
    """Return the address the SDK prints, as soon as it does."""
    lines: queue.Queue[str] = queue.Queue()

    def read():
        for line in iter(process.stdout.readline, ""):
            lines.put(line)
            if "http" in line:
                return
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while line := lines.get(timeout=LIMIT_S):
        if found := re.search(r"http\S+", line):
            return found[0]
    raise AssertionError(process.stderr.read())


def last(printed):
    return json.loads(printed.splitlines()[-1])


def test_the_sdk_logs_in_by_a_browser_and_its_token_is_renewed(seen):
    assert "Login successful!" in seen["printed"]
    assert seen["boss"] == seen["account"]
    assert seen["renewed"]
    assert "ERROR" not in seen["said"]


def test_two_people_share_a_workspace_and_one_is_no_administrator(seen):
    assert {"id", "email", "username", "enabled", "createdTimestamp"} <= set(seen["invited"])
    assert seen["ann"] == ["ann@example.com", 0]
    assert "UserLimitError" in seen["no_admin"][0]
    assert "EntityNotFoundError" in seen["no_admin"][1]
    assert seen["members"] == [seen["account"], "ann@example.com"]
    assert "already exists in workspace shared" in seen["no_owner"][0]
    assert "Failed to invite" in seen["no_owner"][1]
    assert seen["left"] == ["ann@example.com"]
    assert "Last user of a workspace" in seen["last"]
    assert seen["gone"] == []
    assert {seen["account"], "ann@example.com"} <= set(seen["users"])
    assert seen["email"] == "ann@example.com"
    assert seen["default"] == "ann@example.com - Default Workspace"


def test_a_stranger_finds_nothing(seen):
    models, pipelines, by_name, deployment = seen["strangers"]
    assert (models, pipelines) == (0, 0)
    assert by_name.startswith("EntityNotFoundError")
    assert deployment.startswith("EntityNotFoundError")


def test_tags_are_found_listed_and_taken_off(seen):
    assert seen["tag"][1:] == ["release-7", ["release-7"]]
    model, pipeline = ["hf-summarizer"], ["hf-summarizer"]
    tag = ["release-7"]
    versions = seen["tagged"].pop()
    assert seen["tagged"] == [model, pipeline, tag, tag, model]
    assert len(versions) == 1
    assert seen["table"]
    assert seen["untagged"] == [0, 0]


def test_searches_and_lookups_take_every_condition(seen):
    assert seen["searched"] == [1, 0, 1, 1, 1, 0, 0]
    assert seen["by_name"][:3] == [True, True, ["hf-summarizer"]]
    assert seen["by_name"][3].startswith("EntityNotFoundError")


def test_deployments_are_listed(seen):
    assert seen["deployment"] == ["hf-summarizer", True, True, ["hf-summarizer"], None]
    assert seen["undeployed"] == [False]
