"""One socket's protocol, without a socket: frames and outcomes in, actions out.

Each command that has an `id` gets exactly one `ok` or `error`, unless the socket is closed or told to resync before:
then the client repeats what is unanswered, with the same client_ids. At most `window` commands are with their owner
at once, and frames pass at a person's rate; the one beyond is held back, and `full` tells whoever reads the socket to
stop until there is room. Nothing is refused for being early: later commands would overtake the refused one.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

import msgspec

from protocols import frames
from protocols.errors import ErrorBody, Refusal, is_final
from protocols.frames import Close
from protocols.mail import Command, Outcome
from protocols.rendering import moment
from protocols.router import DeleteMessage, EditMessage, React, Receipt, SendMessage, Stored
from web.chain import Chain

STRIKES: Final = 3
"""So many frames in a row that are no frames at all end the socket."""

HASTY: Final = 1_500
"""So many frames in a row beyond the rate end the socket: nobody types like that, and an outbox is empty by then."""


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send this frame, JSON text."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell router a command; its outcome is wanted under `ticket`. `id` is the command's id.

    `after`: the id of the send that it must not overtake, "" for none.
    """

    ticket: int
    command: Command[Any]
    id: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """Tell router a command whose outcome nobody wants."""

    command: Command[Any]


@dataclass(frozen=True, slots=True)
class Types:
    """The person is writing in this conversation: worth nothing later, and never answered."""

    conversation: str


@dataclass(frozen=True, slots=True)
class Attends:
    """What the device of this socket shows from now on; `viewing` is a conversation or ""."""

    visible: bool
    viewing: str


