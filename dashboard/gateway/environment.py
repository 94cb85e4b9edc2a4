"""What the SDK and its HTTP library read from the process environment, set in one place.

Nothing else in the gateway touches `os.environ`. What is set for the building of one SDK client is
put back before the lock is let go, so that no other client and no child process sees it.
"""

from __future__ import annotations

import json
import os
import ssl
import tempfile
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from dashboard.domain.identity import Identity

#: The SDK insists on a token at construction. The real one is put on each request by the wire, so
#: that no token lies in a file, in the environment or in an SDK object.
PLACEHOLDER_TOKEN = "set-on-each-request"  # noqa: S105 - deliberately not a token
_CREDENTIALS = "WALLAROO_SDK_CREDENTIALS"
_FORCES_ANOTHER_LOGIN = "WALLAROO_TASK_ID"
_BUILDING = threading.Lock()


def prefer_certificate_folder(
    environ: MutableMapping[str, str] = os.environ, *, folders: tuple[str, ...] | None = None
) -> str | None:
    """Make TLS look certificates up in a hashed folder instead of parsing a bundle each time.

    Parsing the bundle costs about 17 ms of CPU for every SDK object that opens a session of its
    own, even on plain http. A person's own `SSL_CERT_FILE` or `SSL_CERT_DIR` is never overruled,
    and a folder without hashed `*.0` files is never used: nothing could be verified with it.

    Returns
    -------
    str or None
        The folder now in use because of this call, else None.
    """
    if environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR"):
        return None
    if folders is None:
        found = ssl.get_default_verify_paths()
        folders = tuple(path for path in (found.capath, found.openssl_capath) if path)
    for folder in folders:
        if any(Path(folder).glob("*.0")):
            environ["SSL_CERT_DIR"] = folder
            return folder
    return None


@contextmanager
def building_client_for(
    who: Identity, environ: MutableMapping[str, str] = os.environ
) -> Iterator[None]:
    """Hold the one lock under which an SDK client is built, with the variables it reads.

    The SDK reads the account from a file named by a variable, process-wide; and inside one of the
    platform's own tasks it would ignore the kind of log-in it was asked for.
    """
    facts = {"token": PLACEHOLDER_TOKEN, "user_email": who.email, "user_id": who.user_id}
    with _BUILDING, tempfile.TemporaryDirectory(prefix="dashboard-") as folder:
        path = Path(folder) / "account.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(facts, file)
        names = (_CREDENTIALS, _FORCES_ANOTHER_LOGIN)
        before = {name: environ.pop(name, None) for name in names}
        environ[_CREDENTIALS] = str(path)
        try:
            yield
        finally:
            for name, value in before.items():
                environ.pop(name, None)
                if value is not None:
                    environ[name] = value
