"""People who are there before an installation starts: accounts, sessions and contacts, written by the storage layer.

Five thousand registrations would be five thousand password hashes, and they are not what is measured.
"""

import itertools
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.auth import refresh, signing
from bench.orders import Guest
from drill.installation import Installation
from protocols.values import new_id
from storage import Database
from storage.auth import AUTH, Account, AuthUnit, Session
from storage.contacts import CONTACTS, ContactsUnit
from storage.sides import Pair, Side

TOKEN_TTL = 86_400
DAY_MS = 86_400_000
NO_HASH = "nobody can log in with this"


@dataclass
class GuestBook:
    """Collects who is wanted; `write` makes them all, while the installation does not run."""

    _pairs: list[tuple[str, str]] = field(default_factory=list)
    _sessions: list[Session] = field(default_factory=list)
    _now: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    _signer: signing.Signer | None = None

    def invite(self, installation: Installation, count: int, name: str = "") -> list[Guest]:
        """So many people with a session each; with a name their ids are that and a number, always the same."""
        if self._signer is None:
            installation.paths.make()
            self._signer = signing.newest(installation.paths.secrets, self._now)
        fresh = []
        for number in range(count):
            user = f"{name}{number:06d}" if name else self._id()
            session = Session(
                id=self._id(), user=user, agent="bench", address="127.0.0.1",
                created_at=self._now, last_used_at=self._now, ends_at=self._now + DAY_MS,
            )  # fmt: skip
            token, _ = self._signer.sign(session, self._id(), self._now, TOKEN_TTL)
            self._sessions.append(session)
            fresh.append(Guest(session.user, token))
        return fresh

    def introduce(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Make contacts of each two."""
        self._pairs += pairs

    def pairs(self, installation: Installation, count: int) -> list[tuple[Guest, Guest]]:
        """So many pairs of new people who are in contact."""
        people = self.invite(installation, 2 * count)
        pairs = list(zip(people[::2], people[1::2], strict=True))
        self.introduce([(one.id, other.id) for one, other in pairs])
        return pairs

    async def write(self, installation: Installation) -> None:
        """Put them into the databases; what was written once is not written again."""
        databases = installation.paths.databases
        auth = await Database.open(AUTH, databases)
        try:
            await auth.run(self._write_people)
        finally:
            await auth.close()
        contacts = await Database.open(CONTACTS, databases)
        try:
            await contacts.run(self._write_pairs)
        finally:
            await contacts.close()
        self._sessions, self._pairs = [], []

    def _write_people(self, tx: AuthUnit) -> None:
        if self._signer is not None:
            tx.keys.ensure(self._signer.public, self._now)
        for session in self._sessions:
            account = Account(
                id=session.user, username=session.user, display_name=session.user[-8:], created_at=self._now
            )
            tx.accounts.add(account, NO_HASH, "")
            token = refresh.first(secrets.token_bytes)
            tx.sessions.begin(session, refresh.digest(token.family), refresh.begun(token, self._now))

    def _write_pairs(self, tx: ContactsUnit) -> None:
        change = tx.journal.next_change(max(1, len(self._pairs)))
        for (one, other), at in zip(self._pairs, itertools.count(change - len(self._pairs) + 1), strict=False):
            side = Side(stance="contact", met=True, at=self._now, change=at)
            tx.relations.put(one, other, Pair(side, side))

    def _id(self) -> str:
        return new_id(self._now, secrets.token_bytes(10))
