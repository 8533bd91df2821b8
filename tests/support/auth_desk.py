"""auth as an actor without its process: commands are prepared and go straight into a transaction; time is a number."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from msgspec import msgpack

from actors.auth import Auth
from actors.runtime import Effect, Environment, Mail
from actors.runtime.declaration import Timer
from actors.runtime.dispatch import Result, Work, dispatch
from protocols.auth import LogIn, Register, SignedIn
from protocols.errors import Refusal
from protocols.mail import Command, SessionsOver, reply_type
from settings import Paths
from storage import Database
from storage.auth import AUTH, AuthUnit
from tests.support.node import installation

NOW = 1_700_000_000_000
PASSWORD = "a walrus sings at noon"
OTHER_PASSWORD = "eleven quiet lanterns"
AWAY = "198.51.100.7"
"""An address of another machine (RFC 5737)."""

R = TypeVar("R")
T = TypeVar("T")


@dataclass
class Desk:
    """`told` gathers the sessions that effects named as over."""

    actor: Auth
    database: Database[AuthUnit]
    clock: list[int]
    told: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def now(self) -> int:
        return self.clock[0]

    def pass_time(self, *, seconds: float = 0.0, days: float = 0.0) -> None:
        self.clock[0] += round((days * 86_400 + seconds) * 1000)

    async def prepare(self, command: Command[Any], person: str = "", number: str = "") -> Work:
        """A command on its way, its slow step done. Raises the Refusal that this step answers with."""
        self.count += 1
        handler = Auth.handlers()[type(command)]
        mail: Mail[Any] = Mail(id=number or f"command-{self.count}", person=person, command=command, now=self.now)
        if handler.prepare is not None:
            mail = replace(mail, prepared=await handler.prepare(self.actor, mail))
        return Work(handler, mail, msgpack.encode(command))

    async def commit(self, *works: Work) -> list[Result]:
        results = await self.database.run(lambda tx: dispatch(self.actor, tx, works))
        for result in results:
            self._tell(result.effects)
        return results

    async def do(self, command: Command[R], person: str = "", number: str = "") -> R:
        """The reply. Raises the Refusal that the command is answered with."""
        (result,) = await self.commit(await self.prepare(command, person, number))
        if result.error is not None:
            raise Refusal.of(result.error)
        assert result.value is not None
        reply: R = msgpack.decode(result.value, type=reply_type(type(command)))
        return reply

    async def refused(self, command: Command[Any], person: str = "", number: str = "") -> Refusal:
        try:
            reply = await self.do(command, person, number)
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"not refused: {reply!r}")

    async def register(self, username: str = "ann", number: str = "", **fields: str) -> SignedIn:
        command = Register(username=username, password=fields.pop("password", PASSWORD), **fields)
        return await self.do(command, number=number)

    async def log_in(self, username: str = "ann", password: str = PASSWORD, **fields: str) -> SignedIn:
        return await self.do(LogIn(username=username, password=password, **fields))

    async def live(self, session: str) -> bool:
        row = await self.database.read(lambda tx: tx.sessions.get(session))
        return row is not None and row.live(self.now)

    async def tick(self) -> None:
        """Every timer, once."""
        for timer in Auth.timers():
            effects = await self.database.run(partial(self._due, timer))
            self._tell(effects)

    def _tell(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            assert isinstance(effect, SessionsOver)
            self.told += effect.sessions

    def _due(self, timer: Timer, tx: AuthUnit) -> Sequence[Effect]:
        return list(timer.function(self.actor, tx, self.now) or ())


@contextlib.asynccontextmanager
async def open_desk(folder: Path, clock: list[int] | None = None, **sections: dict[str, object]) -> AsyncIterator[Desk]:
    """A started auth in `folder`, with the cheapest hashes there are."""
    sections["auth"] = {"bcrypt_cost": 4, **sections.get("auth", {})}
    settings = installation(folder, **sections)
    paths = Paths.of(settings)
    clock = clock if clock is not None else [NOW]
    for needed in (paths.databases, paths.secrets):
        needed.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = await Database.open(AUTH, paths.databases)
    try:
        actor = Auth(Environment(settings, paths, now=lambda: clock[0]))
        actor.read = database.read
        await actor.started()
        try:
            yield Desk(actor, database, clock)
        finally:
            await actor.stopped()
    finally:
        await database.close()
