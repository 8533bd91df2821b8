"""The socket's frames: JSON text, one tagged union a direction. Unknown fields from a browser are refused."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from protocols.files import FailureReason, UploadStateName
from protocols.notifier import NoticeData, Preferences
from protocols.values import Caption, ClientId, Emoji, Id, Relation, Seq, User

SUBPROTOCOL = "parley.v1"

FrameId = Annotated[str, Meta(min_length=1, max_length=64)]
"""The client's own name for a command; comes back in its one `ok` or `error`."""

# From the client.


class _FromClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Send(_FromClient, frozen=True, kw_only=True, tag="send"):
    """A message to a contact. The `ok` comes when it is stored, and carries what Stored names.

    `file`: an upload of mine for `to`, whatever part of it has arrived by now; a file is sent once. `body` is its
    caption then, and may be empty.
    """

    id: FrameId
    client_id: ClientId
    to: Id
    body: Caption
    reply_to: Id | None = None
    file: Id | None = None

    def __post_init__(self) -> None:
        if not self.body and self.file is None:
            raise ValueError("`body` may be empty only with a file")


class Edit(_FromClient, frozen=True, kw_only=True, tag="edit"):
    """Other words for a message of mine. Only a file's caption may become empty."""

    id: FrameId
    client_id: ClientId
    conversation: Id
    message_id: Id
    body: Caption


class Delete(_FromClient, frozen=True, kw_only=True, tag="delete"):
    id: FrameId
    client_id: ClientId
    conversation: Id
    message_id: Id


class React(_FromClient, frozen=True, kw_only=True, tag="react"):
    id: FrameId
    client_id: ClientId
    conversation: Id
    message_id: Id
    emoji: Emoji
    on: bool


class Read(_FromClient, frozen=True, kw_only=True, tag="read"):
    """Everything of the other up to `seq` was seen. Without `id` it is answered by an error at most."""

    conversation: Id
    seq: Seq
    id: FrameId | None = None


class Delivered(_FromClient, frozen=True, kw_only=True, tag="delivered"):
    """Everything of the other up to `seq` has reached this device."""

    conversation: Id
    seq: Seq
    id: FrameId | None = None


class Typing(_FromClient, frozen=True, kw_only=True, tag="typing"):
    """The person is writing there. Not answered; passed on at most once in 3 s, to a contact, or to nobody."""

    conversation: Id


class Attention(_FromClient, frozen=True, kw_only=True, tag="attention"):
    """What this socket's device shows, told anew whenever it changes. Not answered; until it is told, not visible.

    `visible`: whether the page can be seen. `conversation`: the one that is in view while the page has the focus.
    """

    visible: bool
    conversation: Id | None = None


class Sync(_FromClient, frozen=True, kw_only=True, tag="sync"):
    """One page of what changed since a token; the `ok` carries `changes`, `next` and `more`."""

    id: FrameId
    since: Annotated[str, Meta(max_length=200)]


class Ping(_FromClient, frozen=True, kw_only=True, tag="ping"):
    id: FrameId | None = None


ClientFrame = Send | Edit | Delete | React | Read | Delivered | Typing | Attention | Sync | Ping

# From the server.


class _FromServer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class ActorState(Struct, frozen=True):
    """`state`: "running", "degraded" or "down"."""

    name: str
    state: str


class NoticesState(Struct, frozen=True):
    """`unread` counts a person's unread notices, `change` is the latest change of any of them."""

    unread: int
    change: int


class Hello(_FromServer, frozen=True, kw_only=True, tag="hello"):
    """First on every socket. Everything up to `sync` can be read; everything after it will be pushed.

    `notices` is left out while they cannot be read.
    """

    user: User
    session: str
    sync: str
    in_flight: int
    actors: list[ActorState]
    notices: NoticesState | None = None


class Ok(_FromServer, frozen=True, kw_only=True, tag="ok"):
    id: str


class StoredOk(_FromServer, frozen=True, kw_only=True, tag="ok"):
    """The `ok` of send, edit, delete and react."""

    id: str
    conversation: str
    seq: int
    version: int
    message_id: str
    at: str


class Reaction(Struct, frozen=True):
    emoji: str
    users: list[str]


class FileInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file of a message. `size` and `offset` are bytes, `width` and `height` pixels (0: unknown).

    `name` and `type` are what the sender's browser called it: for display, nothing else. `preview`: there is a small
    picture of it. From `state` on it is as at the moment of the page that carries it; without `state`, in what is
    pushed and where files cannot be read, all of that is unknown here, and GET /api/v1/files?ids= tells it. `offset`
    bytes have arrived, `active`: more are coming right now, `verified`: the sender's browser found the same checksum.
    """

    id: str
    name: str
    type: str
    size: int
    width: int = 0
    height: int = 0
    preview: bool = False
    state: UploadStateName | None = None
    offset: int = 0
    active: bool = False
    verified: bool = False


class _MessageFields(_FromServer, frozen=True, kw_only=True):
    """A message as it is now. A deleted one keeps its place and loses `body`, `reply_to`, `reactions` and `file`."""

    conversation: str
    seq: int
    version: int
    message_id: str
    client_id: str
    sender: str
    at: str
    body: str = ""
    reply_to: str | None = None
    edited_at: str | None = None
    deleted: bool = False
    reactions: list[Reaction] = []
    file: FileInfo | None = None


class Message(_MessageFields, frozen=True, kw_only=True, tag="message"):
    """A new message, and every message in a page of history or sync."""


class MessageChanged(_MessageFields, frozen=True, kw_only=True, tag="message_changed"):
    """An edited, deleted or reacted-to message, whole, as it is now."""


class ReceiptFrame(_FromServer, frozen=True, kw_only=True, tag="receipt"):
    """`user` has everything of the other up to `delivered`, and saw it up to `read`.

    Of the peer, `read` is as much as they let be seen. `unread_from` is in one's own only: what the peer wrote from
    that place on counts as unread, because one marked it so; without it there is no such mark, or no longer.
    """

    conversation: str
    user: str
    delivered: int
    read: int
    unread_from: int = 0


Change = Message | ReceiptFrame
"""What a page of sync is made of, in order of change."""


class SyncOk(_FromServer, frozen=True, kw_only=True, tag="ok"):
    id: str
    changes: list[Change]
    next: str
    more: bool


class ErrorFrame(_FromServer, frozen=True, kw_only=True, tag="error"):
    """`id` is null when the frame that it answers could not be read that far. `fields`: what is wrong, by field."""

    id: str | None
    code: str
    message: str
    fields: dict[str, str] | None = None
    retry_after: float | None = None


class Contact(_FromServer, frozen=True, kw_only=True, tag="contact"):
    """What somebody is to me has changed. `request` is set while one is pending."""

    user: User
    relation: Relation
    conversation: str
    request: str | None = None
    at: str | None = None


class TypingFrame(_FromServer, frozen=True, kw_only=True, tag="typing"):
    """`user` is writing there. It holds for 6 s, or until their message comes."""

    conversation: str
    user: str


PresenceState = Literal["online", "away", "offline", "unknown"]
"""`online`: a device can be seen; `away`: devices are connected, none can be seen; `unknown`: not told, any more."""


class PresenceFrame(_FromServer, frozen=True, kw_only=True, tag="presence"):
    """How a contact is from now on. `last_seen` is when the contact was last online, where that may be known."""

    user: str
    state: PresenceState
    last_seen: str | None = None


class NoticeFrame(NoticeData, frozen=True, kw_only=True, omit_defaults=True, tag="notice"):
    """A notice as it is now, new or changed: it takes the place of what was known under its `id`.

    `change` grows with everything that happens to a person's notices: what has a smaller one is known already.
    """

    id: str
    change: int
    kind: str
    at: str
    read: bool


class NoticesRead(_FromServer, frozen=True, kw_only=True, tag="notices_read"):
    """Another device of the same person has read everything up to the change `up_to`, and those of `ids`."""

    up_to: int = 0
    ids: list[str] = []


class PreferencesFrame(Preferences, frozen=True, kw_only=True, tag="preferences"):
    """What another device of the same person has set, whole."""


class MuteFrame(_FromServer, frozen=True, kw_only=True, tag="mute"):
    """Another device of the same person has muted a contact until then, or for ever; with neither, no longer."""

    user: str
    until: str | None = None
    forever: bool = False


class FileFrame(_FromServer, frozen=True, kw_only=True, tag="file"):
    """How a file comes along, for its sender and its recipient. It may be lost: ask GET /api/v1/files?ids= after a gap.

    Told at every change of `state` and of `active`, and now and then as `offset` grows. `reason` is that of `failed`.
    """

    id: str
    state: UploadStateName
    offset: int
    size: int
    active: bool = False
    verified: bool = False
    reason: FailureReason = ""


class ActorFrame(_FromServer, frozen=True, kw_only=True, tag="actor"):
    name: str
    state: str


class Resync(_FromServer, frozen=True, kw_only=True, tag="resync"):
    """Something that an owner pushed may have been missed: of `source` alone, or of any owner without it.

    "router": sync from the token you have, and repeat what is unanswered. "contacts": read contacts and requests again.
    "notifier": read presence, notices and preferences again. "file_chunker": ask for the states of files that are not
    at their end. Who does all four whatever it says does nothing wrong.
    """

    source: str | None = None


class Pong(_FromServer, frozen=True, kw_only=True, tag="pong"):
    id: str | None = None


ServerFrame = (
    Hello
    | Ok
    | Message
    | MessageChanged
    | ReceiptFrame
    | ErrorFrame
    | Contact
    | TypingFrame
    | PresenceFrame
    | NoticeFrame
    | NoticesRead
    | PreferencesFrame
    | MuteFrame
    | FileFrame
    | ActorFrame
    | Resync
    | Pong
)


class Close:
    """Close codes that the server uses."""

    RESTART = 1012
    RESEND = 1013
    POLICY = 1008
    TOO_BIG = 1009
    SESSION_OVER = 4001
    TOO_FAST = 4008
