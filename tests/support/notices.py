"""notifier without its process: real databases of all whom it follows, and somebody who says who looks at what."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import json, msgpack

from actors.contacts import Contacts
from actors.notifier import Notifier
from actors.notifier.following import SOURCES, Following
from actors.notifier.presence import Presence
from actors.runtime import Effect, Environment, Mail
from actors.runtime.dispatch import Result, Work, dispatch
from protocols.contacts import Relationship
from protocols.frames import NoticeFrame, NoticesRead
from protocols.mail import Changed, Command, Push
from protocols.notifier import Decision, Device, Notice
from storage import Database
from storage.auth import AUTH, AuthUnit, Chain, Session
from storage.contacts import CONTACTS
from storage.notifier import NOTIFIER, NotifierUnit
from tests.support.chat import House
from tests.support.uploads import keep, upload


class Seen(Presence):
    """Knows what the test says: `here` maps people to their devices."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.here: dict[str, list[Device]] = {}
        self.known = True

    def devices(self, person: str) -> Sequence[Device]:
        return self.here.get(person, [])

    def settled(self) -> bool:
        return self.known


@dataclass
class Office:
    """`house` is router's, whose clock is everybody's. `pushed`: every frame that was let out, by person."""

    house: House
    actor: Notifier
    database: Database[NotifierUnit]
    pushed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    count: int = 0
    monotonic: float = 0.0

    @classmethod
    async def open(cls, folder: Path) -> "Office":
        house = await House.open(folder)
        await keep(folder)
        office = cls(house, Notifier(house.actor.environment), await Database.open(NOTIFIER, folder))
        office.begin()
        # The first look finds the present ends of the logs.
        await office.look()
        return office

    def begin(self) -> None:
        """As a process that has just started: whatever was in memory is gone."""
        here = self.seen.here if isinstance(self.actor.presence, Seen) else {}
        self.actor = Notifier(self.house.actor.environment)
        self.actor.presence = Seen(self.actor.environment)
        self.actor.following = Following(self.actor.presence, lambda: self.monotonic)
        self.seen.here = here

    async def close(self) -> None:
        await self.database.close()
        await self.house.close()

    @property
    def seen(self) -> Seen:
        assert isinstance(self.actor.presence, Seen)
        return self.actor.presence

    async def look(self) -> None:
        """What the timer does each second."""
        self._take(await self.database.run(lambda tx: list(self.actor.look(tx, self.house.now))))

    async def hint(self, *sources: str) -> None:
        """Hints of these owners arrive, in one batch."""
        await self.make(*(("", Changed(source=source, change=0)) for source in sources or SOURCES))

    async def do(self, person: str, command: Command[Any], number: str = "") -> Result:
        (result,) = await self.make((person, command), number=number)
        return result

    async def make(self, *commands: tuple[str, Command[Any]], number: str = "") -> list[Result]:
        """Do (person, command)s in one transaction."""
        works = [self._work(person, command, number) for person, command in commands]
        results = await self.database.run(lambda tx: dispatch(self.actor, tx, works))
        for result in results:
            self._take(result.effects)
        return results

    async def contacts(self, person: str, command: Command[Relationship]) -> Relationship:
        """Have contacts do something."""
        database = await Database.open(CONTACTS, self.house.databases)
        try:
            actor = Contacts(self.house.actor.environment)
            self.count += 1
            mail: Mail[Any] = Mail(f"c{self.count}", person, command, self.house.now)
            work = Work(Contacts.handlers()[type(command)], mail, msgpack.encode(command))
            (result,) = await database.run(lambda tx: dispatch(actor, tx, [work]))
        finally:
            await database.close()
        assert result.value is not None, result.error
        return msgpack.decode(result.value, type=Relationship)

    async def accounts(self, work: Callable[[AuthUnit], object]) -> None:
        """Have auth's database changed."""
        database = await Database.open(AUTH, self.house.databases)
        try:
            await database.run(work)
        finally:
            await database.close()

    async def upload(self, id: str = "u1", **fields: Any) -> None:  # noqa: A002  (as the field)
        """Have file_chunker's ledger say this of Ann's upload for Bob; it was begun at 0."""
        await keep(self.house.databases, upload(id, **{"created": 0, **fields}))

    async def sign_in(self, person: str, session: str, *, familiar: bool, agent: str = "curl") -> None:
        """A session begins."""
        now = self.house.now
        one = Session(
            id=session,
            user=person,
            agent=agent,
            address="198.51.100.7",
            created_at=now,
            last_used_at=now,
            ends_at=now + 10**9,
        )
        chain = Chain(link=b"l", previous=None, rotated_at=now)
        await self.accounts(lambda tx: tx.sessions.begin(one, session.encode(), chain, familiar=familiar))

    async def notices(self, person: str) -> list[Notice]:
        """All of a person's, in order of change."""
        return await self.database.read(lambda tx: tx.notices.since(person, 0, 10_000)[0])

    async def decisions(self, person: str) -> list[Decision]:
        """The newest first."""
        return await self.database.read(lambda tx: tx.decisions.of(person, 10_000))

    def frames(self, person: str, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.pushed.get(person, []) if frame["type"] == kind]

    def _work(self, person: str, command: Command[Any], number: str) -> Work:
        self.count += 1
        mail: Mail[Any] = Mail(number or f"n{self.count}", person, command, self.house.now, "socket")
        return Work(Notifier.handlers()[type(command)], mail, msgpack.encode(command))

    def _take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            assert isinstance(effect, Push)
            frame = json.decode(effect.frame)
            if frame["type"] in {"notice", "notices_read"}:
                json.decode(effect.frame, type=NoticeFrame | NoticesRead)
            for person in effect.to:
                self.pushed.setdefault(person, []).append(frame)
