"""contacts over real databases: who may be asked, how often, what is pushed, and what is nobody else's business."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import json, msgpack

from actors.contacts import Contacts
from actors.contacts.rules import HOUR_MS
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
from protocols.errors import Refusal
from protocols.mail import Command, Push
from protocols.values import conversation_of
from settings import Paths
from storage import Database
from storage.auth import AUTH
from storage.contacts import CONTACTS, ContactsUnit
from tests.support.node import installation
from tests.support.people import ANN, BOB, CAT, DAN, make_people

NOW = 1_700_000_000_000


@dataclass
class House:
    """contacts as an actor without its process: commands go straight into a transaction."""

    actor: Contacts
    database: Database[ContactsUnit]
    databases: Path
    now: int = NOW
    count: int = 0

    async def send(self, me: str, command: Command[Relationship], number: str = "") -> Result:
        self.count += 1
        mail: Mail[Any] = Mail(
            id=number or f"command-{self.count}", person=me, command=command, now=self.now, correlation="socket"
        )
        work = Work(Contacts.handlers()[type(command)], mail, msgpack.encode(command))
        (result,) = await self.database.run(lambda tx: dispatch(self.actor, tx, [work]))
        return result

    async def done(self, me: str, command: Command[Relationship]) -> Relationship:
        result = await self.send(me, command)
        assert result.value is not None, result.error
        return msgpack.decode(result.value, type=Relationship)

    async def refused(self, me: str, command: Command[Relationship]) -> str:
        result = await self.send(me, command)
        assert result.error is not None, result.value
        assert result.effects == ()
        return result.error.code


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    await make_people(tmp_path, ANN, BOB, CAT, DAN)
    settings = installation(tmp_path, limits={"requests_per_hour": 3})
    database = await Database.open(CONTACTS, tmp_path)
    yield House(Contacts(Environment(settings, Paths.of(settings))), database, tmp_path)
    await database.close()


def pushed(result: Result) -> list[tuple[str, frames.Contact]]:
    pushes = [effect for effect in result.effects if isinstance(effect, Push)]
    return [(to, json.decode(push.frame, type=frames.Contact)) for push in pushes for to in push.to]


async def test_a_request_is_told_to_both_with_names(house: House) -> None:
    result = await house.send(ANN, RequestContact(to=BOB))
    reply = msgpack.decode(result.value or b"", type=Relationship)
    assert (reply.user_id, reply.relation, reply.at) == (BOB, "outgoing", NOW)
    (to_ann, mine), (to_bob, theirs) = pushed(result)
    assert (to_ann, mine.user.display_name, mine.relation) == (ANN, "Bob", "outgoing")
    assert (to_bob, theirs.user.username, theirs.relation) == (BOB, "ann", "incoming")
    assert mine.request == theirs.request == reply.request != ""
    assert mine.conversation == theirs.conversation == conversation_of(ANN, BOB)
    assert {effect.correlation for effect in result.effects if isinstance(effect, Push)} == {"socket"}


async def test_accepted_they_are_in_contact(house: House) -> None:
    asked = await house.done(ANN, RequestContact(to=BOB))
    house.now += 5
    result = await house.send(BOB, AcceptRequest(request=asked.request))
    assert [(to, frame.relation, frame.request) for to, frame in pushed(result)] == [
        (BOB, "contact", None),
        (ANN, "contact", None),
    ]
    assert await house.database.read(lambda tx: tx.relations.consent(ANN, BOB))
    (entry,) = await house.database.read(lambda tx: tx.relations.contacts_of(ANN))
    assert (entry.user_id, entry.at) == (BOB, NOW + 5)


async def test_a_decline_is_silent(house: House) -> None:
    asked = await house.done(ANN, RequestContact(to=BOB))
    result = await house.send(BOB, DeclineRequest(request=asked.request))
    assert [(to, frame.relation) for to, frame in pushed(result)] == [(BOB, "none")]
    assert await house.database.read(lambda tx: tx.relations.relation(ANN, BOB)) == "outgoing"


async def test_whom_i_blocked_may_ask_and_i_never_hear_of_it(house: House) -> None:
    blocked = await house.send(BOB, BlockUser(user=ANN))
    assert [to for to, _ in pushed(blocked)] == [BOB]
    result = await house.send(ANN, RequestContact(to=BOB))
    assert [(to, frame.relation) for to, frame in pushed(result)] == [(ANN, "outgoing")]
    freed = await house.send(BOB, UnblockUser(user=ANN))
    assert [(to, frame.relation) for to, frame in pushed(freed)] == [(BOB, "none")]


@pytest.mark.parametrize("ending", [RemoveContact(user=BOB), BlockUser(user=BOB)])
async def test_removed_or_blocked_is_told_alike(house: House, ending: Command[Relationship]) -> None:
    await house.done(ANN, RequestContact(to=BOB))
    await house.done(BOB, RequestContact(to=ANN))
    (_, (to, frame)) = pushed(await house.send(ANN, ending))
    assert (to, frame.relation, frame.request) == (BOB, "none", None)
    assert not await house.database.read(lambda tx: tx.relations.consent(ANN, BOB))
    peers = await house.database.read(lambda tx: tx.relations.peers_of(BOB))
    assert [(entry.user_id, entry.relation) for entry in peers] == [(ANN, "none")]


async def test_nobody_to_ask(house: House) -> None:
    """Oneself, an invented id, a disabled and a deleted account are refused with the same words."""
    auth = await Database.open(AUTH, house.databases)
    await auth.run(lambda tx: tx.accounts.set_disabled(CAT, disabled=True))
    await auth.run(lambda tx: tx.accounts.delete(DAN))
    await auth.close()
    answers = [(await house.send(ANN, RequestContact(to=to))).error for to in (ANN, "nobody", CAT, DAN)]
    assert answers[0] is not None
    assert answers[0].code == "not_found"
    assert answers == [answers[0]] * 4
    assert [await house.refused(ANN, BlockUser(user=to)) for to in (ANN, "nobody", CAT, DAN)] == ["not_found"] * 4
    assert [await house.refused(ANN, RemoveContact(user=to)) for to in (ANN, "nobody", BOB)] == ["not_found"] * 3
    assert [await house.refused(ANN, UnblockUser(user=to)) for to in (ANN, "nobody", BOB)] == ["not_found"] * 3


async def test_a_deleted_account_cannot_be_accepted_but_can_be_blocked(house: House) -> None:
    asked = await house.done(ANN, RequestContact(to=BOB))
    auth = await Database.open(AUTH, house.databases)
    await auth.run(lambda tx: tx.accounts.delete(ANN))
    await auth.close()
    assert await house.refused(BOB, AcceptRequest(request=asked.request)) == "not_found"
    ((_, frame), *_) = pushed(await house.send(BOB, BlockUser(user=ANN)))
    assert (frame.user.deleted, frame.user.username, frame.relation) == (True, "", "blocked")


async def test_requests_of_others_are_not_found(house: House) -> None:
    """Even by somebody who has a request of the same person, or to the same person, at hand."""
    to_bob = await house.done(ANN, RequestContact(to=BOB))
    await house.done(ANN, RequestContact(to=CAT))
    await house.done(DAN, RequestContact(to=BOB))
    assert await house.refused(CAT, AcceptRequest(request=to_bob.request)) == "not_found"
    assert await house.refused(CAT, DeclineRequest(request=to_bob.request)) == "not_found"
    assert await house.refused(DAN, CancelRequest(request=to_bob.request)) == "not_found"
    assert await house.refused(BOB, CancelRequest(request=to_bob.request)) == "not_found"
    assert await house.refused(ANN, AcceptRequest(request=to_bob.request)) == "not_found"
    assert await house.refused(ANN, AcceptRequest(request="")) == "not_found"
    relations = await house.database.read(lambda tx: tx.relations.relations(ANN, [BOB, CAT, DAN, ANN]))
    assert relations == {BOB: "outgoing", CAT: "outgoing", DAN: "none", ANN: "self"}


async def test_so_many_requests_an_hour(house: House) -> None:
    """Hidden ones count like others; asking again what is pending does not count."""
    await house.done(BOB, BlockUser(user=ANN))
    for other in (BOB, BOB, CAT):
        await house.done(ANN, RequestContact(to=other))
    house.now += 1_000
    await house.done(ANN, RequestContact(to=DAN))
    cancelled = await house.done(ANN, RequestContact(to=DAN))
    await house.done(ANN, CancelRequest(request=cancelled.request))
    result = await house.send(ANN, RequestContact(to=DAN))
    assert result.error is not None
    assert (result.error.code, result.error.retry_after) == ("rate_limited", HOUR_MS / 1000 - 1)
    await house.done(CAT, RequestContact(to=DAN))
    house.now = NOW + HOUR_MS
    await house.done(ANN, RequestContact(to=DAN))


async def test_a_refused_command_may_be_repeated_when_it_is_time(house: House) -> None:
    for other in (BOB, CAT, DAN):
        await house.done(ANN, RequestContact(to=other))
    asked = await house.done(ANN, RequestContact(to=DAN))
    await house.done(ANN, CancelRequest(request=asked.request))
    first = await house.send(ANN, RequestContact(to=DAN), number="again")
    assert first.error is not None
    house.now += HOUR_MS
    assert (await house.send(ANN, RequestContact(to=DAN), number="again")).value is not None


async def test_the_sweep_forgets_what_counts_no_more(house: House) -> None:
    await house.done(ANN, RequestContact(to=BOB))
    house.now += 10
    await house.done(ANN, RequestContact(to=CAT))

    def left(tx: ContactsUnit) -> list[int]:
        house.actor.sweep(tx, NOW + HOUR_MS + 1)
        return tx.asking.newest(ANN, after=0, most=9)

    assert await house.database.run(left) == [NOW + 10]


async def test_every_change_has_a_number_and_what_changes_nothing_has_none(house: House) -> None:
    await house.done(ANN, RequestContact(to=BOB))
    await house.done(ANN, RequestContact(to=BOB))
    assert await house.database.read(lambda tx: tx.journal.change()) == 1
    await house.done(BOB, RequestContact(to=ANN))
    assert await house.database.read(lambda tx: tx.journal.change()) == 2


async def test_without_auths_database_nothing_is_decided(house: House, tmp_path: Path) -> None:
    (tmp_path / "auth.db").rename(tmp_path / "elsewhere")
    with pytest.raises(Refusal) as caught:
        await house.send(ANN, RequestContact(to=BOB), number="patient")
    assert caught.value.code == "unavailable"
    (tmp_path / "elsewhere").rename(tmp_path / "auth.db")
    assert (await house.send(ANN, RequestContact(to=BOB), number="patient")).value is not None
