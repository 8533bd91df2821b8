"""What is asked: answered, refused by a deadline, and asked again only when that can do no harm."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec import msgpack

from actors.runtime.broker import Delivery, Outgoing, Subscriptions
from actors.runtime.postroom import SIGNALS, PostRoom
from actors.runtime.topology import mailbox
from protocols.errors import ErrorBody, Refusal
from protocols.mail import Envelope, Item, Outcome, Replies, decode_envelope, encoder
from settings import Settings, SettingsError
from tests.support.memory_mail import MemoryBroker
from tests.support.tally import Slow, Write, Written
from tests.support.virtual_time import run_virtually, virtual_environment

CONFIGURATION = Settings(base="/nowhere")
QUEUE = mailbox(CONFIGURATION.broker, "router")


class Office:
    """A post room, and an owner that answers as told: one outcome, or silence, for each command that arrives."""

    def __init__(self, *answers: Outcome | None) -> None:
        environment = virtual_environment(CONFIGURATION)
        self.answers = list(answers)
        self.items: list[Item] = []
        self.mails: list[Outgoing] = []
        self.post = PostRoom(environment, "front.1")
        self.broker = MemoryBroker(
            mailbox=QUEUE,
            subscriptions=Subscriptions(on_delivery=self._arrived, on_down=self.post.lost),
        )
        self.post.attach(self.broker)
        self.broker.connect()

    def _arrived(self, delivery: Delivery) -> None:
        envelope = decode_envelope(delivery.body)
        self.items.extend(envelope.items)
        self.mails.append(self.broker.taken[-1])
        for item in envelope.items:
            answer = self.answers.pop(0) if self.answers else None
            if answer is not None:
                outcome = Outcome(correlation=item.correlation, value=answer.value, error=answer.error)
                self.post.replied(encoder.encode(Replies([outcome])))


WRITTEN = Outcome(correlation="", value=msgpack.encode(Written(place=7)))
REFUSED = Outcome(correlation="", error=ErrorBody("forbidden", "No."))


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await test()

    run_virtually(whole())


def test_the_reply_comes_back_as_the_type_that_the_command_names() -> None:
    async def test() -> None:
        office = Office(WRITTEN)
        assert await office.post.ask("router", Write(word="a"), within=1, person="ann", id="x") == Written(place=7)
        (item,) = office.items
        assert (item.id, item.person, item.expires) == ("x", "ann", 0)
        assert office.mails[0].durable

    run(test)


def test_a_refusal_is_raised_as_it_was_meant() -> None:
    async def test() -> None:
        office = Office(REFUSED)
        with pytest.raises(Refusal) as caught:
            await office.post.ask("router", Write(word="a"), within=1)
        assert (caught.value.code, caught.value.body.message) == ("forbidden", "No.")

    run(test)


def test_silence_ends_at_the_deadline_and_a_late_answer_is_dropped() -> None:
    async def test() -> None:
        office = Office(None)
        began = asyncio.get_running_loop().time()
        with pytest.raises(Refusal) as caught:
            await office.post.ask("router", Write(word="a"), within=2)
        assert caught.value.code == "unavailable"
        assert asyncio.get_running_loop().time() - began == pytest.approx(2)
        office.post.replied(encoder.encode(Replies([Outcome(correlation=office.items[0].correlation)])))

    run(test)


def test_what_is_transient_expires_with_its_asker() -> None:
    async def test() -> None:
        office = Office()
        with pytest.raises(Refusal):
            await office.post.ask("router", Slow(seconds=1), within=3)
        assert office.items[0].expires == office.mails[0].expires_ms + 1_000_000  # type: ignore[operator]
        assert office.mails[0].expires_ms == 3_000
        assert not office.mails[0].durable

    run(test)


def test_with_the_connection_a_durable_question_is_asked_again_by_its_id_and_a_secret_one_is_not() -> None:
    async def test() -> None:
        office = Office(None, WRITTEN)
        asking = asyncio.create_task(office.post.ask("router", Write(word="a"), within=30, id="x"))
        await asyncio.sleep(1)
        office.broker.queue(QUEUE).clear()
        office.broker.unacknowledged.clear()
        office.broker.cut()
        await asyncio.sleep(1)
        assert not asking.done()
        office.broker.connect()
        assert await asking == Written(place=7)
        assert [item.id for item in office.items] == ["x", "x"]
        assert len({item.correlation for item in office.items}) == 2
        secret = asyncio.create_task(office.post.ask("router", Slow(seconds=1), within=30))
        await asyncio.sleep(1)
        office.broker.cut()
        # At once: nobody is kept waiting for an answer that cannot come any more.
        async with asyncio.timeout(0.5):
            with pytest.raises(Refusal) as caught:
                await secret
        assert caught.value.code == "unavailable"
        assert len(office.items) == 3

    run(test)


@pytest.mark.parametrize("fate", ["busy", "lost", "unknown", "missing"])
def test_a_broker_that_fails_once_is_tried_again_within_the_deadline(fate: str) -> None:
    async def test() -> None:
        office = Office(WRITTEN, WRITTEN, WRITTEN)
        office.broker.fates.extend([fate, fate])  # type: ignore[list-item]
        assert await office.post.ask("router", Write(word="a"), within=5) == Written(place=7)

    run(test)


def test_an_ask_without_a_broker_waits_for_it_and_ends_by_its_deadline() -> None:
    async def test() -> None:
        office = Office(WRITTEN)
        office.broker.cut()
        began = asyncio.get_running_loop().time()
        with pytest.raises(Refusal):
            await office.post.ask("router", Write(word="a"), within=4)
        assert asyncio.get_running_loop().time() - began == pytest.approx(4)
        asking = asyncio.create_task(office.post.ask("router", Write(word="a"), within=4))
        await asyncio.sleep(2)
        office.broker.connect()
        assert await asking == Written(place=7)

    run(test)


def test_a_signal_is_transient_unanswered_and_expires() -> None:
    async def test() -> None:
        office = Office()
        office.post.signal("router", Slow(seconds=1), person="ann", within=5)
        await asyncio.sleep(1)
        (item,) = office.items
        (mail,) = office.mails
        assert (item.person, item.correlation) == ("ann", "")
        assert item.expires == 1_005_000
        assert (mail.durable, mail.must_arrive, mail.expires_ms) == (False, False, 5_000)
        assert office.post.signals_dropped == 0

    run(test)


@pytest.mark.parametrize("fate", ["busy", "lost", "missing"])
def test_a_signal_that_the_broker_does_not_take_is_dropped_and_counted(fate: str) -> None:
    async def test() -> None:
        office = Office()
        office.broker.fates.extend([fate])  # type: ignore[list-item]
        office.post.signal("router", Slow(seconds=1), within=5)
        await asyncio.sleep(10)
        assert len(office.broker.attempts) == 1
        office.broker.cut()
        office.post.signal("router", Slow(seconds=1), within=5)
        await asyncio.sleep(10)
        assert office.items == []
        assert office.post.signals_dropped == 2

    run(test)


def test_signals_under_way_are_bounded_and_none_outlives_its_time() -> None:
    async def test() -> None:
        office = Office()
        office.broker.blocked = asyncio.Event()
        for _ in range(SIGNALS + 3):
            office.post.signal("router", Slow(seconds=1), within=5)
        assert office.post.signals_dropped == 3
        await asyncio.sleep(5.1)
        assert office.post.signals_dropped == SIGNALS + 3
        office.broker.blocked = None
        office.post.signal("router", Slow(seconds=1), within=5)
        await asyncio.sleep(1)
        assert len(office.items) == 1

    run(test)


def test_flush_tells_whether_all_that_was_told_is_with_the_broker() -> None:
    async def test() -> None:
        office = Office()
        running = asyncio.create_task(office.post.run())
        assert await office.post.flush(1)
        office.broker.cut()
        office.post.tell("router", Write(word="a"), id="1", person="ann", correlation="c")
        assert not await office.post.flush(1)
        office.broker.connect()
        assert await office.post.flush(10)
        assert decode_envelope(office.mails[0].body) == Envelope(sender=office.post.incarnation, items=office.items)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(test)


def test_a_mailbox_of_another_kind_ends_the_process_as_a_matter_of_configuration() -> None:
    class Different(MemoryBroker):
        async def declare_mailbox(self, actor: str) -> None:
            raise SettingsError("broker.mailbox_type", f"{actor} exists with other properties")

    async def test() -> None:
        office = Office()
        broker = Different()
        broker.connect()
        broker.fates.extend(["missing"])
        office.post.attach(broker)
        office.post.tell("router", Write(word="a"), id="1", person="ann", correlation="c")
        with pytest.raises(SettingsError) as caught:
            await office.post.run()
        assert caught.value.key == "broker.mailbox_type"

    run(test)
