"""What is taken from a broker's stream, what is left to the library, wherever its bytes are cut."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from aiormq.abc import ChannelFrame
from hypothesis import given
from hypothesis import strategies as st
from pamqp.body import ContentBody
from pamqp.commands import Basic, Channel, Queue
from pamqp.header import ContentHeader

from actors.runtime.amqp.receiving import HEARTBEAT, SIGN_OF_LIFE, Incoming, Settling, Tap

MAIL, PUSHES, OUT, OTHER = 1, 2, 3, 4


def frames(channel: int, *parts: Any) -> bytes:
    return ChannelFrame.marshall(channel, list(parts)).payload


def content(method: Any, body: bytes, channel: int, pieces: int = 1, **properties: Any) -> bytes:
    known: dict[str, Any] = {"delivery_mode": 2, "message_id": "17", "user_id": "front", **properties}
    header = ContentHeader(properties=Basic.Properties(**known), body_size=len(body))
    size = max(1, -(-len(body) // pieces))
    bodies = [ContentBody(body[at : at + size]) for at in range(0, len(body), size)]
    return frames(channel, method, header, *bodies)


def delivery(
    tag: int, body: bytes = b"hello", *, consumer: str = "c", channel: int = MAIL, pieces: int = 1, **properties: Any
) -> bytes:
    method = Basic.Deliver(
        consumer_tag=consumer, delivery_tag=tag, redelivered=tag % 2 == 0, exchange="", routing_key="q"
    )
    return content(method, body, channel, pieces, **properties)


class Side:
    """A tap, with all that came of what it was fed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rest = b""
        self.mail: list[Incoming] = []
        self.pushes: list[Incoming] = []
        self.fates: list[tuple[Any, ...]] = []
        self.tap = Tap(self._rest, lambda: self.now)
        self.tap.consumers[MAIL, b"c"] = self.mail.append
        self.tap.consumers[PUSHES, b"c"] = self.pushes.append
        self.tap.publishers[OUT] = Settling(
            taken=lambda tag, whole: self.fates.append(("taken", tag, whole)),
            refused=lambda tag, whole: self.fates.append(("refused", tag, whole)),
            returned=lambda name: self.fates.append(("returned", name)),
        )

    def _rest(self, data: bytes) -> None:
        self.rest += data

    def feed(self, pieces: Iterable[bytes]) -> "Side":
        for piece in pieces:
            self.tap.feed(piece)
        return self


GET = content(Basic.GetOk(delivery_tag=9, exchange="", routing_key="q", message_count=0), b"fetched", MAIL, 2)
RETURN = content(Basic.Return(reply_code=312, reply_text="NO_ROUTE", exchange="", routing_key="q"), b"back", OUT)
LEFT = (
    frames(MAIL, Queue.DeclareOk(queue="q", message_count=1, consumer_count=0)),
    GET,
    HEARTBEAT,
    delivery(1, consumer="nobody"),
    delivery(1, channel=OTHER),
    frames(MAIL, Basic.Ack(delivery_tag=1)),
    frames(OUT, Channel.Close(reply_code=404, reply_text="no", class_id=0, method_id=0)),
)
TWO, LAST = delivery(4, b"y" * 90, pieces=2), 8 + 45
STREAM = b"".join(
    (
        delivery(1),
        LEFT[0],
        delivery(2, b"x" * 700, pieces=3),
        LEFT[1],
        delivery(3, b"", channel=PUSHES),
        # Content of two channels, in turns.
        TWO[:-LAST],
        frames(OUT, Basic.Ack(delivery_tag=5, multiple=True)),
        TWO[-LAST:],
        LEFT[2],
        RETURN,
        LEFT[3],
        frames(OUT, Basic.Nack(delivery_tag=6)),
        LEFT[4],
        delivery(5, b"z", delivery_mode=1, expiration="60", headers={"x": 1}),
        *LEFT[5:],
    )
)


def judge(side: Side) -> None:
    assert [(one.tag, one.redelivered, len(one.body), one.user, one.durable) for one in side.mail] == [
        (1, False, 5, "front", True),
        (2, True, 700, "front", True),
        (4, True, 90, "front", True),
        (5, False, 1, "front", False),
    ]
    assert [(one.tag, one.body) for one in side.pushes] == [(3, b"")]
    assert side.fates == [("taken", 5, True), ("returned", "17"), ("refused", 6, False)]
    assert side.rest == b"".join(LEFT)


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_it_does_not_matter_where_the_stream_is_cut(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(STREAM)]
    judge(Side().feed(STREAM[begin:end] for begin, end in pairwise(cuts)))


def test_nor_byte_by_byte() -> None:
    judge(Side().feed(STREAM[at : at + 1] for at in range(len(STREAM))))


def test_what_is_no_amqp_is_left_to_the_library_from_there_on() -> None:
    side = Side().feed([delivery(1), b"AMQP\x00\x00\x09\x01", delivery(3)])
    assert len(side.mail) == 1
    assert side.rest == b"AMQP\x00\x00\x09\x01" + delivery(3)


def test_the_reader_hears_of_a_stream_that_ends_within_a_frame() -> None:
    side = Side().feed([delivery(1), HEARTBEAT, delivery(2)[:10]])
    assert side.rest == HEARTBEAT
    side.tap.end()
    assert side.rest == HEARTBEAT + delivery(2)[:10]


def test_a_reader_for_whom_nothing_comes_sees_that_the_broker_lives() -> None:
    side = Side()
    side.feed([delivery(1)])
    assert side.rest == b""
    side.now += SIGN_OF_LIFE + 0.1
    side.feed([delivery(2), delivery(3)])
    assert side.rest == HEARTBEAT
    # Half a frame is no sign of anything.
    side.now += SIGN_OF_LIFE + 0.1
    side.feed([delivery(4)[:5]])
    assert side.rest == HEARTBEAT


def test_mail_with_properties_that_cannot_be_read_is_of_nobody_and_ends_nothing() -> None:
    side = Side()
    odd_name = delivery(1).replace(b"\x0217", b"\x02\xff\xfe")
    odd_header = delivery(2, headers={"x": True}).replace(b"\x01xt\x01", b"\x01xZ\x01")
    side.feed([odd_name + odd_header + delivery(3)])
    assert [(one.tag, one.body, one.user, one.durable) for one in side.mail] == [
        (1, b"hello", "", True),
        (2, b"hello", "", True),
        (3, b"hello", "front", True),
    ]
    assert side.rest == b""


def test_what_a_consumer_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    side = Side()

    def fail(_: Incoming) -> None:
        raise ValueError("no")

    side.tap.consumers[PUSHES, b"c"] = fail
    side.feed([delivery(1, channel=PUSHES) + delivery(3)])
    assert [one.tag for one in side.mail] == [3]
    assert "mail was not taken" in caplog.text
