"""The people of the instance, their roles and their password hashes."""

from __future__ import annotations

import uuid

from dashboard.sandbox.store.database import Database, Row


class LastAdmin(Exception):
    """The instance would be left without an administrator who can log in."""


class NameInUse(Exception):
    """Somebody else has this user name or e-mail address."""


class Users:
    """Who may log in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Every request looks its sender up; nobody else writes this file while we own it.
        self._by_id: dict[str, Row] = {}

    def add(self, username: str, *, password_hash: str | None, is_admin: bool = False) -> Row:
        """Add a person; the user name is the e-mail address. Raises NameInUse."""
        row: Row = {
            "id": str(uuid.uuid4()),
            "username": username,
            "email": username,
            "password_hash": password_hash,
            "enabled": 1,
            "created_at": self._database.now(),
            "is_admin": int(is_admin),
            "first_name": "",
            "last_name": "",
        }
        with self._database.transaction():
            if self.by_name(username) is not None:
                raise NameInUse(username)
            self._database.insert("users", row)
        self._by_id.clear()
        return row

    def set_password(self, user_id: str, password_hash: str) -> None:
        """Replace the password of a person."""
        self._change(user_id, password_hash=password_hash)

    def set_enabled(self, user_id: str, *, enabled: bool) -> None:
        """Let a person in, or shut them out. Raises LastAdmin."""
        self._change(user_id, enabled=int(enabled))

    def set_admin(self, user_id: str, *, is_admin: bool) -> None:
        """Make a person an administrator, or an ordinary user again. Raises LastAdmin."""
        self._change(user_id, is_admin=int(is_admin))

    def edit(self, user_id: str, **values: str | int) -> None:
        """Change `email, first_name, last_name, enabled, is_admin`.

        Raises
        ------
        NameInUse
            If the e-mail address is another person's.
        LastAdmin
            If nobody would be left to administer the instance.
        """
        with self._database.transaction():
            owner = self.by_name(str(values["email"])) if "email" in values else None
            if owner is not None and owner["id"] != user_id:
                raise NameInUse(str(values["email"]))
            self._change(user_id, **values)

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

    def _change(self, user_id: str, **values: str | int) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._database.transaction():
            sql = f"UPDATE users SET {columns} WHERE id = ?"  # noqa: S608  # names are ours
            had_one = self._has_admin()
            self._database.run(sql, (*values.values(), user_id))
            if had_one and not self._has_admin():
                raise LastAdmin(user_id)
        self._by_id.clear()

    def _has_admin(self) -> bool:
        return self._database.one("SELECT 1 FROM users WHERE is_admin AND enabled") is not None
