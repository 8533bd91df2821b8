"""Three people do anything to each other, in any order, and repeat themselves: a naive model tells what they see.

The model is sets of who asked, blocks and so on, without rows, halves or numbers. Beside it stand the three people's
pages, which know nothing but what was pushed to them.
"""

import asyncio
import shutil
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import json, msgpack

from actors.contacts import Contacts
from actors.contacts.rules import QUIET_MS
from actors.runtime import Environment, Mail
from actors.runtime.dispatch import Result, Work, dispatch
from protocols import frames
from protocols.contacts import (
    AcceptRequest,
    BlockUser,
    CancelRequest,
    DeclineRequest,
    Relationship,
    RemoveContact,
    RequestContact,
    UnblockUser,
)
from protocols.mail import Command, Push
from protocols.values import Relation
from settings import Paths
from storage.contacts import ContactsUnit
from storage.migrate import migrate
from tests.support.node import installation
from tests.support.people import ANN, BOB, CAT, make_people

PEOPLE = (ANN, BOB, CAT)
person = st.sampled_from(PEOPLE)
Two = tuple[str, str]


class Model:
    """Who did what to whom. Commands return whether they are carried out."""

    def __init__(self) -> None:
        self.asks: dict[Two, bool] = {}
        self.contacts: set[frozenset[str]] = set()
        self.removed: set[Two] = set()
        self.blocks: set[Two] = set()
        self.declined: dict[Two, int] = {}

    def sees(self, me: str, other: str) -> Relation:
        if me == other:
            return "self"
        if (me, other) in self.blocks:
            return "blocked"
        if frozenset((me, other)) in self.contacts:
            return "contact"
        if (me, other) in self.asks:
            return "outgoing"
        if self.asks.get((other, me)):
            return "incoming"
        return "removed" if (me, other) in self.removed else "none"

    def ask(self, me: str, other: str, now: int) -> bool:
        if me == other or (me, other) in self.blocks:
            return False
        if self.sees(me, other) in {"contact", "outgoing"}:
            return True
        if (other, me) in self.asks:
            self._join(me, other)
            return True
        quiet = (me, other) in self.declined and now - self.declined[me, other] < QUIET_MS
        self.asks[me, other] = not quiet and (other, me) not in self.blocks
        self.removed.discard((me, other))
        return True

    def accept(self, me: str, other: str) -> bool:
        if self.sees(me, other) == "incoming":
            self._join(me, other)
        return self.sees(me, other) == "contact"

    def decline(self, me: str, other: str, now: int) -> bool:
        if self.asks.get((other, me)):
            self.asks[other, me] = False
            self.declined[other, me] = now
        return (other, me) in self.asks

    def cancel(self, me: str, other: str) -> bool:
        return self.asks.pop((me, other), None) is not None

    def remove(self, me: str, other: str) -> bool:
        if frozenset((me, other)) in self.contacts:
            self.contacts.discard(frozenset((me, other)))
            self.removed.add((me, other))
        return (me, other) in self.removed

    def block(self, me: str, other: str) -> bool:
        if me == other:
            return False
        self.contacts.discard(frozenset((me, other)))
        self.asks.pop((me, other), None)
        self.removed.discard((me, other))
        if (other, me) in self.asks:
            self.asks[other, me] = False
        self.blocks.add((me, other))
        return True

    def _join(self, me: str, other: str) -> None:
        for two in ((me, other), (other, me)):
            self.asks.pop(two, None)
            self.declined.pop(two, None)
            self.removed.discard(two)
        self.contacts.add(frozenset((me, other)))


class ContactsMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="parley-contacts-"))
        asyncio.run(make_people(self.folder, *PEOPLE))
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.connection, "contacts", Path("contacts.db"))
        self.tx = ContactsUnit(self.connection, self.folder)
        settings = installation(self.folder, limits={"requests_per_hour": 0})
        self.actor = Contacts(Environment(settings, Paths.of(settings), now=lambda: self.now))
        self.now = 1_700_000_000_000
        self.model = Model()
        self.requests: dict[Two, str] = {}
        self.pages: dict[Two, Relation] = {}
        self.done: list[tuple[str, str, Command[Relationship], Result]] = []

    def teardown(self) -> None:
        if hasattr(self, "tx"):
            self.tx.close()
            self.connection.close()
            shutil.rmtree(self.folder)

    def send(self, me: str, command: Command[Relationship]) -> Relationship | None:
        """What the actor replies, or None for a refusal."""
        self.now += 1
        number = f"command-{len(self.done)}"
        result = self.deliver(number, me, command)
        self.done.append((number, me, command, result))
        if result.value is None:
            return None
        reply = msgpack.decode(result.value, type=Relationship)
        if reply.relation == "outgoing":
            self.requests[me, reply.user_id] = reply.request
        return reply

    def deliver(self, number: str, me: str, command: Command[Relationship]) -> Result:
        handler = Contacts.handlers()[type(command)]
        mail = Mail(id=number, person=me, command=command, now=self.now, correlation="socket")
        with self.tx.connection:
            self.tx.connection.execute("BEGIN")
            (result,) = dispatch(self.actor, self.tx, [Work(handler, mail, msgpack.encode(command))])
        before = dict(self.pages)
        for effect in result.effects:
            assert isinstance(effect, Push)
            frame = json.decode(effect.frame, type=frames.Contact)
            (to,) = effect.to
            self.pages[to, frame.user.id] = frame.relation
            if to != me and self.pages.get((me, to)) != before.get((me, to)):
                assert frame.relation != before.get((to, me)), "a push that tells of a decline or an unblock"
        return result

    @rule(me=person, other=person)
    def ask(self, me: str, other: str) -> None:
        expected = self.model.ask(me, other, self.now + 1)
        assert (self.send(me, RequestContact(to=other)) is not None) == expected

    @rule(me=person, other=person)
    def accept(self, me: str, other: str) -> None:
        request = self.requests.get((other, me), "")
        if self.model.sees(me, other) == "contact":
            # Which of the two requests was the accepted one is not the model's business.
            return
        expected = self.model.accept(me, other)
        assert (self.send(me, AcceptRequest(request=request)) is not None) == expected

    @rule(me=person, other=person)
    def decline(self, me: str, other: str) -> None:
        expected = self.model.decline(me, other, self.now + 1)
        assert (self.send(me, DeclineRequest(request=self.requests.get((other, me), ""))) is not None) == expected

    @rule(me=person, other=person)
    def cancel(self, me: str, other: str) -> None:
        expected = self.model.cancel(me, other)
        assert (self.send(me, CancelRequest(request=self.requests.get((me, other), ""))) is not None) == expected

    @rule(me=person, other=person)
    def remove(self, me: str, other: str) -> None:
        expected = self.model.remove(me, other)
        assert (self.send(me, RemoveContact(user=other)) is not None) == expected

    @rule(me=person, other=person)
    def block(self, me: str, other: str) -> None:
        expected = self.model.block(me, other)
        assert (self.send(me, BlockUser(user=other)) is not None) == expected

    @rule(me=person, other=person)
    def unblock(self, me: str, other: str) -> None:
        self.model.blocks.discard((me, other))
        self.send(me, UnblockUser(user=other))

    @rule(me=person, one=person, other=person)
    def answer_for_somebody_else(self, me: str, one: str, other: str) -> None:
        """Whose request it is not, is told that there is none."""
        request = self.requests.get((one, other), "")
        if me != other:
            assert self.send(me, AcceptRequest(request=request)) is None
            assert self.send(me, DeclineRequest(request=request)) is None
        if me != one:
            assert self.send(me, CancelRequest(request=request)) is None

    @rule(days=st.integers(1, 40))
    def wait(self, days: int) -> None:
        self.now += days * 86_400_000

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A duplicate changes nothing, and is answered as the first was."""
        if self.done:
            number, me, command, first = data.draw(st.sampled_from(self.done))
            again = self.deliver(number, me, command)
            assert (again.value, again.error) == (first.value, first.error)

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        relations = self.tx.relations
        for me in PEOPLE:
            expected = {other: self.model.sees(me, other) for other in PEOPLE}
            assert relations.relations(me, PEOPLE) == expected
            assert {other: relations.relation(me, other) for other in PEOPLE} == expected
            for other in PEOPLE:
                if other != me:
                    assert self.pages.get((me, other), "none") == expected[other], "what was pushed"
                    assert relations.consent(me, other) == (expected[other] == "contact")
            incoming, outgoing = relations.requests_of(me)
            assert {entry.user_id for entry in incoming} == {o for o in PEOPLE if expected[o] == "incoming"}
            assert {entry.user_id for entry in outgoing} == {o for o in PEOPLE if expected[o] == "outgoing"}
            assert {entry.user_id for entry in relations.contacts_of(me)} == {
                o for o in PEOPLE if expected[o] == "contact"
            }
            assert relations.friends_of(me) == [o for o in sorted(PEOPLE) if o != me and relations.consent(me, o)]
            assert {entry.user_id for entry in relations.blocked_by(me)} == {
                o for o in PEOPLE if expected[o] == "blocked"
            }


TestContactsMachine = ContactsMachine.TestCase
TestContactsMachine.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
