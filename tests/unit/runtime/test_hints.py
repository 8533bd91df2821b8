"""Hints: told after the push, never in the way, few however much changes, and taken from their own source alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec import msgpack

from actors.runtime import Answer, Mail, handles, handles_batch
from actors.runtime.broker import Outgoing
from actors.runtime.hints import EXPIRES_MS, PAUSE, WITHIN
from actors.runtime.topology import mailbox
from protocols.mail import Changed, Command, Done, Envelope, decode_envelope, encoder
from tests.support.memory_house import CONFIGURATION, QUEUE, House, Mortal
from tests.support.tally import Decree, Tally, TallyUnit, Write, Written
from tests.support.virtual_time import run_virtually

FOLLOWER = mailbox(CONFIGURATION.broker, "follower")


class Hinting(Mortal):
    """Tells another owner of its changes: a word that it writes is one."""

    hints = ("follower",)

    @handles(Write, tells=Tally.told)
    def write(self, tx: TallyUnit, mail: Mail[Write]) -> Written:
        tx.journal.next_change()
        return super().write(tx, mail)


class Following(Mortal):
    """Takes hints of contacts."""

    follows = ("contacts",)

    @handles_batch(Changed)
    def changed(self, tx: TallyUnit, mails: Sequence[Mail[Changed]]) -> Sequence[Answer[Done]]:
        for mail in mails:
            tx.add(mail.command.source, str(mail.command.change))
        return [Answer(Done())] * len(mails)


def hints(house: House) -> list[Outgoing]:
    return [mail for mail in house.broker.attempts if mail.key == FOLLOWER]


def changes(house: House) -> list[int]:
    envelopes = [decode_envelope(mail.body) for mail in hints(house)]
    return [msgpack.decode(item.command, type=Changed).change for envelope in envelopes for item in envelope.items]


def test_a_change_that_was_passed_already_is_not_told() -> None:
    async def test() -> None:
        house = House(Hinting)
        telling = asyncio.create_task(house.hints.run())
        for change in (5, 3):
            house.hints.changed(change)
            await asyncio.sleep(1)
        assert changes(house) == [5]
        telling.cancel()
        await house.ended()

    run_virtually(test())


def test_a_change_is_told_after_its_push_by_mail_that_does_not_outlive_its_use() -> None:
    async def test() -> None:
        house = House(Hinting)
        telling = asyncio.create_task(house.hints.run())
        house.send("ann", 1)
        await house.ended()
        await asyncio.sleep(1)
        (hint,) = hints(house)
        assert (hint.durable, hint.must_arrive, hint.expires_ms) == (False, False, EXPIRES_MS)
        assert house.broker.attempts.index(hint) > [mail.exchange != "" for mail in house.broker.attempts].index(True)
        assert changes(house) == [1]
        telling.cancel()

    run_virtually(test())


def test_however_much_changes_there_is_a_hint_now_and_then_and_the_last_one_says_it_all() -> None:
    async def test() -> None:
        house = House(Hinting)
        telling = asyncio.create_task(house.hints.run())
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(40):
            house.send("ann", 5)
            await asyncio.sleep(0.05)
        await house.ended()
        await asyncio.sleep(1)
        assert 2 <= len(hints(house)) <= 2 + (loop.time() - began) / PAUSE
        assert changes(house)[-1] == 200
        assert changes(house) == sorted(set(changes(house)))
        telling.cancel()

    run_virtually(test())


def test_what_changes_nothing_is_not_told() -> None:
    async def test() -> None:
        house = House(Hinting)
        telling = asyncio.create_task(house.hints.run())
        house.send("ann", 1)
        await house.settle()
        await asyncio.sleep(1)
        house.repeat(0)
        house.put([house.item(Decree(word="x"))])
        await house.ended()
        await asyncio.sleep(1)
        assert changes(house) == [1]
        telling.cancel()

    run_virtually(test())


def test_a_broker_that_takes_no_hints_costs_the_work_nothing() -> None:
    async def test() -> None:
        house = House(Hinting)
        telling = asyncio.create_task(house.hints.run())
        house.hints.changed(7)
        house.broker.blocked = asyncio.Event()
        await asyncio.sleep(WITHIN * 3)
        assert len(hints(house)) == 1
        house.broker.blocked = None
        house.broker.fates.append("busy")
        house.hints.changed(8)
        await asyncio.sleep(1)
        house.send("ann", 1)
        await house.ended()
        assert house.database.unit.words() == ["ann1"]
        await asyncio.sleep(1)
        assert changes(house)[:2] == [7, 8]
        assert not telling.done()
        telling.cancel()

    run_virtually(test())


def test_hints_are_taken_from_their_source_and_nothing_else_is() -> None:
    async def test() -> None:
        house = House(Following)

        def mail(command: Command[Any], user: str) -> None:
            body = encoder.encode(Envelope(sender=user, items=[house.item(command)]))
            house.broker.put(Outgoing("", QUEUE, body), user=user)

        mail(Changed(source="contacts", change=1), "contacts")
        mail(Changed(source="router", change=2), "contacts")
        mail(Changed(source="router", change=3), "router")
        mail(Changed(source="contacts", change=4), "front")
        mail(Write(word="evil"), "contacts")
        mail(Changed(source="contacts", change=5), "contacts")
        house.told.clear()
        await house.ended()
        assert house.database.unit.words() == ["1", "5"]
        # It was transient: nothing is kept of it.
        assert house.letters() == []

    run_virtually(test())
