"""The people of the instance and their password hashes."""

from __future__ import annotations

import uuid

from dashboard.sandbox.store.database import Database, Row


class Users:
    """Who may log in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Every request looks its sender up; nobody else writes this file while we own it.
        self._by_id: dict[str, Row] = {}

    def add(self, username: str, *, password_hash: str | None) -> Row:
        """Add a person; the user name is the e-mail address."""
        row: Row = {
            "id": str(uuid.uuid4()),
            "username": username,
            "email": username,
            "password_hash": password_hash,
            "enabled": 1,
            "created_at": self._database.now(),
        }
        self._database.insert("users", row)
        self._by_id.clear()
        return row

    def set_password(self, user_id: str, password_hash: str) -> None:
        """Replace the password of a person."""
        self._database.run(
            "UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, user_id)
        )
        self._by_id.clear()

    def set_enabled(self, user_id: str, *, enabled: bool) -> None:
        """Let a person in, or shut them out."""
        self._database.run("UPDATE users SET enabled = ? WHERE id = ?", (int(enabled), user_id))
        self._by_id.clear()

    def by_id(self, user_id: str) -> Row | None:
        """Return one person."""
        known = self._by_id.get(user_id)
        if known is None:
            known = self._database.one("SELECT * FROM users WHERE id = ?", (user_id,))
            if known is not None:
                self._by_id[user_id] = known
        return known

    def by_name(self, username: str) -> Row | None:
        """Return the person of this user name or e-mail address, whatever its case."""
        return self._database.one(
            "SELECT * FROM users WHERE username = ?1 COLLATE NOCASE OR email = ?1 COLLATE NOCASE",
            (username,),
        )

    def listing(self) -> list[Row]:
        """Return everybody, oldest first."""
        return self._database.all("SELECT * FROM users ORDER BY created_at, rowid")
