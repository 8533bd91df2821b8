"""Mail on the wire, beside what the library makes of the same; and numbers that stay those of the broker."""

import asyncio
from itertools import product
from typing import Any

import pytest
from aiormq.abc import ChannelFrame
from aiormq.exceptions import ChannelInvalidStateError
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from actors.runtime.amqp.publishing import Publisher, Wire, acknowledgement
from actors.runtime.broker import Busy, NoSuchQueue, Outgoing
from tests.support.waiting import eventually

MOST = 100
MESSAGE_ID = "0123456789abcdef" * 2


def of_the_library(mail: Outgoing) -> bytes:
    properties = Basic.Properties(
        delivery_mode=2 if mail.durable else 1,
        user_id="front",
        message_id=MESSAGE_ID,
        expiration=None if mail.expires_ms is None else str(mail.expires_ms),
    )
    method = Basic.Publish(exchange=mail.exchange, routing_key=mail.key, mandatory=mail.must_arrive)
    pieces = [ContentBody(mail.body[at : at + MOST]) for at in range(0, len(mail.body), MOST)]
    return ChannelFrame.marshall(
        7, [method, ContentHeader(properties=properties, body_size=len(mail.body)), *pieces]
    ).payload


@pytest.mark.parametrize("size", [0, 1, MOST - 1, MOST, MOST + 1, 3 * MOST])
def test_mail_on_the_wire_is_what_the_library_makes_of_it(size: int) -> None:
    wire = Wire(7, MOST, "front")
    ways = product(["", "parley.fronts"], ["", "parley.röuter"], [False, True], [False, True], [None, 1, 60_000])
    for exchange, key, durable, must_arrive, expires in ways:
        mail = Outgoing(exchange, key, b"\xce" * size, durable, must_arrive, expires)
        assert wire.payload(mail, MESSAGE_ID) == of_the_library(mail)


def test_where_frames_have_no_limit_a_body_is_one_piece() -> None:
    mail = Outgoing("", "parley.router", b"\xce" * MOST)
    assert Wire(7, -8, "front").payload(mail, MESSAGE_ID) == of_the_library(mail)


def test_what_has_expired_already_may_wait_a_millisecond() -> None:
    wire = Wire(7, MOST, "front")
    assert wire.payload(Outgoing("", "", b"", expires_ms=-5), MESSAGE_ID) == of_the_library(
        Outgoing("", "", b"", expires_ms=1)
    )


class Line:
    """What a channel of the library is to who publishes over it, and the writer of its connection."""

    def __init__(self) -> None:
        self.number, self.max_content_size = 7, MOST
        self.is_closed = False
        self.behind = asyncio.Event()
        self.behind.set()
        self.written: list[bytes] = []
        self.futures: list[asyncio.Future[Any]] = []

    def create_future(self) -> asyncio.Future[Any]:
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]

    async def drain(self) -> None:
        await self.behind.wait()

    def write(self, data: bytes) -> None:
        self.written.append(data)


def publisher(line: Any) -> Publisher:
    return Publisher(line, "front", line)


def publishing(one: Publisher, *bodies: bytes) -> list["asyncio.Task[None]"]:
    return [asyncio.create_task(one.publish(Outgoing("", "a", body), 10)) for body in bodies]


async def test_mail_that_was_never_written_does_not_count() -> None:
    line = Line()
    one = publisher(line)
    line.behind.clear()
    first, waiting, behind = publishing(one, b"1", b"2", b"3")
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not line.written
    line.behind.set()
    await eventually(lambda: len(line.written) == 2)
    assert [payload[-2:-1] for payload in line.written] == [b"1", b"3"]
    one.settling.taken(1, False)
    await first
    assert not behind.done()
    one.settling.taken(2, False)
    await behind


async def test_a_confirmation_may_be_for_all_before_it() -> None:
    line = Line()
    one = publisher(line)
    *early, late = publishing(one, b"1", b"2", b"3")
    await eventually(lambda: len(line.written) == 3)
    one.settling.taken(2, True)
    await asyncio.gather(*early)
    assert not late.done()
    one.settling.refused(3, True)
    with pytest.raises(Busy):
        await late


async def test_what_comes_back_found_no_queue_though_it_is_confirmed_afterwards() -> None:
    line = Line()
    one = publisher(line)
    lost, taken = publishing(one, b"1", b"2")
    await eventually(lambda: len(line.written) == 2)
    one.settling.returned("1")
    one.settling.taken(2, True)
    await taken
    with pytest.raises(NoSuchQueue):
        await lost


async def test_who_gives_up_waiting_leaves_the_number_taken() -> None:
    line = Line()
    one = publisher(line)
    with pytest.raises(TimeoutError):
        await one.publish(Outgoing("", "a", b"1"), 0.01)
    [second] = publishing(one, b"2")
    await eventually(lambda: len(line.written) == 2)
    one.settling.taken(1, False)
    assert not second.done()
    one.settling.taken(2, False)
    await second


async def test_the_end_of_the_channel_is_the_end_of_who_waits() -> None:
    line = Line()
    [waiting] = publishing(publisher(line), b"1")
    await eventually(lambda: len(line.written) == 1)
    line.futures[0].set_exception(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await waiting


async def test_a_closed_channel_takes_nothing() -> None:
    line = Line()
    line.is_closed = True
    with pytest.raises(ChannelInvalidStateError):
        await publisher(line).publish(Outgoing("", "a", b"1"), 10)
    assert not line.written


def test_an_acknowledgement_is_what_the_library_makes_of_it() -> None:
    method = Basic.Ack(delivery_tag=1 << 40, multiple=True)
    assert acknowledgement(7, 1 << 40) == ChannelFrame.marshall(7, [method]).payload
