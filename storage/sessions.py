"""Sessions: which devices are signed in, and where each stands in its chain of refresh tokens."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from storage.journal import Journal

_COLUMNS: Final = "id, user, agent, address, created_at, last_used_at, ends_at, ended_at IS NOT NULL"


class Session(Struct, frozen=True, kw_only=True):
    """A signed-in device. Times are Unix milliseconds; `ended` tells that it was ended before its time."""

    id: str
    user: str
    agent: str
    address: str
    created_at: int
    last_used_at: int
    ends_at: int
    ended: bool = False

    def live(self, now: int) -> bool:
        """Whether its tokens are good at `now`."""
        return not self.ended and now < self.ends_at


class Chain(Struct, frozen=True, kw_only=True):
    """Where a session's refresh tokens stand: hashes of the newest and of the one before, which yielded it."""

    link: bytes
    previous: bytes | None
    rotated_at: int


class Sessions:
    """An ended session stays for a while, so that its refresh tokens and its owner's browser are still known."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal

    def get(self, session_id: str) -> Session | None:
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM session WHERE id = ?", (session_id,)).fetchone()
        return None if row is None else _session(row)

    def of(self, user_id: str, now: int) -> list[Session]:
        """A person's live sessions, the one used last first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM session WHERE user = ? AND ended_at IS NULL AND ends_at > ? "
            "ORDER BY last_used_at DESC, id DESC",
            (user_id, now),
        )
        return [_session(row) for row in rows]

    def ended_since(self, change: int, limit: int) -> tuple[list[str], int]:
        """Ids of sessions ended after that change number, oldest first, and the number to go on from.

        Begin with the journal's present change number. Sessions that merely ran out of time are among them within
        a minute.
        """
        rows = self._connection.execute(
            "SELECT id, ended_change FROM session WHERE ended_change > ? ORDER BY ended_change LIMIT ?",
            (change, limit),
        ).fetchall()
        return [str(row[0]) for row in rows], int(rows[-1][1]) if rows else change

    def ended_of(self, user_id: str, since: int) -> list[str]:
        """Ids of a person's sessions that were ended at `since` (Unix ms) or later."""
        rows = self._connection.execute(
            "SELECT id FROM session WHERE user = ? AND ended_at >= ? ORDER BY ended_change", (user_id, since)
        )
        return [str(row[0]) for row in rows]

    def begin(self, session: Session, family: bytes, chain: Chain, *, familiar: bool = True) -> None:
        """`familiar`: the person was signed in there before, or has just registered."""
        self._connection.execute(
            "INSERT INTO session (id, user, agent, address, created_at, last_used_at, ends_at, family, link, previous, "
            "rotated_at, begun_change, familiar) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                session.id,
                session.user,
                session.agent,
                session.address,
                session.created_at,
                session.last_used_at,
                session.ends_at,
                family,
                chain.link,
                chain.previous,
                chain.rotated_at,
                self._journal.next_change(),
                familiar,
            ),
        )

    def unfamiliar_since(self, change: int, limit: int) -> list[tuple[Session, int]]:
        """Sessions that began on new devices after that change number, each with its own, in order."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS}, begun_change FROM session WHERE begun_change > ? AND NOT familiar "
            "ORDER BY begun_change LIMIT ?",
            (change, limit),
        )
        return [(_session(row[:-1]), int(row[-1])) for row in rows]

    def by_family(self, family: bytes) -> tuple[Session, Chain] | None:
        """The session, live or not, to which a refresh token belongs by the hash of its common part."""
        row: Sequence[Any] | None = self._connection.execute(
            f"SELECT link, previous, rotated_at, {_COLUMNS} FROM session WHERE family = ?", (family,)
        ).fetchone()
        if row is None:
            return None
        return _session(row[3:]), Chain(link=row[0], previous=row[1], rotated_at=row[2])

    def rotate(self, session: Session, chain: Chain) -> None:
        """Keep where the chain stands now, and when the session was used and will end."""
        self._connection.execute(
            "UPDATE session SET link = ?, previous = ?, rotated_at = ?, last_used_at = ?, ends_at = ? WHERE id = ?",
            (chain.link, chain.previous, chain.rotated_at, session.last_used_at, session.ends_at, session.id),
        )

    def end(self, ids: Sequence[str], now: int) -> None:
        """End those that have not ended yet. Each gets a change number of its own: they are read in pages."""
        for session_id in ids:
            session = self.get(session_id)
            if session is not None and not session.ended:
                self._connection.execute(
                    "UPDATE session SET ended_at = ?, ended_change = ? WHERE id = ?",
                    (now, self._journal.next_change(), session_id),
                )

    def end_of(self, user_id: str, now: int, *, but: str = "") -> None:
        """End all sessions of a person, except one."""
        rows = self._connection.execute(
            "SELECT id FROM session WHERE user = ? AND id <> ? AND ended_at IS NULL ORDER BY id", (user_id, but)
        ).fetchall()
        self.end([str(row[0]) for row in rows], now)

    def overdue(self, now: int, limit: int) -> list[str]:
        """Ids of sessions whose time is over and that nobody has ended yet."""
        rows = self._connection.execute(
            "SELECT id FROM session WHERE ended_at IS NULL AND ends_at <= ? ORDER BY ends_at LIMIT ?", (now, limit)
        )
        return [str(row[0]) for row in rows]

    def forget_devices(self, user_id: str) -> None:
        """Blank what a person's sessions tell about their devices and whereabouts."""
        self._connection.execute("UPDATE session SET agent = '', address = '' WHERE user = ?", (user_id,))

    def forget(self, before: int, limit: int) -> None:
        """Drop sessions that were ended before `before` (Unix ms), at most `limit` of them."""
        self._connection.execute(
            "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ended_at < ? LIMIT ?)", (before, limit)
        )


def _session(row: Sequence[Any]) -> Session:
    return Session(
        id=row[0],
        user=row[1],
        agent=row[2],
        address=row[3],
        created_at=row[4],
        last_used_at=row[5],
        ends_at=row[6],
        ended=bool(row[7]),
    )
