"""Invitations: codes that let one person register each. Only their hashes are kept."""

import sqlite3


class Invitations:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, code: bytes, expires: int) -> None:
        """`code` is the SHA-256 of the code, `expires` Unix milliseconds."""
        self._connection.execute("INSERT INTO invitation (code, expires) VALUES (?, ?)", (code, expires))

    def good(self, code: bytes, now: int) -> bool:
        """Whether somebody could register with it at `now`."""
        row = self._connection.execute(
            "SELECT 1 FROM invitation WHERE code = ? AND used_by IS NULL AND expires > ?", (code, now)
        ).fetchone()
        return row is not None

    def use(self, code: bytes, user_id: str, now: int) -> bool:
        """Spend it on a new account. False when it cannot be used."""
        return (
            self._connection.execute(
                "UPDATE invitation SET used_by = ? WHERE code = ? AND used_by IS NULL AND expires > ?",
                (user_id, code, now),
            ).rowcount
            == 1
        )

    def forget(self, before: int) -> None:
        """Drop codes that expired before `before` (Unix ms)."""
        self._connection.execute("DELETE FROM invitation WHERE expires < ?", (before,))