@dataclass(frozen=True, slots=True)
class ReadOn:
    """Read one page of what changed since a token, and answer by `read_on` or `cannot_read_on`."""

    id: str
    since: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the socket with this code; nothing follows."""

    code: int
    reason: str


Action = Transmit | Tell | Mention | Types | Attends | ReadOn | Hangup

_Command = frames.Send | frames.Edit | frames.Delete | frames.React | frames.Read | frames.Delivered


class _Named(msgspec.Struct):
    id: Any = None
    type: Any = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(frames.ClientFrame).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_decode_stored = msgspec.msgpack.Decoder(Stored).decode
_TYPES: Final = frozenset(struct.__struct_config__.tag for struct in get_args(frames.ClientFrame))


class Session:
    """`window`: commands under way at most. `admit()`: 0.0 when one more frame is within the rate, else seconds.

    `private()`: whether the person keeps from the others what they read.
    `pause`: seconds after which to call `go_on`, when it is the rate that holds a frame back; else 0.0.
    """

    def __init__(self, *, window: int, admit: Callable[[], float], private: Callable[[], bool] = lambda: False) -> None:
        self._window = window
        self._admit = admit
        self._private = private
        self._tickets = 0
        self._under_way: dict[int, tuple[str, str]] = {}
        self._chain = Chain()
        self._held: deque[frames.ClientFrame | Transmit] = deque()
        self._admitted = False
        self._strikes = 0
        self._hasty = 0
        self.pause = 0.0
        self.over = False

    @property
    def full(self) -> bool:
        """Whether a command is held back: read nothing more until it is not."""
        return bool(self._held)

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    # From the client.

    def received(self, text: str | bytes) -> Sequence[Action]:
        """A text frame came in; its bytes may be no UTF-8."""
        if self.over:
            return ()
        try:
            frame = _decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return self._unreadable(text, error)
        return self._taken(frame)

    def received_binary(self) -> Sequence[Action]:
        """A binary frame came in; there is no such thing here."""
        if self.over:
            return ()
        return self._strike(None, "Frames are JSON text.")

    # From the owner.

    def outcome(self, ticket: int, outcome: Outcome) -> Sequence[Action]:
        """What became of a command. One that nobody waits for any more is ignored."""
        if self.over or ticket not in self._under_way:
            return ()
        frame_id, name = self._under_way.pop(ticket)
        self._chain.answered(name)
        if outcome.error is not None:
            return self._failed(frame_id, outcome.error)
        answer: frames.StoredOk | frames.Ok
        if name:
            stored = _decode_stored(outcome.value or b"")
            answer = frames.StoredOk(
                id=frame_id,
                conversation=stored.conversation,
                seq=stored.seq,
                version=stored.version,
                message_id=stored.message_id,
                at=moment(stored.at),
            )
        else:
            answer = frames.Ok(id=frame_id)
        return (Transmit(_encode(answer)), *self._pass_on())

    def refused(self, ticket: int, refusal: Refusal) -> Sequence[Action]:
        """A command could not even be told."""
        if self.over or ticket not in self._under_way:
            return ()
        frame_id, _ = self._under_way.pop(ticket)
        return self._failed(frame_id, refusal.body)

    def read_on(self, frame_id: str, changes: list[frames.Change], following: str, *, more: bool) -> Sequence[Action]:
        """The page that ReadOn asked for."""
        if self.over:
            return ()
        return (Transmit(_encode(frames.SyncOk(id=frame_id, changes=changes, next=following, more=more))),)

    def cannot_read_on(self, frame_id: str, error: ErrorBody) -> Sequence[Action]:
        """The page that ReadOn asked for cannot be had. Nothing is out of order by that, so the socket stays."""
        return () if self.over else (_error(frame_id, error),)

    def resync(self) -> Sequence[Action]:
        """Something may have been missed, outcomes included: the client repeats what is unanswered."""
        if self.over:
            return ()
        # The chain stays: what the client sent before it hears of this comes still, perhaps after something lost.
        self._under_way.clear()
        return (Transmit(_encode(frames.Resync())), *self._pass_on())

    def go_on(self) -> Sequence[Action]:
        """The pause is over."""
        return () if self.over else self._pass_on()

    def stalled(self) -> Sequence[Action]:
        """The window stayed full for too long."""
        return self._hang_up(Close.RESEND, "no room; resend from the first unanswered")

    # Inside.

    def _taken(self, frame: frames.ClientFrame | Transmit) -> Sequence[Action]:
        self._strikes = 0
        self._held.append(frame)
        return self._pass_on()

    def _pass_on(self) -> list[Action]:
        """Let held frames go, in order, as far as there is room for commands and the rate allows."""
        actions: list[Action] = []
        self.pause = 0.0
        while self._held and not self.over:
            frame = self._held[0]
            if not self._admitted:
                self.pause = self._admit()
                if self.pause:
                    return [*actions, *self._too_fast()]
                # Counted once, also when it then waits for room.
                self._admitted = True
            match frame:
                case Transmit():
                    actions.append(frame)
                case frames.Ping():
                    actions.append(Transmit(_encode(frames.Pong(id=frame.id))))
                case frames.Sync():
                    actions.append(ReadOn(frame.id, frame.since))
                case frames.Read() | frames.Delivered() if frame.id is None:
                    actions.append(Mention(self._command(frame)))
                case frames.Typing() | frames.Attention():
                    actions.append(_sign(frame))
                case _ if len(self._under_way) >= self._window:
                    return actions
                case _:
                    actions.append(self._tell(frame))
            self._held.popleft()
            self._admitted = False
        self._hasty = 0
        return actions

    def _tell(self, frame: _Command) -> Tell:
        self._tickets += 1
        name = "" if isinstance(frame, frames.Read | frames.Delivered) else frame.client_id
        self._under_way[self._tickets] = (frame.id or "", name)
        after = self._chain.after(name) if isinstance(frame, frames.Send) else ""
        return Tell(self._tickets, self._command(frame), name, after)

    def _command(self, frame: _Command) -> Command[Any]:
        if isinstance(frame, frames.Read):
            return Receipt(conversation=frame.conversation, read=frame.seq, private=self._private())
        return _command(frame)

    def _failed(self, frame_id: str, error: ErrorBody) -> Sequence[Action]:
        if not is_final(error.code):
            # Later commands may be stored while this one is not: only a new start from it keeps the order.
            return self._hang_up(Close.RESEND, "resend from the first unanswered")
        return (_error(frame_id, error), *self._pass_on())

    def _unreadable(self, text: str | bytes, error: Exception) -> Sequence[Action]:
        try:
            named = _decode_named(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return self._strike(None, "This is not a JSON object with a type.")
        frame_id = named.id if isinstance(named.id, str) and 0 < len(named.id) <= 64 else None  # noqa: PLR2004  (FrameId)
        if not isinstance(named.type, str):
            return self._strike(frame_id, "This is not a JSON object with a type.")
        # No strike: somebody who speaks our language made a mistake, or speaks a newer version of it, as a page does
        # that was loaded before an upgrade was taken back. The answer waits its turn, so that the rate counts it.
        if named.type not in _TYPES:
            return self._taken(_error(frame_id, ErrorBody("invalid", "There is no such type of frame.")))
        return self._taken(_error(frame_id, ErrorBody("invalid", str(error))))

    def _strike(self, frame_id: str | None, message: str) -> Sequence[Action]:
        self._strikes += 1
        answer = _error(frame_id, ErrorBody("invalid", message))
        if self._strikes < STRIKES:
            return (answer,)
        return (answer, *self._hang_up(Close.POLICY, "not this protocol"))

    def _too_fast(self) -> Sequence[Action]:
        self._hasty += 1
        return self._hang_up(Close.TOO_FAST, "too fast") if self._hasty >= HASTY else ()

    def _hang_up(self, code: int, reason: str) -> Sequence[Action]:
        if self.over:
            return ()
        self.over = True
        self._under_way.clear()
        self._held.clear()
        return (Hangup(code, reason),)


def _error(frame_id: str | None, error: ErrorBody) -> Transmit:
    return Transmit(
        _encode(
            frames.ErrorFrame(
                id=frame_id,
                code=error.code,
                message=error.message,
                fields=error.fields,
                retry_after=error.retry_after,
            )
        )
    )


def _sign(frame: frames.Typing | frames.Attention) -> Types | Attends:
    if isinstance(frame, frames.Typing):
        return Types(frame.conversation)
    return Attends(frame.visible, frame.conversation or "")


def _command(frame: frames.Send | frames.Edit | frames.Delete | frames.React | frames.Delivered) -> Command[Any]:
    match frame:
        case frames.Send():
            return SendMessage(to=frame.to, body=frame.body, reply_to=frame.reply_to or "", file=frame.file or "")
        case frames.Edit():
            return EditMessage(conversation=frame.conversation, message_id=frame.message_id, body=frame.body)
        case frames.Delete():
            return DeleteMessage(conversation=frame.conversation, message_id=frame.message_id)
        case frames.React():
            return React(conversation=frame.conversation, message_id=frame.message_id, emoji=frame.emoji, on=frame.on)
        case frames.Delivered():
            return Receipt(conversation=frame.conversation, delivered=frame.seq)
