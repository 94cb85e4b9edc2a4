"""Connections as scripts use them: awkward names and details, links, lists, failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wallaroo

AWKWARD: list[tuple[str, str, Any]] = [
    ("My amazing connection", "ODBC", {"username": "u", "password": "p", "port": 1433}),
    ("<b>x</b>", "T'\"&<i>", {"nested": {"list": [1, 2, None, True, 1.5]}}),
    ("é漢字🙂", "тип", {"ключ": "знач🙂"}),
    ("a/b?c=d#e%20", "x", "just text"),
    ("Robert'); DROP TABLE connections;--", "x", {"a": 1}),
    ("line\nbreak\ttab", "x", []),
    (" ", "", {}),
    ("no details", "x", None),
    ("a number", "x", 3),
    ("large", "x", {"blob": "y" * 900_000}),
]
DUPLICATE = "This connection already exists.  Please choose a different connection name."


def failure(act: Callable[[], object]) -> str:
    """Return the text with which a call fails; the SDK raises nothing more precise."""
    try:
        act()
    except Exception as exc:  # noqa: BLE001  # see above
        return str(exc)
    return "nothing was raised"


def main() -> None:
    wl = wallaroo.Client()
    workspace = wl.get_workspace("connection-tests", create_if_not_exist=True)
    before = [each.name() for each in wl.list_connections()]
    for name, kind, details in AWKWARD:
        made = wl.create_connection(name, kind, details)
        assert (made.name(), made.connection_type(), made.details()) == (name, kind, details)
        read = wl.get_connection(name)
        assert (read.id(), read.connection_type()) == (made.id(), kind)
        assert read.details() == details
        assert read.workspace_names() == []
    listed = wl.list_connections()
    assert [each.name() for each in listed] == before + [name for name, _, _ in AWKWARD]
    assert listed._repr_html_().count("*****") == len(listed)  # what notebooks show
    refuse(wl, workspace)
    link(wl, workspace)


def refuse(wl: Any, workspace: Any) -> None:
    """Try what must fail."""
    again = lambda: wl.create_connection("My amazing connection", "x", {})  # noqa: E731
    assert failure(again) == DUPLICATE
    failed = "Failed to create connection"
    for name, details in [("nan", {"a": float("nan")}), ("huge", {"a": "y" * 2_000_000})]:
        assert failure(lambda: wl.create_connection(name, "x", details)) == failed  # noqa: B023
    assert failure(lambda: wl.create_connection(None, "x", {})) == failed
    assert failure(lambda: wl.get_connection("nan")) == "Failed to get connection"
    assert failure(lambda: workspace.add_connection("nan")) == "Failed to get connection"


def link(wl: Any, workspace: Any) -> None:
    """Link, list, unlink, delete."""
    assert workspace.list_connections()._repr_html_() == "(no connections)"
    for name in ("é漢字🙂", "My amazing connection"):
        workspace.add_connection(name)
    twice = failure(lambda: workspace.add_connection("é漢字🙂"))
    assert twice == "Failed to add connection to workspace"
    linked = [each.name() for each in workspace.list_connections()]
    assert linked == ["é漢字🙂", "My amazing connection"]
    assert wl.get_connection("é漢字🙂").workspace_names() == ["connection-tests"]
    workspace.remove_connection("é漢字🙂")
    workspace.remove_connection("é漢字🙂")
    wl.get_connection("My amazing connection").delete_connection()
    assert workspace.list_connections() == []
    assert failure(lambda: wl.get_connection("My amazing connection")).startswith("Failed")
    assert wl.get_connection("é漢字🙂").workspace_names() == []


if __name__ == "__main__":
    main()
