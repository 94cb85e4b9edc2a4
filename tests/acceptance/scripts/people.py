"""Log-in, tokens, people and workspaces as scripts use them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import wallaroo
from wallaroo.auth import TokenFetchError
from wallaroo.object import EntityNotFoundError

CACHE = Path(os.environ["XDG_CACHE_HOME"])


def client_of(email: str, password: str) -> Any:
    """Log somebody else in; the SDK's cache is per folder, not per person."""
    os.environ.update(
        WALLAROO_USER=email, WALLAROO_PASSWORD=password, XDG_CACHE_HOME=str(CACHE / email)
    )
    return wallaroo.Client()


def main() -> None:
    wl = wallaroo.Client()
    workspace = wl.get_workspace("shared-work", create_if_not_exist=True)
    assert wl.set_current_workspace(workspace).name() == "shared-work"
    assert wl.get_current_workspace().id() == workspace.id()
    try:
        wl.create_workspace("shared-work")
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        assert str(exc) == "Failed to create workspace."  # noqa: PT017  # a script, not a test
    else:
        raise AssertionError("a second workspace of this name was made")
    refresh(wl)
    use_a_token(wl)
    share(wl, workspace)


def refresh(wl: Any) -> None:
    """An access token that ended is renewed; with a bad refresh token by the password."""
    kept = CACHE / "wallaroo_sdk" / "auth" / "keycloak.json"
    for broken in ({"expiry": 1.0}, {"expiry": 1.0, "refresh_token": "no token"}):
        before = json.loads(kept.read_text())
        kept.write_text(json.dumps(before | broken))
        assert wl.list_workspaces()
        assert json.loads(kept.read_text())["access_token"] != before["access_token"]


def use_a_token(wl: Any) -> None:
    """A client that is given a token needs no password."""
    token = wl.auth.auth_header()["Authorization"].removeprefix("Bearer ")
    path = CACHE / "token.json"
    account = {"token": token, "user_email": wl.auth.user_email(), "user_id": wl.auth.user_id()}
    path.write_text(json.dumps(account))
    os.environ["WALLAROO_SDK_CREDENTIALS"] = str(path)
    names = [each.name() for each in wallaroo.Client(auth_type="token").list_workspaces()]
    del os.environ["WALLAROO_SDK_CREDENTIALS"]
    assert names == [each.name() for each in wl.list_workspaces()]


def share(wl: Any, workspace: Any) -> None:
    """Invite somebody, share, take back, shut out and let in again."""
    wl.invite_user("ann@example.com", "a password")
    ann = client_of("ann@example.com", "a password")
    assert ann.list_workspaces() == []
    assert ann.get_current_workspace().name() == "ann@example.com - Default Workspace"
    workspace.add_user("ann@example.com")
    assert [each.email() for each in workspace.users()] == [wl.auth.user_email(), "ann@example.com"]
    assert "shared-work" in [each.name() for each in ann.list_workspaces()]
    assert "ann@example.com" in wl.list_workspaces()._repr_html_()  # what notebooks show
    workspace.remove_user("ann@example.com")
    assert "shared-work" not in [each.name() for each in ann.list_workspaces()]
    try:
        workspace.add_user("nobody@example.com")
    except EntityNotFoundError as exc:
        assert "nobody@example.com" in str(exc)  # noqa: PT017  # a script, not a test
    else:
        raise AssertionError("nobody was added")
    shut_out(wl, ann)


def shut_out(wl: Any, ann: Any) -> None:
    """A deactivated person's token ends at once, and a log-in is refused."""
    wl.deactivate_user("ann@example.com")
    for attempt in (ann.list_workspaces, lambda: client_of("ann@example.com", "wrong")):
        try:
            attempt()
        except TokenFetchError as exc:
            assert "[HTTP 401]" in str(exc)  # noqa: PT017  # a script, not a test
        except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
            assert str(exc) == "Unauthorized"  # noqa: PT017  # as above
        else:
            # The constructor is content with the cached token; the first call is not.
            assert attempt is not ann.list_workspaces
    wl.activate_user("ann@example.com")
    assert ann.list_workspaces()


if __name__ == "__main__":
    main()
