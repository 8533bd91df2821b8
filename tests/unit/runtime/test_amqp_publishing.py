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

from actors.runtime.amqp.publishing import Publisher, Wire
from actors.runtime.broker import Outgoing

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
    """What a channel of the library keeps; a queue of one frame and no writer."""

    def __init__(self) -> None:
        self.number, self.max_content_size = 7, MOST
        self.delivery_tag = 0
        self.confirmations: dict[int, asyncio.Future[Any]] = {}
        self.message_id_delivery_tag: dict[str, int] = {}
        self.write_queue: asyncio.Queue[ChannelFrame] = asyncio.Queue(1)
        self.is_closed = False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()


async def test_mail_that_was_never_written_does_not_count() -> None:
    line: Any = Line()
    publisher = Publisher(line, "front")
    first = asyncio.create_task(publisher.publish(Outgoing("", "a", b"1"), 10))
    waiting = asyncio.create_task(publisher.publish(Outgoing("", "a", b"2"), 10))
    behind = asyncio.create_task(publisher.publish(Outgoing("", "a", b"3"), 10))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    written = [await line.write_queue.get(), await line.write_queue.get()]
    assert [frame.payload[-2:-1] for frame in written] == [b"1", b"3"]
    assert list(line.confirmations) == [1, 2]
    for confirmation in line.confirmations.values():
        confirmation.set_result(None)
    await asyncio.gather(first, behind)
    assert not line.message_id_delivery_tag


async def test_who_gives_up_waiting_leaves_the_number_taken() -> None:
    line: Any = Line()
    publisher = Publisher(line, "front")
    with pytest.raises(TimeoutError):
        await publisher.publish(Outgoing("", "a", b"1"), 0.01)
    assert line.delivery_tag == 1
    # The library ignores the confirmation that comes late.
    assert line.confirmations[1].cancelled()
    assert not line.message_id_delivery_tag


async def test_a_closed_channel_takes_nothing() -> None:
    line: Any = Line()
    line.is_closed = True
    with pytest.raises(ChannelInvalidStateError):
        await Publisher(line, "front").publish(Outgoing("", "a", b"1"), 10)
    assert (line.delivery_tag, line.confirmations) == (0, {})
