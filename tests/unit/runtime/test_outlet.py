"""What an owner lets out: in order, numbered without holes, and given up only when it will be said again."""

import asyncio
from collections.abc import Callable

from actors.runtime.broker import Outgoing
from actors.runtime.outlet import BLOCKED, FULL, Outlet
from actors.runtime.topology import dead_letters, fronts
from protocols.mail import Beat, DeadLetter, Outcome, Push, PushBatch, decode_front_mail, decode_replies
from settings.model import Broker
from tests.support.memory_mail import MemoryBroker
from tests.support.virtual_time import run_virtually

SETTINGS = Broker()
PUSH = Push(to=["ann"], frame=b"{}")


def outlet(broker: MemoryBroker, trouble: Callable[[str], None] = lambda _: None) -> Outlet:
    broker.connect()
    return Outlet(broker, SETTINGS, "router", "run 1", trouble)


def told(broker: MemoryBroker) -> list[PushBatch | Beat]:
    return [decode_front_mail(mail.body) for mail in broker.taken if mail.exchange == fronts(SETTINGS)]


def numbers(broker: MemoryBroker) -> list[int]:
    return [one.number for one in told(broker)]


def test_replies_go_to_who_asked_and_pushes_to_all_fronts_in_one_batch() -> None:
    async def test() -> None:
        broker = MemoryBroker()
        out = outlet(broker)
        outcome = Outcome(correlation="c", value=b"v")
        assert await out.let_out([PUSH, outcome], {"replies": [outcome], "": [outcome]}, lambda: True)
        assert [mail.key for mail in broker.taken] == ["replies", ""]
        assert decode_replies(broker.taken[0].body).outcomes == [outcome]
        batch = told(broker)[0]
        assert isinstance(batch, PushBatch)
        assert (batch.source, batch.incarnation, batch.number) == ("router", "run 1", 1)
        assert batch.items == [PUSH, outcome]
        # Lost with the broker without harm; and nobody need be there to read it.
        assert not any(mail.durable or mail.must_arrive for mail in broker.taken)

    run_virtually(test())


def test_without_anything_to_push_no_number_is_used() -> None:
    async def test() -> None:
        broker = MemoryBroker()
        out = outlet(broker)
        assert await out.let_out([], {}, lambda: True)
        assert await out.let_out([PUSH], {}, lambda: True)
        assert numbers(broker) == [1]

    run_virtually(test())


def test_what_is_refused_is_said_again_under_its_number_and_trouble_is_told() -> None:
    async def test() -> None:
        troubles: list[str] = []
        broker = MemoryBroker()
        out = outlet(broker, troubles.append)
        broker.fates.extend(["busy", "unknown", "lost"])
        assert await out.let_out([PUSH], {}, lambda: True)
        assert await out.let_out([PUSH], {}, lambda: True)
        # Whoever reads drops what it has had.
        assert numbers(broker) == [1, 1, 2]
        assert troubles == [BLOCKED] * 3

    run_virtually(test())


def test_a_beat_never_announces_a_push_that_is_still_on_its_way() -> None:
    async def test() -> None:
        broker = MemoryBroker()
        out = outlet(broker)
        broker.fates.extend(["busy"])
        pushing = asyncio.create_task(out.let_out([PUSH], {}, lambda: True))
        await asyncio.sleep(0.001)
        await out.beat("running", "", 7)
        await pushing
        await out.beat("degraded", "why", 0)
        beats = [(one.number, one.state, one.note, one.depth) for one in told(broker) if isinstance(one, Beat)]
        assert beats == [(0, "running", "", 7), (1, "degraded", "why", 0)]

    run_virtually(test())


def test_what_is_given_up_leaves_a_gap_that_the_next_beat_shows() -> None:
    async def test() -> None:
        broker = MemoryBroker()
        out = outlet(broker)
        broker.cut()
        assert not await out.let_out([PUSH], {"replies": [Outcome(correlation="c")]}, lambda: False)
        broker.connect()
        await out.beat("running", "", 0)
        assert await out.let_out([PUSH], {}, lambda: True)
        assert numbers(broker) == [1, 2]

    run_virtually(test())


def test_dead_letters_are_kept_declared_and_must_arrive() -> None:
    async def test() -> None:
        troubles: list[str] = []
        broker = MemoryBroker()
        out = outlet(broker, troubles.append)
        broker.fates.extend(["missing", "busy"])
        assert await out.bury(DeadLetter(actor="router", reason="poison: x", at=1, raw=b"raw"), lambda: True)
        (letter,) = broker.queue(dead_letters(SETTINGS, "router"))
        mail: Outgoing = letter.mail
        assert mail.durable
        assert mail.must_arrive
        assert "router" in broker.queues
        assert troubles == [FULL] * 2
        broker.cut()
        assert not await out.bury(DeadLetter(actor="router", reason="", at=1, raw=b""), lambda: False)

    run_virtually(test())


def test_under_another_name_the_numbers_go_on_also_for_what_is_under_way() -> None:
    async def test() -> None:
        broker = MemoryBroker()
        out = outlet(broker)
        assert await out.let_out([PUSH], {}, lambda: True)
        out.renew("run 1, other mailbox")
        assert await out.let_out([PUSH], {}, lambda: True)
        await out.beat("running", "", 0)
        names = [(one.incarnation, one.number) for one in told(broker)]
        assert names == [("run 1", 1), ("run 1, other mailbox", 2), ("run 1, other mailbox", 2)]

    run_virtually(test())
