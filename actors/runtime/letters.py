"""Dead letters as people look at them: named, read and described. The broker has them."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from protocols.mail import DeadLetter, decode_dead_letter, decode_envelope
from protocols.values import rfc3339

MARK: Final = 12
"""Characters of a mark: with a thousand letters two alike are out of the question."""

Settle = Callable[[bool], Awaitable[None]]


class Holder(Protocol):
    """The part of a broker that has the letters."""

    async def declare_mailbox(self, actor: str) -> None: ...
    async def take_dead_letters(self, actor: str, most: int) -> list[tuple[bytes, Callable[[bool], Any]]]: ...


@dataclass(frozen=True)
class Found:
    """A dead letter at the broker. `settle(True)` takes it away; what is not settled stays where it was."""

    mark: str
    letter: DeadLetter
    settle: Settle


async def look(broker: Holder, actor: str, most: int) -> list[Found]:
    """An actor's letters, the oldest first. Raises BrokerError."""
    # Where the actor never ran there is no queue yet, and asking for one that is missing breaks the connection.
    await broker.declare_mailbox(actor)
    taken = await broker.take_dead_letters(actor, most)
    return [Found(mark_of(body), _letter(actor, body), settle) for body, settle in taken]


def mark_of(body: bytes) -> str:
    """The name of a letter: the same bytes have the same one."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()[:MARK]


def summary(found: Found) -> dict[str, Any]:
    """What is known of a letter without opening it."""
    letter = found.letter
    return {
        "mark": found.mark,
        "actor": letter.actor,
        "at": rfc3339(letter.at),
        "reason": letter.reason,
        "command_id": letter.command_id,
    }


def described(found: Found) -> dict[str, Any]:
    """What is known of a letter, its commands included, as plain values."""
    letter = found.letter
    told: dict[str, Any] = {**summary(found), "sender": letter.sender}
    try:
        envelope = decode_envelope(letter.raw)
        told["commands"] = [
            {"id": item.id, "person": item.person, "command": msgspec.msgpack.decode(bytes(item.command))}
            for item in envelope.items
        ]
    except (msgspec.DecodeError, UnicodeDecodeError):
        told["raw"] = letter.raw.hex()
    return told


def _letter(actor: str, body: bytes) -> DeadLetter:
    try:
        return decode_dead_letter(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return DeadLetter(actor=actor, reason="unreadable: not a dead letter of ours", at=0, raw=body)
