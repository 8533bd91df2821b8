"""What the bench tells its worker processes, and what they answer: msgpack, each with its length before it.

Times are seconds of `time.perf_counter`, which on Linux is one clock for all processes of a machine.
"""

from typing import Final

from msgspec import Struct, msgpack

from drill.ledger import Sent
from drill.screen import Shown

LENGTH: Final = 4
"""Bytes of the length before each order and answer, big-endian."""


class Guest(Struct, frozen=True):
    """Somebody who has an account and a session. `token` is an access token that is good for as long as a run takes."""

    id: str
    token: str


class Open(Struct, frozen=True, tag=True):
    """Open a socket each, one after the other, or `at_once` so many at a time. Answer: Opened."""

    port: int
    guests: list[Guest]
    at_once: int = 1


class Opened(Struct, frozen=True, tag=True):
    """When the first attempt began and when the last hello was there."""

    began: float
    ended: float


class Sending(Struct, frozen=True):
    """Type to `to`, `most` messages at most, so that `outstanding` of them have no answer.

    `shown`: wait with the next one until this one is on the other's screen, too; both are of the same worker then.
    """

    sender: str
    to: str
    tag: str
    outstanding: int
    most: int
    shown: bool = False


class Chat(Struct, frozen=True, tag=True):
    """Type from `start` until `stop`, then wait for the last answers. `receivers` show what comes. Answer: Told."""

    sendings: list[Sending]
    receivers: list[str]
    start: float
    stop: float


class Told(Struct, frozen=True, tag=True):
    """How many messages each one of the recipients was sent."""

    counts: dict[str, int]


class Settle(Struct, frozen=True, tag=True):
    """Wait until each of `receivers` has shown so many, and whatever was pushed before an answer now. Answer: Log.

    `before`: how many messages a conversation held before; places are counted on from there.
    """

    receivers: dict[str, int]
    before: int
    within: float


class Log(Struct, frozen=True, tag=True):
    """All that was typed and shown since the last Chat, with `perf_counter` as their clock."""

    sent: list[Sent]
    shown: dict[str, list[Shown]]


class ReadUp(Struct, frozen=True, tag=True):
    """Come back after having been away: open a socket and read on from the beginning of the log. Answer: Caught."""

    port: int
    guest: Guest
    waiting: int


class Caught(Struct, frozen=True, tag=True):
    """Seconds from the first packet until the hello and until the last page was there; pages and their bytes."""

    hello: float
    seconds: float
    pages: int
    size: int


class Close(Struct, frozen=True, tag=True):
    """Close every socket. Answer: Closed."""


class Closed(Struct, frozen=True, tag=True):
    pass


class Failed(Struct, frozen=True, tag=True):
    """The order could not be carried out; the text says why."""

    reason: str


Order = Open | Chat | Settle | ReadUp | Close
Answer = Opened | Told | Log | Caught | Closed | Failed

encode: Final = msgpack.Encoder().encode
decode_order: Final = msgpack.Decoder(Order).decode
decode_answer: Final = msgpack.Decoder(Answer).decode


def framed(message: Order | Answer) -> bytes:
    """As it travels."""
    body = encode(message)
    return len(body).to_bytes(LENGTH, "big") + body
