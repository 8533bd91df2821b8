"""What readers of router's database get: conversations, messages and receipts as they are now.

Times are Unix milliseconds. `change` numbers the changes of the whole database, `version` those of one conversation's
messages; a receipt has a change but no version, because it is no part of what both share.
"""

from msgspec import Struct

from protocols.frames import FileInfo, Reaction


class Conversation(Struct, frozen=True):
    """`low` and `high` are its two people, in the order of their ids. `seq` and `version` are the latest."""

    id: str
    low: str
    high: str
    seq: int
    version: int

    def includes(self, person: str) -> bool:
        return person in {self.low, self.high}

    def peer_of(self, person: str) -> str:
        return self.high if person == self.low else self.low


class MessageRecord(Struct, frozen=True, kw_only=True):
    """A message as it is now. A deleted one keeps its place and has lost body, reply_to, reactions and file.

    `file` is as it was when it was sent, without what changes later: its `state` and what follows that.
    """

    conversation: str
    seq: int
    version: int
    change: int
    message_id: str
    client_id: str
    sender: str
    at: int
    body: str = ""
    reply_to: str | None = None
    edited_at: int | None = None
    deleted: bool = False
    reactions: tuple[Reaction, ...] = ()
    file: FileInfo | None = None


class ReceiptRecord(Struct, frozen=True, kw_only=True):
    """`user` has everything of the other up to `delivered` and saw it up to `read`, both positions (seq).

    To the other it shows only as much of `read` as `user` lets be seen. `unread_from` shows to `user` alone: from that
    position on they marked it as unread; 0 for none.
    """

    conversation: str
    user: str
    delivered: int
    read: int
    change: int
    unread_from: int = 0


class ConversationSummary(Struct, frozen=True, kw_only=True):
    """A conversation as one of its people sees it in a list.

    `unread` counts messages of the peer, not the deleted, above `my_read` or from the mark `unread_from` on (0: none).
    """

    id: str
    peer: str
    seq: int
    version: int
    last_message: MessageRecord | None
    unread: int
    unread_from: int
    my_read: int
    my_delivered: int
    peer_read: int
    peer_delivered: int


def message_id(conversation: str, seq: int) -> str:
    """The id of the message at a place. To everybody but router and its readers it is opaque."""
    return f"{conversation}-{seq}"


def seq_of(conversation: str, message: str) -> int | None:
    """The place of a message in its conversation, or None when the id cannot be of one there."""
    place = message.removeprefix(f"{conversation}-")
    # Not int() alone: it takes signs, spaces, underscores and other scripts' digits, and one message has one id.
    if place == message or len(place) > 15 or not (place.isascii() and place.isdigit()) or place.startswith("0"):  # noqa: PLR2004  (JSON's integers end at 2**53)
        return None
    return int(place)
