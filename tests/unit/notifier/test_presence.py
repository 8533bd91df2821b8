"""What is kept of presence, and who is told of it and of typing: on real databases, by a clock of the test."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from msgspec import json, structs

from actors.notifier.presence import STAMP, Presence
from actors.notifier.presence_book import DEAF, GRACE, HIDE, PROMPT
from actors.runtime import Effect, Environment, Mail
from protocols.mail import Push
from protocols.notifier import Attention, Device, Lease, Preferences, Typing
from protocols.values import conversation_of, rfc3339
from settings import Paths
from storage import Database
from storage.auth import AUTH
from storage.notifier import NOTIFIER, NotifierUnit
from storage.notifier_presence import Presence as Kept
from storage.notifier_presence import Presences
from tests.support.chat import BLOCKED, CONTACT, relate
from tests.support.node import installation
from tests.support.people import ANN, BOB, CAT, DAN, make_people

START = 1_700_000_000_000
SEEN = Device(session="s1", visible=True)
HIDDEN = Device(session="s1", visible=False)


class Lost(Exception):  # noqa: N818  (not an error: a transaction that did not come to its end)
    pass


@dataclass
class Desk:
    """Ann is in contact with Bob and Cat, and blocks Dan, who was a contact. Each lease is of one front."""

    database: Database[NotifierUnit]
    environment: Environment
    clock: list[float]
    presence: Presence = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.presence = Presence(self.environment)

    @property
    def wall(self) -> int:
        return START + int(self.clock[0] * 1000)

    async def run(self, work: Callable[[NotifierUnit], Iterable[Effect]]) -> list[tuple[list[str], dict[str, Any]]]:
        """What one transaction lets out: (to whom, frame)."""
        effects = await self.database.run(lambda tx: list(work(tx)))
        pushes = [effect for effect in effects if isinstance(effect, Push)]
        assert len(pushes) == len(effects)
        return [(push.to, json.decode(push.frame)) for push in pushes]

    def lease(self, **people: list[Device]) -> Mail[Lease]:
        self.number += 1
        named = [Attention(user=user, devices=devices) for user, devices in people.items()]
        lease = Lease(front="front.1:a", number=self.number, at=self.wall, people=named, whole=True)
        return Mail(id=f"l{self.number}", person="", command=lease, now=self.wall)

    async def say(self, **people: list[Device]) -> list[tuple[list[str], dict[str, Any]]]:
        mail = self.lease(**people)
        return await self.run(lambda tx: self.presence.lease(tx, [mail]))

    async def wait(self, seconds: float, **people: list[Device]) -> list[tuple[list[str], dict[str, Any]]]:
        """Seconds go by, in each of which the front says these people."""
        told = []
        for _ in range(int(seconds)):
            self.clock[0] += 1.0
            told += await self.say(**people)
            told += await self.run(lambda tx: self.presence.tick(tx, self.wall))
        return told

    async def wish(self, person: str, **wishes: bool) -> list[tuple[list[str], dict[str, Any]]]:
        def set_(tx: NotifierUnit) -> Iterable[Effect]:
            tx.wishes.prefer(person, structs.replace(Preferences(), **wishes))
            return self.presence.wished(tx, person)

        return await self.run(set_)

    async def state(self, person: str) -> str:
        kept = await self.database.read(lambda tx: tx.presences.of([person]))
        return kept[person].state if person in kept else ""

    def restart(self) -> None:
        self.presence = Presence(self.environment)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    await make_people(tmp_path, ANN, BOB, CAT, DAN)
    await relate(tmp_path, [(ANN, BOB), (ANN, CAT)])
    await relate(tmp_path, [(ANN, DAN)], BLOCKED)
    settings = installation(tmp_path)
    clock = [1_000.0]
    environment = Environment(settings, Paths.of(settings), monotonic=lambda: clock[0])
    database = await Database.open(NOTIFIER, tmp_path)
    try:
        yield Desk(database, environment, clock)
    finally:
        await database.close()


def online(user: str) -> dict[str, Any]:
    return {"type": "presence", "user": user, "state": "online"}


async def test_contacts_with_consent_are_told_once_of_each_change(desk: Desk) -> None:
    assert await desk.say(ann=[SEEN]) == [([BOB, CAT], online(ANN))]
    assert await desk.wait(5, ann=[SEEN]) == []
    hidden = desk.wall + 1000
    away = {"type": "presence", "user": ANN, "state": "away", "last_seen": rfc3339(hidden)}
    assert await desk.wait(HIDE + 1, ann=[HIDDEN]) == [([BOB, CAT], away)]
    assert await desk.wait(GRACE + 1) == [([BOB, CAT], {**away, "state": "offline"})]
    assert await desk.state(ANN) == "offline"


async def test_a_transaction_that_was_not_committed_is_told_again(desk: Desk) -> None:
    mail = desk.lease(ann=[SEEN])

    def lost(tx: NotifierUnit) -> None:
        assert list(desk.presence.lease(tx, [mail]))
        raise Lost

    with pytest.raises(Lost):
        await desk.database.run(lost)
    assert await desk.state(ANN) == ""
    assert await desk.run(lambda tx: desk.presence.lease(tx, [mail])) == [([BOB, CAT], online(ANN))]
    assert await desk.run(lambda tx: desk.presence.tick(tx, desk.wall)) == []


async def test_who_hides_is_unknown_at_once_and_then_nothing_is_heard_of_them(desk: Desk) -> None:
    await desk.say(ann=[SEEN])
    unknown = {"type": "presence", "user": ANN, "state": "unknown"}
    assert await desk.wish(ANN, presence=False) == [([BOB, CAT], unknown)]
    assert await desk.wait(GRACE + 1) == []
    assert await desk.say(ann=[SEEN]) == []
    assert await desk.state(ANN) == "online"
    assert await desk.wish(ANN, presence=True) == [([BOB, CAT], online(ANN))]


async def test_last_seen_can_be_kept_to_oneself(desk: Desk) -> None:
    await desk.wish(ANN, last_seen=False)
    await desk.say(ann=[SEEN])
    ((_, frame),) = await desk.wait(GRACE + 1)
    assert frame == {"type": "presence", "user": ANN, "state": "offline"}
    ((_, frame),) = await desk.wish(ANN, last_seen=True)
    assert frame["last_seen"]


async def test_a_restart_is_not_seen_by_those_who_stay_and_finds_those_who_left(desk: Desk) -> None:
    await desk.say(ann=[SEEN], bob=[SEEN], cat=[HIDDEN])
    await desk.wait(1, ann=[SEEN], bob=[SEEN], cat=[HIDDEN])
    desk.restart()
    assert not desk.presence.settled()
    desk.clock[0] += 4
    assert await desk.run(lambda tx: desk.presence.tick(tx, desk.wall)) == []
    assert not desk.presence.settled()
    assert await desk.wait(PROMPT, ann=[SEEN]) == []
    assert not desk.presence.settled()
    assert await desk.wait(DEAF - 1 - PROMPT, ann=[SEEN]) == []
    assert desk.presence.settled()
    assert [frame["user"] for _, frame in await desk.wait(2, ann=[SEEN])] == [BOB, CAT]
    assert [await desk.state(who) for who in (ANN, BOB, CAT)] == ["online", "offline", "offline"]


async def test_a_disk_that_fails_at_the_start_leaves_nobody_there_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.say(ann=[SEEN])
    desk.restart()

    def fail(_: Presences) -> list[Kept]:
        raise Lost

    with monkeypatch.context() as patch:
        patch.setattr(Presences, "not_offline", fail)
        with pytest.raises(Lost):
            await desk.run(lambda tx: desk.presence.tick(tx, desk.wall))
    await desk.wait(DEAF + 2, bob=[SEEN])
    assert await desk.state(ANN) == "offline"


async def test_a_crash_costs_a_minute_of_last_seen_at_most(desk: Desk) -> None:
    await desk.wait(STAMP + DEAF + 1, ann=[SEEN])
    stamped = desk.wall
    desk.restart()
    desk.clock[0] += 3_600
    ((_, frame),) = await desk.wait(DEAF + 1)
    assert frame["state"] == "offline"
    assert rfc3339(stamped - int(STAMP * 1000)) <= frame["last_seen"] <= rfc3339(stamped)


async def test_presence_waits_for_contacts_and_nothing_else_does(desk: Desk) -> None:
    file = desk.database._file.with_name("contacts.db")
    file.rename(file.with_suffix(".gone"))
    assert await desk.say(ann=[SEEN]) == []
    assert await desk.state(ANN) == ""
    typing = Mail(id="t", person=ANN, command=Typing(conversation=conversation_of(ANN, BOB)), now=desk.wall)
    assert await desk.run(lambda tx: desk.presence.typing(tx, [typing])) == []
    assert await desk.wish(ANN, presence=True) == []
    file.with_suffix(".gone").rename(file)
    assert await desk.wait(1, ann=[SEEN]) == [([BOB, CAT], online(ANN))]


async def test_what_somebody_looks_at_is_known(desk: Desk) -> None:
    viewing = Device(session="s2", visible=True, viewing="k")
    await desk.say(ann=[HIDDEN, viewing])
    assert list(desk.presence.devices(ANN)) == [HIDDEN, viewing]
    assert list(desk.presence.devices(BOB)) == []


@pytest.mark.parametrize(
    ("person", "other", "heard"),
    [(ANN, BOB, True), (BOB, ANN, True), (BOB, CAT, False), (DAN, ANN, False), (ANN, DAN, False)],
)
async def test_typing_is_heard_by_contacts_who_are_there(desk: Desk, person: str, other: str, *, heard: bool) -> None:
    conversation = conversation_of(person, other)
    mail = Mail(id="t", person=person, command=Typing(conversation=conversation), now=desk.wall)
    assert await desk.run(lambda tx: desk.presence.typing(tx, [mail])) == []
    await desk.say(ann=[SEEN], bob=[SEEN], cat=[SEEN], dan=[SEEN])
    told = await desk.run(lambda tx: desk.presence.typing(tx, [mail, mail]))
    frame = {"type": "typing", "conversation": conversation, "user": person}
    assert told == ([([other], frame)] if heard else [])


async def test_typing_in_somebody_elses_conversation_is_heard_by_nobody(desk: Desk) -> None:
    await desk.say(ann=[SEEN], bob=[SEEN], cat=[SEEN])
    mails = [
        Mail(id="t", person=CAT, command=Typing(conversation=conversation), now=desk.wall)
        for conversation in (conversation_of(ANN, BOB), "made-up")
    ]
    assert await desk.run(lambda tx: desk.presence.typing(tx, mails)) == []


async def test_new_contacts_are_told_of_each_other_and_nobody_else_is(desk: Desk, tmp_path: Path) -> None:
    await desk.say(ann=[SEEN], bob=[HIDDEN])
    await relate(tmp_path, [(BOB, CAT)], CONTACT)
    offline = {"type": "presence", "user": CAT, "state": "offline"}
    away = {"type": "presence", "user": BOB, "state": "away"}
    assert await desk.run(lambda tx: desk.presence.related(tx, BOB, CAT)) == [([CAT], away), ([BOB], offline)]
    assert await desk.run(lambda tx: desk.presence.related(tx, ANN, DAN)) == []
    assert await desk.say(ann=[SEEN], bob=[SEEN]) == [([ANN, CAT], online(BOB))]
    await relate(tmp_path, [(BOB, CAT)], BLOCKED)
    assert await desk.run(lambda tx: desk.presence.related(tx, BOB, CAT)) == []
    told = await desk.wait(GRACE + 1, bob=[HIDDEN])
    assert ([ANN], {**away, "last_seen": ANY}) in told
    assert ([BOB, CAT], {**offline, "user": ANN, "last_seen": ANY}) in told
    assert await desk.wait(GRACE + 1) == [([ANN], {**offline, "user": BOB, "last_seen": ANY})]


async def test_somebody_whose_account_ends_is_seen_to_leave_and_nothing_is_kept(desk: Desk, tmp_path: Path) -> None:
    await desk.say(ann=[SEEN], bob=[SEEN])
    auth = await Database.open(AUTH, tmp_path)
    try:
        await auth.run(lambda tx: tx.accounts.set_disabled(BOB, True))
    finally:
        await auth.close()

    def forget(tx: NotifierUnit) -> Iterable[Effect]:
        desk.presence.forget(tx, BOB)
        desk.presence.forget(tx, DAN)
        return ()

    assert await desk.run(forget) == []
    (told,) = await desk.wait(GRACE + 1, ann=[SEEN])
    assert told == ([ANN], {"type": "presence", "user": BOB, "state": "offline"})
    assert await desk.state(BOB) == ""
    # A socket that has not heard of it yet.
    assert await desk.wait(2, ann=[SEEN], bob=[SEEN], nobody=[SEEN]) == []
    assert await desk.wait(GRACE + 1, ann=[SEEN]) == []
    assert await desk.state(BOB) == await desk.state("nobody") == ""


async def test_thousands_who_come_at_once_are_told_of_in_bounded_steps(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.notifier.presence.MOST", 10)
    people = {f"p{number:03}": [SEEN] for number in range(95)}
    await make_people(tmp_path, *people)
    await desk.wait(21, **people)
    kept = await desk.database.read(lambda tx: tx.presences.of(people))
    assert {one.state for one in kept.values()} == {"online"}
    assert len(kept) == 95


async def test_those_with_thousands_of_contacts_are_told_of_in_bounded_pushes(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.notifier.presence.TOLD", 3)
    people = {f"p{number:02}": [SEEN] for number in range(6)}
    await make_people(tmp_path, *people)
    await relate(tmp_path, [(person, friend) for person in people for friend in (ANN, BOB)])
    told = [await desk.say(**people)]
    while told[-1]:
        told.append(await desk.say(**people))
    assert [sum(len(to) for to, _ in pushes) for pushes in told] == [4, 4, 4, 0]
    assert sorted(frame["user"] for pushes in told for _, frame in pushes) == sorted(people)
