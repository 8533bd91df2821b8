"""A command in an owner's hands: from the bytes in an envelope to something that can be dispatched. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.runtime.broker import Delivery
from actors.runtime.declaration import Handler, Mail
from actors.runtime.dispatch import Result, Work
from protocols.mail import Command, Item

GARBAGE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises of bytes that are no mail of ours; the last one when they are nested too deep."""


@dataclass(slots=True, eq=False)
class Entry:
    """A command in hand. `result` is set when it needs no transaction any more."""

    item: Item
    delivery: Delivery
    sender: str
    reply_to: str
    work: Work | None = None
    result: Result | None = None

    @property
    def suspect(self) -> bool:
        """Whether handling it may be what ended a process before."""
        return self.delivery.redelivered and self.result is None


class Understanding:
    """Decodes commands of one actor."""

    def __init__(self, handlers: Mapping[type[Command[Any]], Handler]) -> None:
        self._handlers: dict[Any, Handler] = dict(handlers)
        union: Any = None
        for command in self._handlers:
            union = command if union is None else union | command
        self._decoder = msgspec.msgpack.Decoder(union) if union is not None else None

    def __call__(self, item: Item, now: int) -> Work:
        """The work that an item asks for, at `now` (Unix ms). Raises one of GARBAGE when it is not understood."""
        if self._decoder is None:
            raise msgspec.ValidationError("this actor takes no commands")
        command = self._decoder.decode(item.command)
        mail = Mail(item.id, item.person, command, now, item.correlation, after=item.after, expires=item.expires)
        return Work(self._handlers[type(command)], mail, item.command)


def expired(item: Item, now: int) -> bool:
    """Whether nobody waits for it any more at `now` (Unix ms)."""
    return bool(item.expires) and item.expires < now
