"""A small actor for tests of the runtime: it writes words into a list, and misbehaves when told to."""

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct

from actors.runtime import Actor, Mail, handles
from protocols.errors import Refusal
from protocols.mail import Command, Done, Push
from storage import Schema, Unit

DEADLY = "deadly"
RAISING = "raising"
REFUSED = "refused"
LOCKED = "locked"


class TallyUnit(Unit):
    def add(self, person: str, word: str) -> int:
        row = self.connection.execute(
            "INSERT INTO entry (person, word) VALUES (?, ?) RETURNING place", (person, word)
        ).fetchone()
        return int(row[0])

    def words(self) -> list[str]:
        return [word for (word,) in self.connection.execute("SELECT word FROM entry ORDER BY place")]


class Written(Struct, frozen=True):
    place: int


class Write(Command[Written], frozen=True, kw_only=True, tag="write"):
    word: str


class Decree(Command[Written], frozen=True, kw_only=True, tag="decree"):
    operator: ClassVar[bool] = True
    word: str


class Slow(Command[Done], frozen=True, kw_only=True, tag="slow"):
    durable: ClassVar[bool] = False
    secret: ClassVar[bool] = True
    seconds: float


SCHEMA = Schema("tally", TallyUnit, Path(__file__).parent)


class Tally(Actor[TallyUnit]):
    name = "router"  # the name of a broker user that may own a mailbox
    schema = SCHEMA

    def told(self, _tx: TallyUnit, mail: Mail[Any], reply: Written) -> Iterable[Push]:
        return [Push(to=[mail.person], frame=b"%d" % reply.place, correlation=mail.correlation)]

    @handles(Write, tells=told)
    def write(self, tx: TallyUnit, mail: Mail[Write]) -> Written:
        word = mail.command.word
        if word.startswith(DEADLY):
            os.kill(os.getpid(), signal.SIGKILL)
        place = tx.add(mail.person, word)
        if word == RAISING:
            raise ValueError("told to")
        if word == REFUSED:
            raise Refusal("forbidden")
        if word == LOCKED and (tx.databases / "locked").exists():
            raise Refusal("unavailable", "told to wait")
        return Written(place=place)

    @handles(Decree)
    def decree(self, tx: TallyUnit, mail: Mail[Decree]) -> Written:
        return Written(place=tx.add(mail.person, mail.command.word))

    async def wait(self, mail: Mail[Slow]) -> float:
        await asyncio.sleep(mail.command.seconds)
        return mail.command.seconds

    @handles(Slow, prepare=wait)
    def slow(self, _tx: TallyUnit, mail: Mail[Slow]) -> Done:
        if mail.prepared != mail.command.seconds:
            raise ValueError("not prepared")
        return Done()
