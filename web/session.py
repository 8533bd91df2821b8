"""One socket's protocol, without a socket: frames and outcomes in, actions out.

Each command that has an `id` gets exactly one `ok` or `error`, unless the socket is closed or told to resync with its
owner before: then the client repeats what is unanswered, with the same client_ids. A repeat of what is still with its
owner waits for the same outcome. At most `window` commands are with their owner
at once, and frames pass at a person's rate; the one beyond is held back, and `full` tells whoever reads the socket to
stop until there is room. Nothing is refused for being early: later commands would overtake the refused one.
"""

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

OWNER: Final = "router"
"""Whom a session's commands are for."""

COPIES: Final = 8
"""So many frames wait for one outcome; a further copy is told again, within the window as every command."""

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


class _UnderWay(msgspec.Struct):
    """A command that is with its owner. `ids`: the frames that wait for its outcome; `name`: its client_id, or ""."""

    frame: _Command
    ids: list[str]
    name: str


class _Named(msgspec.Struct):
    id: Any = None
    type: Any = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(frames.ClientFrame).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_decode_stored = msgspec.msgpack.Decoder(Stored).decode
_TYPES: Final = frozenset(struct.__struct_config__.tag for struct in get_args(frames.ClientFrame))


class Session:
    """`window`: commands under way at most. `admit(person)`: 0.0 when one more frame is within the rate, else seconds.

    `private(person)`: whether they keep from the others what they read.
    `pause`: seconds after which to call `go_on`, when it is the rate that holds a frame back; else 0.0.
    """

    __slots__ = (
        "_admit",
        "_admitted",
        "_chain",
        "_hasty",
        "_held",
        "_named",
        "_person",
        "_private",
        "_strikes",
        "_tickets",
        "_under_way",
        "_window",
        "over",
        "pause",
    )

    def __init__(
        self,
        *,
        window: int,
        admit: Callable[[str], float],
        private: Callable[[str], bool] = lambda _: False,
        person: str = "",
    ) -> None:
        self._window = window
        self._person = person
        self._admit = admit
        self._private = private
        self._tickets = 0
        self._under_way: dict[int, _UnderWay] = {}
        self._named: dict[str, int] = {}
        self._chain: Chain | None = None
        # Not a deque, which is large while it is empty; nothing is read while one is held, so there are two at most.
        self._held: list[frames.ClientFrame | Transmit] = []
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
        done = self._end(ticket)
        if self._chain is not None:
            self._chain.answered(done.name)
        if outcome.error is not None:
            return self._failed(done, outcome.error)
        if not done.name:
            return (*(Transmit(_encode(frames.Ok(id=frame_id))) for frame_id in done.ids), *self._pass_on())
        stored = _decode_stored(outcome.value or b"")
        answers = (
            frames.StoredOk(
                id=frame_id,
                conversation=stored.conversation,
                seq=stored.seq,
                version=stored.version,
                message_id=stored.message_id,
                at=moment(stored.at),
            )
            for frame_id in done.ids
        )
        return (*(Transmit(_encode(answer)) for answer in answers), *self._pass_on())

    def refused(self, ticket: int, refusal: Refusal) -> Sequence[Action]:
        """A command could not even be told."""
        if self.over or ticket not in self._under_way:
            return ()
        return self._failed(self._end(ticket), refusal.body)

    def read_on(self, frame_id: str, changes: list[frames.Change], following: str, *, more: bool) -> Sequence[Action]:
        """The page that ReadOn asked for."""
        if self.over:
            return ()
        return (Transmit(_encode(frames.SyncOk(id=frame_id, changes=changes, next=following, more=more))),)

    def cannot_read_on(self, frame_id: str, error: ErrorBody) -> Sequence[Action]:
        """The page that ReadOn asked for cannot be had. Nothing is out of order by that, so the socket stays."""
        return () if self.over else (_error(frame_id, error),)

    def resync(self, source: str = "") -> Sequence[Action]:
        """Something of `source` may have been missed, or of any owner without it.

        With what our owner pushed, outcomes are missed too: the client repeats what is unanswered.
        """
        if self.over:
            return ()
        told = Transmit(_encode(frames.Resync(source=source or None)))
        if source not in {"", OWNER}:
            return (told,)
        # The chain stays: what the client sent before it hears of this comes still, perhaps after something lost.
        self._under_way.clear()
        self._named.clear()
        return (told, *self._pass_on())

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
                self.pause = self._admit(self._person)
                if self.pause:
                    return [*actions, *self._too_fast()]
                # Counted once, also when it then waits for room.
                self._admitted = True
            step = self._at_once(frame)
            if not isinstance(step, _Command):
                actions.append(step)
            elif not self._joined(step):
                if len(self._under_way) >= self._window:
                    return actions
                actions.append(self._tell(step))
            del self._held[0]
            self._admitted = False
        self._hasty = 0
        return actions

    def _at_once(self, frame: frames.ClientFrame | Transmit) -> Action | _Command:
        """What becomes of a frame that needs no room; a command whose outcome is wanted comes back as it is."""
        match frame:
            case Transmit():
                return frame
            case frames.Ping():
                return Transmit(_encode(frames.Pong(id=frame.id)))
            case frames.Sync():
                return ReadOn(frame.id, frame.since)
            case frames.Read() | frames.Delivered() if frame.id is None:
                return Mention(self._command(frame))
            case frames.Typing() | frames.Attention():
                return _sign(frame)
            case _:
                return frame

    def _tell(self, frame: _Command) -> Tell:
        self._tickets += 1
        name = ""
        if not isinstance(frame, frames.Read | frames.Delivered):
            name = frame.client_id
            self._named[name] = self._tickets
        self._under_way[self._tickets] = _UnderWay(frame, [frame.id or ""], name)
        after = ""
        if isinstance(frame, frames.Send):
            if self._chain is None:
                self._chain = Chain()
            after = self._chain.after(name)
        return Tell(self._tickets, self._command(frame), name, after)

    def _joined(self, frame: _Command) -> bool:
        """Let a copy of what is with its owner wait for the same outcome, when that is what it is."""
        if isinstance(frame, frames.Read | frames.Delivered):
            return False
        ticket = self._named.get(frame.client_id)
        if ticket is None:
            return False
        first = self._under_way[ticket]
        if msgspec.structs.replace(frame, id=first.ids[0]) != first.frame:
            return False
        if frame.id in first.ids:
            return True
        if len(first.ids) >= COPIES:
            return False
        first.ids.append(frame.id)
        return True

    def _end(self, ticket: int) -> _UnderWay:
        done = self._under_way.pop(ticket)
        if self._named.get(done.name) == ticket:
            del self._named[done.name]
        return done

    def _command(self, frame: _Command) -> Command[Any]:
        if isinstance(frame, frames.Read):
            return Receipt(conversation=frame.conversation, read=frame.seq, private=self._private(self._person))
        return _command(frame)

    def _failed(self, done: _UnderWay, error: ErrorBody) -> Sequence[Action]:
        if not is_final(error.code):
            # Later commands may be stored while this one is not: only a new start from it keeps the order.
            return self._hang_up(Close.RESEND, "resend from the first unanswered")
        return (*(_error(frame_id, error) for frame_id in done.ids), *self._pass_on())

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
        self._named.clear()
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
