"""Finds the browser for the browser tests: `CHROMIUM`, then the PATH, then Playwright's own."""

from __future__ import annotations

import os
import shutil

#: A container's root has no user namespaces to sandbox a page in, and the pages are our own. The
#: rest keeps the browser from calling its maker.
LAUNCH_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_executable() -> str | None:
    """Return the path for Playwright's `executable_path`; None means the browser it brings."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    return None
