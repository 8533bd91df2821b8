"""A whole actor: it counts for each person, once a command, whatever is killed."""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct, json

from actors.runtime import Actor, Mail, handles
from protocols.errors import Refusal
from protocols.mail import Command, Push
from storage import Schema, Unit


class Counted(Struct, frozen=True):
    total: int


class Increment(Command[Counted], frozen=True, kw_only=True, tag="increment"):
    by: int = 1


class CounterUnit(Unit):
    def total(self, person: str) -> int:
        row = self.connection.execute("SELECT total FROM counter WHERE person = ?", (person,)).fetchone()
        return row[0] if row else 0

    def put(self, person: str, total: int) -> None:
        self.connection.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (person, total))


class Counter(Actor[CounterUnit]):
    name = "counter"
    schema = Schema("counter", CounterUnit, Path(__file__).parent)

    def tell(self, tx: CounterUnit, mail: Mail[Increment], _: Counted) -> Iterable[Push]:
        frame = json.encode({"type": "counted", "total": tx.total(mail.person)})
        yield Push(to=[mail.person], frame=frame, correlation=mail.correlation)

    @handles(Increment, tells=tell)
    def increment(self, tx: CounterUnit, mail: Mail[Increment]) -> Counted:
        if mail.command.by < 1:
            raise Refusal("invalid", fields={"by": "It only goes up."})
        total = tx.total(mail.person) + mail.command.by
        tx.put(mail.person, total)
        return Counted(total=total)
