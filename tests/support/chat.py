"""router without its process: commands go straight into a transaction of a real database, beside real siblings."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import json, msgpack

from actors.router import Router
from actors.runtime import Environment, Mail
from actors.runtime.dispatch import Result, Work, dispatch
from protocols import frames
from protocols.mail import Command, Push
from protocols.records import message_id
from protocols.router import MarkUnread, Receipt, SendMessage, Stored
from protocols.values import conversation_of
from settings import Paths
from storage import Database
from storage.contacts import CONTACTS, ContactsUnit
from storage.router import ROUTER, RouterUnit
from storage.sides import Pair, Side
from tests.support.node import installation
from tests.support.people import ANN, BOB, CAT, DAN, make_people

NOW = 1_700_000_000_000

CONTACT = Pair(Side(stance="contact", met=True), Side(stance="contact", met=True))
BLOCKED = Pair(Side(met=True, blocks=True), Side(met=True))

Pushed = frames.Message | frames.MessageChanged | frames.ReceiptFrame

_decode_pushed = json.Decoder(Pushed).decode


async def relate(databases: Path, pairs: Iterable[tuple[str, str]], pair: Pair = CONTACT) -> None:
    """Write what contacts' database says of each two, and close it again."""

    def put(tx: ContactsUnit) -> None:
        for one, other in pairs:
            tx.relations.put(one, other, pair)

    contacts = await Database.open(CONTACTS, databases)
    try:
        await contacts.run(put)
    finally:
        await contacts.close()


@dataclass
class House:
    """Ann is in contact with Bob and with Cat; Dan knows nobody. `now` is the clock."""

    actor: Router
    database: Database[RouterUnit]
    databases: Path
    now: int = NOW
    ids: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    async def open(cls, folder: Path) -> "House":
        await make_people(folder, ANN, BOB, CAT, DAN)
        await relate(folder, [(ANN, BOB), (ANN, CAT)])
        settings = installation(folder)
        return cls(Router(Environment(settings, Paths.of(settings))), await Database.open(ROUTER, folder), folder)

    async def close(self) -> None:
        await self.database.close()

    async def make(self, *commands: tuple[str, str, Command[Any]]) -> list[Result]:
        """Do (person, id, command)s in one transaction; a correlation is "socket:" and the id."""
        works = [self.work(*command) for command in commands]
        return await self.database.run(lambda tx: dispatch(self.actor, tx, works))

    def work(self, person: str, number: str, command: Command[Any]) -> Work:
        mail: Mail[Any] = Mail(id=number, person=person, command=command, now=self.now, correlation=f"socket:{number}")
        return Work(Router.handlers()[type(command)], mail, msgpack.encode(command))

    async def do(self, person: str, command: Command[Any], number: str = "") -> Result:
        (result,) = await self.make((person, number or self.fresh(), command))
        return result

    async def say(self, person: str, to: str, body: str, number: str = "", *, reply_to: str = "") -> Stored:
        return stored(await self.do(person, SendMessage(to=to, body=body, reply_to=reply_to), number))

    async def tell(self, person: str, peer: str, *, delivered: int = 0, read: int = 0, private: bool = False) -> Result:
        conversation = conversation_of(person, peer)
        return await self.do(
            person, Receipt(conversation=conversation, delivered=delivered, read=read, private=private)
        )

    async def mark(self, person: str, peer: str, seq: int) -> Result:
        return await self.do(person, MarkUnread(conversation=conversation_of(person, peer), seq=seq))

    def fresh(self) -> str:
        return f"id-{next(iter(self.ids))}"


def stored(result: Result) -> Stored:
    assert result.value is not None, result.error
    return msgpack.decode(result.value, type=Stored)


def code(result: Result) -> str:
    """Of the error; a refusal lets nothing out."""
    assert result.error is not None, result.value
    assert result.effects == ()
    return result.error.code


def pushes(result: Result) -> list[tuple[Sequence[str], Pushed]]:
    """(to whom, frame) of what is let out."""
    found = [effect for effect in result.effects if isinstance(effect, Push)]
    assert len(found) == len(result.effects)
    return [(push.to, _decode_pushed(push.frame)) for push in found]


def place(one: str, other: str, seq: int) -> str:
    """The id of the message at a place between two people."""
    return message_id(conversation_of(one, other), seq)
