"""Who is logged in: one session per log-in, with the refresh token that counts in it."""

from __future__ import annotations

import hmac
import secrets
import uuid

from dashboard.sandbox.store.database import Database, Row

#: An idle session ends after half an hour, any session after ten hours; offline ones never.
IDLE_S = 1800
LONGEST_S = 36_000
#: Several processes share the SDK's token file and refresh at once. For so long the one that comes
#: late gets the same successor; after that an old refresh token is taken for a stolen one.
GRACE_S = 60


class Sessions:
    """The sessions of one instance. Times are seconds since the epoch, given by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Every request asks whether its session has ended; nobody else writes this file.
        ended = database.all("SELECT id FROM login_sessions WHERE has_ended = 1")
        self._ended = {str(row["id"]) for row in ended}

    def open(
        self, user_id: str, client_id: str, *, scope: str, is_offline: bool, now: float
    ) -> Row:
        """Begin a session and return it."""
        row: Row = {
            "id": str(uuid.uuid4()),
            "user_id": user_id,
            "client_id": client_id,
            "scope": scope,
            "is_offline": int(is_offline),
            "started_at": now,
            "rotated_at": now,
            "refresh_id": secrets.token_urlsafe(16),
        }
        with self._database.transaction():
            self._sweep(now)
            self._database.insert("login_sessions", row)
        return row

    def get(self, session_id: str) -> Row | None:
        """Return one session, whether it has ended or not."""
        return self._database.one("SELECT * FROM login_sessions WHERE id = ?", (session_id,))

    def has_ended(self, session_id: str) -> bool:
        """Say whether somebody signed out of this session."""
        return session_id in self._ended

    def rotate(self, session_id: str, refresh_id: str, *, now: float) -> Row | None:
        """Use up the refresh token `refresh_id` and return the session with its successor.

        None if the session is over. A refresh token that was used up before ends the session:
        two people have it.
        """
        with self._database.transaction():
            row = self.get(session_id)
            if row is None or row["has_ended"] or self._is_over(row, now):
                return None
            if hmac.compare_digest(str(row["refresh_id"]).encode(), refresh_id.encode()):
                if not row["is_offline"]:
                    row |= {"previous_id": row["refresh_id"], "rotated_at": now}
                    row["refresh_id"] = secrets.token_urlsafe(16)
                self._database.run(
                    "UPDATE login_sessions SET refresh_id = ?, previous_id = ?, rotated_at = ? "
                    "WHERE id = ?",
                    (row["refresh_id"], row["previous_id"], now, session_id),
                )
                return row
            came_late = hmac.compare_digest(str(row["previous_id"]).encode(), refresh_id.encode())
            if came_late and now < float(row["rotated_at"]) + GRACE_S:
                return row
            self.end(session_id)
            return None

    def end(self, session_id: str) -> None:
        """Sign out: the tokens of this session count no more."""
        touched = self._database.run(
            "UPDATE login_sessions SET has_ended = 1 WHERE id = ?", (session_id,)
        )
        if touched:
            self._ended.add(session_id)

    def end_of_user(self, user_id: str) -> None:
        """Sign a person out everywhere, after their password was changed."""
        for row in self._database.all(
            "SELECT id FROM login_sessions WHERE user_id = ? AND has_ended = 0", (user_id,)
        ):
            self.end(row["id"])

    def _is_over(self, row: Row, now: float) -> bool:
        idle = now >= float(row["rotated_at"]) + IDLE_S
        return not row["is_offline"] and (idle or now >= float(row["started_at"]) + LONGEST_S)

    def _sweep(self, now: float) -> None:
        """Forget what is long over: no token of it can still be alive."""
        gone = self._database.all(
            "SELECT id FROM login_sessions WHERE rotated_at < ? AND (is_offline = 0 OR has_ended)",
            (now - LONGEST_S,),
        )
        for row in gone:
            self._database.run("DELETE FROM login_sessions WHERE id = ?", (row["id"],))
            self._ended.discard(row["id"])
