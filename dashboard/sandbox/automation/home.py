"""The folder a run lives in, and the environment variables it sees: made from nothing each time."""

from __future__ import annotations

import json
import os
import shutil
import site
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from dashboard.sandbox.store import Row

#: What a run gets of the sandbox's environment, which may hold keys.
_PASSED_ON: Final = (
    *("LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_LOOPBACK: Final = "127.0.0.1,localhost,::1"


def furnish(home: Path, *, arguments: object, token: Mapping[str, object]) -> None:
    """Put into a new home what the SDK reads there: the arguments, and the token of the run."""
    _write_private(home / "arguments.json", arguments)
    cache = Path("Library/Caches") if sys.platform == "darwin" else Path(".cache")
    _write_private(home / cache / "wallaroo_sdk" / "auth" / "keycloak.json", token)
    (home / ".tmp").mkdir(mode=0o700, exist_ok=True)


def _write_private(path: Path, content: object) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made anew: the archive may have had a file of this name, readable or a program's log.
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)


def variables(
    home: Path, *, task: Row, origin: str, interpreter: Path, shared: Path
) -> dict[str, str]:
    """Return the environment variables of a run, as an instance sets them.

    Parameters
    ----------
    shared
        A folder where runs may keep what is slow to make and no secret.
    """
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    proxies = {name: os.environ[name] for name in _PROXIES if _is_open(os.environ.get(name, ""))}
    return {
        **passed,
        **proxies,
        "NO_PROXY": _LOOPBACK,
        "no_proxy": _LOOPBACK,
        "PATH": os.pathsep.join((str(interpreter.parent), os.environ.get("PATH", os.defpath))),
        "HOME": str(home),
        "TMPDIR": str(home / ".tmp"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "MPLCONFIGDIR": str(shared),
        # In a home of its own a program would look for a person's packages in vain.
        **({"PYTHONUSERBASE": site.getuserbase()} if site.ENABLE_USER_SITE else {}),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "WALLAROO_URL": origin,
        "WALLAROO_SDK_AUTH_TYPE": "orch",
        "WALLAROO_TASK_ID": task["id"],
        "TASK_ID": task["id"],
        "TASK_DEBUG": "true" if task["debug"] else "false",
        "ORCH_ID": task["orchestration_id"],
        "ORCH_SHA": task["orchestration_sha"],
        "ORCH_OWNER_ID": task["owner_id"],
    }


def _is_open(proxy: str) -> bool:
    """Say whether a proxy's address is there and has no password in it."""
    try:
        return bool(proxy) and "@" not in urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc
    except ValueError:
        return False


def remove(folder: Path) -> None:
    """Delete a folder, as far as that is possible."""
    shutil.rmtree(folder, ignore_errors=True)
