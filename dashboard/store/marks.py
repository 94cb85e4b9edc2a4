"""A handful of facts about the visitor's way that must survive a restart: names, never secrets."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path


class Marks:
    """Texts by key in one small JSON file, replaced as a whole. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._marks = self._load()

    def get(self, key: str) -> str:
        """Return the text kept under `key`, or an empty one."""
        with self._lock:
            return self._marks.get(key, "")

    def put(self, key: str, text: str) -> None:
        """Keep `text` under `key`; writes only what changed."""
        with self._lock:
            if self._marks.get(key) == text:
                return
            self._marks[key] = text
            # A mark that cannot be written costs the visitor a tick on the home page, no more.
            with contextlib.suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                draft = self._path.with_suffix(".new")
                draft.write_text(json.dumps(self._marks, indent=1), encoding="utf-8")
                draft.replace(self._path)

    def _load(self) -> dict[str, str]:
        # A damaged file costs the visitor a tick on the home page, no more.
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(stored, dict):
            return {}
        return {str(key): text for key, text in stored.items() if isinstance(text, str)}
