"""Mail to contacts, the owner of requests, contacts and blocks. The acting person is the item's `person`."""

from msgspec import Struct

from protocols.mail import Command
from protocols.values import Relation


class Relationship(Struct, frozen=True, kw_only=True):
    """What the other now is to the acting person. `request` is the id of a pending request, or ""."""

    user_id: str
    relation: Relation
    conversation: str
    request: str = ""
    at: int = 0


class RequestContact(Command[Relationship], frozen=True, kw_only=True, tag="request_contact"):
    """When both asked, it is accepted. Asking again, or somebody who blocked me, changes nothing that I can see."""

    to: str


class AcceptRequest(Command[Relationship], frozen=True, kw_only=True, tag="accept_request"):
    request: str


class DeclineRequest(Command[Relationship], frozen=True, kw_only=True, tag="decline_request"):
    """Silent: to whoever asked, the request stays pending."""

    request: str


class CancelRequest(Command[Relationship], frozen=True, kw_only=True, tag="cancel_request"):
    request: str


class RemoveContact(Command[Relationship], frozen=True, kw_only=True, tag="remove_contact"):
    user: str


class BlockUser(Command[Relationship], frozen=True, kw_only=True, tag="block_user"):
    user: str


class UnblockUser(Command[Relationship], frozen=True, kw_only=True, tag="unblock_user"):
    """Afterwards the two are as if they had never been in contact; their conversation stays readable."""

    user: str
