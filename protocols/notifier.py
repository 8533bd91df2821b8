"""Mail to notifier, the owner of notices, preferences, mutes, and of who is present.

The acting person is the item's `person`; of a lease there is none, it is the front's own word. What a browser sent
was checked by the front; the owner checks it again.
"""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct, field

from protocols.mail import Changed, Command, Done

__all__ = [
    "MUTE_FOREVER",
    "Attention",
    "Changed",
    "Decision",
    "Device",
    "Lease",
    "Mute",
    "MutePerson",
    "Notice",
    "NoticeData",
    "Preferences",
    "ReadNotices",
    "SetPreferences",
    "TestNotice",
    "Typing",
]

MUTE_FOREVER = -1

Flag = bool | None
Clock = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")]
"""A time of day, "22:00", or "" for none."""
Zone = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_+/-]*$")]
"""A name of the time zone database, "Europe/Berlin", or "" for UTC."""

# What is told by fronts. All of it is transient: old mail is worse than none.


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An open socket. `session` names the device; `viewing` is the conversation in view and focused on it, or ""."""

    session: str
    visible: bool
    viewing: str = ""


class Attention(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All the devices of a person on one front; none when the person has left it."""

    user: str
    devices: list[Device] = []


class Lease(Command[Done], frozen=True, kw_only=True, tag="lease"):
    """Who is at a front. `front` is its incarnation, `number` runs from 1 in it, `at` is Unix ms.

    `whole`: these are all; otherwise only those who changed since the number before.
    """

    durable: ClassVar[bool] = False
    front: str
    number: int
    at: int
    people: list[Attention] = field(default_factory=list)
    whole: bool = False


class Typing(Command[Done], frozen=True, kw_only=True, tag="typing"):
    durable: ClassVar[bool] = False
    conversation: str


# What people tell.


class Preferences(Struct, frozen=True, kw_only=True):
    """What a person wants to be known of them, and to be told.

    `presence`, `last_seen`, `read_receipts`: whether contacts may know. `quiet_from` and `quiet_to` are times of day in
    `zone`; "" for none. `desktop`, `sound` and `previews` are about notifications of new messages.
    """

    presence: bool = True
    last_seen: bool = True
    read_receipts: bool = True
    previews: bool = True
    sound: bool = True
    desktop: bool = False
    quiet_from: Clock = ""
    quiet_to: Clock = ""
    zone: Zone = ""


class SetPreferences(Command[Preferences], frozen=True, kw_only=True, tag="set_preferences"):
    """What is None stays as it is. Refused (`invalid`) as a whole when one field makes no sense."""

    presence: Flag = None
    last_seen: Flag = None
    read_receipts: Flag = None
    previews: Flag = None
    sound: Flag = None
    desktop: Flag = None
    quiet_from: str | None = None
    quiet_to: str | None = None
    zone: str | None = None


class Mute(Struct, frozen=True, kw_only=True):
    """`until` is Unix ms, -1 for ever, 0 not muted."""

    user: str
    until: int


class MutePerson(Command[Mute], frozen=True, kw_only=True, tag="mute_person"):
    """Show no notices of messages of somebody who is or was a contact; of others there are none (`not_found`)."""

    user: str
    until: int


class ReadNotices(Command[Done], frozen=True, kw_only=True, tag="read_notices"):
    """Everything up to the change `up_to`, and those of `ids`. Unknown ids, and others' notices, change nothing."""

    up_to: int = 0
    ids: list[str] = field(default_factory=list)


# What is read.


class NoticeData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a notice is about; each kind uses some of the fields. New kinds bring new ones.

    request, accepted   user, and for the former request
    messages            user, conversation, and the places (seq) of the first and last message that were missed;
                        `away`: no device of the person was visible when the last of them came
    sign_in             session, agent, address
    file_ready, file_failed     user, conversation, and the id of the file
    `desktop`, `sound` and `preview`: how it may be announced, decided when it was made.
    """

    user: str = ""
    conversation: str = ""
    request: str = ""
    session: str = ""
    agent: str = ""
    address: str = ""
    file: str = ""
    from_seq: int = 0
    to_seq: int = 0
    away: bool = False
    desktop: bool = False
    sound: bool = False
    preview: bool = False


class Notice(Struct, frozen=True, kw_only=True):
    """A row of notifier's log as it is now. `change` is its latest change there, `at` its time in Unix ms."""

    id: str
    person: str
    kind: str
    change: int
    at: int
    read: bool
    data: NoticeData


class TestNotice(Command[Notice], frozen=True, kw_only=True, tag="test_notice"):
    """The self-test: a notice of kind `test`, announced as the preferences say."""

    __test__: ClassVar[bool] = False  # its name would make pytest take it for tests


class Decision(Struct, frozen=True, kw_only=True):
    """Why a person was told of something, or not. `at` is Unix ms, of the latest that it covers.

    `source` is the owner in whose log it happened. `subject` is the conversation, request or session; `first` and
    `last` are places (seq) in it or 0. `what`: "told", "quiet" (listed, not announced) or "not told". `code` is the
    stable name of the reason, `reason` says it in words.
    """

    source: str
    subject: str
    first: int
    last: int
    at: int
    what: str
    code: str
    reason: str
