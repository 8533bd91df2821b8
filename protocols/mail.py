"""Mail between processes: envelopes of commands to one owner, and what owners tell the fronts.

msgpack throughout. Unknown fields are tolerated, so that two versions can run side by side during a restart.
"""

from typing import Any, ClassVar, Generic, TypeVar, get_args

from msgspec import Raw, Struct, msgpack

from protocols.errors import ErrorBody

Reply = TypeVar("Reply")


class Command(Struct, Generic[Reply], frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What one process wants of the owner of some data. Subclasses name their reply: `class Send(Command[Stored])`.

    `durable`: must survive a crash of everything, so it is persistent and confirmed; others may be lost, and whoever
    asked is told by a deadline. `secret`: carries a password or token: never logged, never kept as a dead letter.
    `operator`: only the command line may send it; the broker vouches for whose mail it is.
    """

    durable: ClassVar[bool] = True
    secret: ClassVar[bool] = False
    operator: ClassVar[bool] = False


class Done(Struct, frozen=True):
    """The reply of a command that has nothing to say."""


class Changed(Command[Done], frozen=True, kw_only=True, tag="changed"):
    """A hint of one owner to another: its log has come to `change`. It may be lost, for the log is the truth."""

    durable: ClassVar[bool] = False
    source: str
    change: int


def reply_type(command: type[Command[Any]]) -> Any:
    """The type that `command`'s owner answers with."""
    for base in getattr(command, "__orig_bases__", ()):
        arguments = get_args(base)
        if arguments:
            return arguments[0]
    raise TypeError(f"{command.__name__} does not name its reply: Command[SomeReply]")


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command in an envelope.

    `id`: minted once by the client and kept across retries: the owner does it once. `person`: on whose behalf, set by
    the front from the session, never from what a client wrote; "" for the operator's own tools. `correlation`: what
    the sender calls this attempt; it comes back with the outcome. `expires`: Unix milliseconds after which nobody
    waits any more, 0 for never. `after`: the person's command that must have been done before this one, "" for none:
    mail between them may have been lost with its queue.
    """

    id: str
    command: Raw
    person: str = ""
    correlation: str = ""
    expires: int = 0
    after: str = ""


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What travels to a mailbox: commands of one sender, in order.

    `sender`: its incarnation (`front.1:5f3c...`), told outcomes by push. `reply_to`: the queue for outcomes instead,
    when the sender asked.
    """

    sender: str
    items: list[Item]
    reply_to: str = ""


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="outcome"):
    """What became of a command: its reply (msgpack of the type that the command names) or its error."""

    correlation: str
    value: bytes | None = None
    error: ErrorBody | None = None


class Remembered(Struct, frozen=True):
    """What an owner keeps of a command that it did: its fingerprint, and msgpack of its reply or the refusal."""

    fingerprint: bytes
    value: bytes | None
    error: ErrorBody | None


class Replies(Struct, frozen=True):
    """Outcomes of one batch for one reply queue."""

    outcomes: list[Outcome]


class Push(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="push"):
    """A frame for every open socket of some people.

    `frame` is the JSON text as it goes out, encoded once. `correlation` names the command that caused it: the socket
    which sent that command gets the outcome and is left out.
    """

    to: list[str]
    frame: bytes
    correlation: str = ""


class SessionsOver(Struct, frozen=True, tag="sessions_over"):
    """These sessions have ended: close their sockets now (the truth stands in auth's database)."""

    sessions: list[str]


FrontItem = Push | Outcome | SessionsOver


class PushBatch(Struct, frozen=True, kw_only=True, tag="batch"):
    """All that one transaction of an owner lets out, to all fronts at once. Transient: it may be lost.

    `number` runs on without holes; a front that sees a gap or a new incarnation has missed something and makes its
    sockets read on from the log.
    """

    source: str
    incarnation: str
    number: int
    items: list[FrontItem]


class Beat(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="beat"):
    """An owner's sign of life, every 2 s and on change.

    `number` is its last push's; `state` "running", "degraded" or "stopping"; `note` says in words what is the
    matter; `depth` counts the messages waiting in its mailbox.
    """

    source: str
    incarnation: str
    number: int
    state: str
    depth: int = 0
    note: str = ""


class DeadLetter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Mail that could not be handled. `raw` is the envelope or the one item as it came."""

    actor: str
    reason: str
    at: int
    raw: bytes
    command_id: str = ""
    sender: str = ""


class FrontBeat(Struct, frozen=True, kw_only=True, tag="front_beat"):
    """What one front counts, every 2 s, for the others: whichever is asked for figures answers for all.

    `figures` maps a sample in Prometheus' words, labels included, to its value.
    """

    source: str
    figures: dict[str, int]


FrontMail = PushBatch | Beat | FrontBeat

encoder = msgpack.Encoder()
decode_envelope = msgpack.Decoder(Envelope).decode
decode_front_mail = msgpack.Decoder(FrontMail).decode
decode_replies = msgpack.Decoder(Replies).decode
decode_dead_letter = msgpack.Decoder(DeadLetter).decode
