"""Lanes: whatever the broker does to them, what was told arrives in order, and nothing is left out."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import Raw, msgpack

from actors.runtime.postroom import LANE_COMMANDS, Lane
from actors.runtime.topology import mailbox
from protocols.errors import Refusal
from protocols.mail import Item, decode_envelope
from settings import Settings
from tests.support.memory_mail import FATES, Fate, MemoryBroker
from tests.support.virtual_time import run_virtually

CONFIGURATION = Settings(base="/nowhere")
QUEUE = mailbox(CONFIGURATION.broker, "router")


def item(number: int, size: int = 1, correlation: str = "") -> Item:
    return Item(id=str(number), command=Raw(msgpack.encode("x" * size)), correlation=correlation)


def lane(settings: Settings = CONFIGURATION) -> Lane:
    return Lane("router", settings, "front.1:x")


def arrived(broker: MemoryBroker) -> list[int]:
    return [int(one.id) for letter in broker.queue(QUEUE) for one in decode_envelope(letter.mail.body).items]


async def told(bursts: list[int], fates: list[Fate], hops: int) -> MemoryBroker:
    broker = MemoryBroker()
    broker.connect()
    broker.fates.extend(fates)
    one = lane()
    running = asyncio.create_task(one.run(broker))
    number = 0
    for burst in bursts:
        for _ in range(burst):
            one.put(item(number))
            number += 1
        for _ in range(hops):
            await asyncio.sleep(0)
        if not broker.life and number % 2:
            broker.connect()
    # Time only passes for the lane while it is connected again.
    while not one.empty.is_set():
        broker.connect()
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return broker


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    bursts=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    fates=st.lists(st.sampled_from(FATES), max_size=12),
    hops=st.integers(0, 6),
)
def test_order_holds_and_nothing_is_left_out_whatever_the_broker_does(
    bursts: list[int], fates: list[Fate], hops: int
) -> None:
    broker = run_virtually(told(bursts, fates, hops))
    # The owner does each id once, at its first arrival.
    assert list(dict.fromkeys(arrived(broker))) == list(range(sum(bursts)))
    assert all(mail.durable and mail.must_arrive for mail in broker.attempts)


async def marked() -> None:
    broker = MemoryBroker()
    one = lane()
    await one.kept()
    one.put(item(0))
    running = asyncio.create_task(one.run(broker))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await one.kept()
    waiting = asyncio.create_task(one.kept())
    await asyncio.sleep(0)
    one.put(item(1))
    broker.fates.extend(["taken", "busy"])
    broker.connect()
    await waiting
    assert arrived(broker) == [0]
    await one.kept()
    assert arrived(broker) == [0, 1]
    running.cancel()


def test_who_asks_whether_it_is_kept_hears_so_once_the_broker_has_it() -> None:
    run_virtually(marked())


async def bounded() -> None:
    one = lane()
    for number in range(LANE_COMMANDS):
        one.put(item(number))
    with pytest.raises(Refusal) as caught:
        one.put(item(LANE_COMMANDS))
    assert caught.value.code == "unavailable"
    assert caught.value.body.retry_after
    broker = MemoryBroker()
    broker.connect()
    running = asyncio.create_task(one.run(broker))
    await one.empty.wait()
    running.cancel()
    # What was refused was not taken, and there is room again.
    assert arrived(broker) == list(range(LANE_COMMANDS))
    one.put(item(LANE_COMMANDS))


def test_a_full_lane_says_so_and_takes_more_once_it_moved() -> None:
    run_virtually(bounded())


async def envelopes_of(sizes: list[int]) -> list[int]:
    broker = MemoryBroker()
    broker.connect()
    one = lane()
    for number, size in enumerate(sizes):
        one.put(item(number, size))
    running = asyncio.create_task(one.run(broker))
    await one.empty.wait()
    running.cancel()
    return [len(decode_envelope(letter.mail.body).items) for letter in broker.queue(QUEUE)]


def test_what_gathers_goes_into_one_envelope_within_the_bounds() -> None:
    limits = CONFIGURATION.runtime
    assert run_virtually(envelopes_of([1] * 300)) == [limits.batch_commands, 300 - limits.batch_commands]
    big = limits.batch_bytes
    # One that is larger than the bound by itself still travels, alone.
    assert run_virtually(envelopes_of([10, big + 1, 10])) == [1, 1, 1]


async def declared() -> None:
    broker = MemoryBroker()
    broker.connect()
    broker.fates.extend(["missing", "missing", "taken"])
    one = lane()
    one.put(item(0))
    running = asyncio.create_task(one.run(broker))
    await one.empty.wait()
    running.cancel()
    assert "router" in broker.queues
    assert arrived(broker) == [0]


def test_a_mailbox_that_is_missing_is_declared() -> None:
    random.seed(1)
    run_virtually(declared())


def test_who_comes_again_and_again_while_nothing_moves_fills_no_lane() -> None:
    async def test() -> None:
        one, broker = lane(), MemoryBroker()
        for time in range(3):
            for number in range(LANE_COMMANDS):
                one.put(item(number, correlation=f"{time}/{number}"))
            for number in range(LANE_COMMANDS if time < 2 else 0):
                one.drop(f"{time}/{number}")
        with pytest.raises(Refusal):
            one.put(item(0, correlation="3/0"))
        broker.connect()
        running = asyncio.create_task(one.run(broker))
        await one.empty.wait()
        running.cancel()
        assert arrived(broker) == list(range(LANE_COMMANDS))
        letters = [decode_envelope(letter.mail.body) for letter in broker.queue(QUEUE)]
        assert {it.correlation.partition("/")[0] for letter in letters for it in letter.items} == {"2"}

    run_virtually(test())


Step = tuple[str, int]


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(("tell", "tell", "other", "drop", "hop")), st.integers(0, 5)), max_size=60),
    st.lists(st.sampled_from(FATES), max_size=30),
)
def test_copies_take_the_place_of_what_nobody_waits_for_and_everybody_else_is_heard(
    steps: list[Step], fates: list[Fate]
) -> None:
    async def test() -> None:
        one, broker = lane(), MemoryBroker()
        broker.connect()
        broker.fates.extend(fates)
        running = asyncio.create_task(one.run(broker))
        # Not settled: each correlation, with what was told under it.
        wanted: dict[str, tuple[str, bytes]] = {}
        dropped: set[tuple[str, bytes]] = set()
        for count, (what, number) in enumerate(steps):
            if what in {"tell", "other"}:
                told = item(number, 1 if what == "tell" else 2, str(count))
                wanted[str(count)] = told.id, bytes(told.command)
                one.put(told)
            elif what == "drop":
                for correlation in [name for name, (id_, _) in wanted.items() if id_ == str(number)]:
                    dropped.add(wanted.pop(correlation))
                    one.drop(correlation)
            for _ in range(number if what == "hop" else 0):
                await asyncio.sleep(0)
        while not one.empty.is_set():
            broker.connect()
            await asyncio.sleep(0.01)
        running.cancel()
        came = [it for letter in broker.queue(QUEUE) for it in decode_envelope(letter.mail.body).items]
        heard = {it.correlation: (it.id, bytes(it.command)) for it in came}
        assert wanted.items() <= heard.items()
        assert dropped <= {(it.id, bytes(it.command)) for it in came}
        assert (one._bytes, one._numbers.keys() - {""}, one._unwanted) == (0, set(), {})

    run_virtually(test())
