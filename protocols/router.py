"""Mail to router, the owner of conversations, messages, reactions and receipts.

The acting person is the item's `person`; for what a client can repeat, the item's `id` is its client_id.
"""

from msgspec import Struct

from protocols.mail import Command, Done


class Stored(Struct, frozen=True, kw_only=True):
    """A message is on disk in its conversation's log. `at` is Unix milliseconds."""

    conversation: str
    seq: int
    version: int
    message_id: str
    at: int


class SendMessage(Command[Stored], frozen=True, kw_only=True, tag="send"):
    """The item's id is the message's client_id, unique a sender for ever. `reply_to` is a message id or "".

    `file`: an upload of the sender for `to`, or ""; only with one may `body` be empty. Refused, besides what holds for
    all: not_found (no such upload, or given up), conflict (sent before), files_unavailable.
    """

    to: str
    body: str
    reply_to: str = ""
    file: str = ""


class EditMessage(Command[Stored], frozen=True, kw_only=True, tag="edit"):
    conversation: str
    message_id: str
    body: str


class DeleteMessage(Command[Stored], frozen=True, kw_only=True, tag="delete"):
    """For both sides; a stub stays at its place."""

    conversation: str
    message_id: str


class React(Command[Stored], frozen=True, kw_only=True, tag="react"):
    conversation: str
    message_id: str
    emoji: str
    on: bool = True


class Receipt(Command[Done], frozen=True, kw_only=True, tag="receipt"):
    """Cumulative: everything of the other up to `delivered` reached a device of mine, up to `read` was seen.

    0 leaves that one as it is. Never goes back; coalesced by maximum. `private`: what is read by it is not shown to
    the other, who sees it once something later is read in the open.
    """

    conversation: str
    delivered: int = 0
    read: int = 0
    private: bool = False


class MarkUnread(Command[Done], frozen=True, kw_only=True, tag="mark_unread"):
    """From the place `seq` on, what the other wrote counts as unread for me alone, until I read up to it again.

    A place beyond the other's latest message means that one; one above what I have read takes back an earlier mark,
    because everything from there on is unread anyway.
    """

    conversation: str
    seq: int
