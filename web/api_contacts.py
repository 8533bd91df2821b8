"""HTTP routes of people, requests, contacts and blocks."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from protocols.contacts import (
    AcceptRequest,
    BlockUser,
    CancelRequest,
    DeclineRequest,
    Relationship,
    RemoveContact,
    RequestContact,
    UnblockUser,
)
from protocols.errors import Refusal
from protocols.mail import Command
from protocols.values import PAGE_DEFAULT, PAGE_MOST, Id, Relation, User, conversation_of, rfc3339
from storage.contacts import ContactEntry, RequestEntry
from web.asking import ask
from web.paging import Newest, Page, cut
from web.routing import API, Call, Route, Strict

SHORTEST: Final = 2
"""Characters that a search has at least: fewer would list everybody."""

Name = Annotated[str, Meta(min_length=SHORTEST, max_length=64)]


class Search(Strict, frozen=True):
    q: Name
    limit: Annotated[int, Meta(ge=1, le=PAGE_MOST)] = PAGE_DEFAULT


class Found(Struct, frozen=True):
    """A person, and what they are to whoever searched."""

    id: str
    username: str
    display_name: str
    relation: Relation


class FoundPeople(Struct, frozen=True):
    users: list[Found]


class Contact(Struct, frozen=True):
    """`at`: since when."""

    user: User
    conversation: str
    at: str


class ContactList(Struct, frozen=True):
    """`blocked`: whom you block. Nobody is told who blocks them."""

    contacts: list[Contact]
    blocked: list[Contact]
    more: bool = False


class PendingRequest(Struct, frozen=True):
    """`user` is the other one: who asked you, or whom you asked."""

    id: str
    user: User
    at: str


class RequestList(Struct, frozen=True):
    """The newest first; at most 200 of a kind."""

    incoming: list[PendingRequest]
    outgoing: list[PendingRequest]


class Ask(Strict, frozen=True):
    user_id: Id


class Asked(Struct, frozen=True):
    """What became of asking. `id` is null when there is nothing pending: the other had asked too, or is a contact."""

    id: str | None
    user: User
    relation: Relation
    conversation: str
    at: str


class AskedAnswer(Struct, frozen=True):
    request: Asked


class Changed(Struct, frozen=True):
    """What the other is to you now. `request` is the id of what is pending."""

    user: User
    relation: Relation
    conversation: str
    request: str | None
    at: str


class ChangedAnswer(Struct, frozen=True):
    contact: Changed


async def _search(call: Call[None, Search]) -> FoundPeople:
    me, text, limit = call.me.user, call.query.q.strip(), call.query.limit
    if len(text) < SHORTEST:
        raise Refusal("invalid", fields={"q": f"At least {SHORTEST} characters, please."})
    # One more than asked for, because one of them may be the one who asks.
    people = await call.services.auth.read(lambda tx: tx.accounts.search(text, limit + 1))
    others = [user for user in people if user.id != me][:limit]
    relations = await call.services.contacts.read(lambda tx: tx.relations.relations(me, [user.id for user in others]))
    return FoundPeople([Found(user.id, user.username, user.display_name, relations[user.id]) for user in others])


async def _contacts(call: Call[None, Page]) -> ContactList:
    me = call.me.user
    mine, blocked = await call.services.contacts.read(
        lambda tx: (tx.relations.contacts_of(me), tx.relations.blocked_by(me))
    )
    names = await _names(call, mine + blocked)

    def items(entries: list[ContactEntry]) -> list[Contact]:
        return [
            Contact(names[entry.user_id], conversation_of(me, entry.user_id), rfc3339(entry.at))
            for entry in entries
            if entry.user_id in names
        ]

    contacts, more = cut(items(mine), call.query, lambda item: item.user.id)
    # A short list, and not in pages: it comes with the first one.
    return ContactList(contacts, [] if call.query.after else items(blocked), more)


async def _requests(call: Call[None, Newest]) -> RequestList:
    me = call.me.user
    incoming, outgoing = await call.services.contacts.read(lambda tx: tx.relations.requests_of(me))
    names = await _names(call, incoming + outgoing)

    def items(entries: list[RequestEntry]) -> list[PendingRequest]:
        # Nobody can accept a deleted account, or be accepted by it.
        return [
            PendingRequest(entry.id, names[entry.user_id], rfc3339(entry.at))
            for entry in entries
            if entry.user_id in names and not names[entry.user_id].deleted
        ]

    limit = call.query.limit
    return RequestList(items(incoming)[:limit], items(outgoing)[:limit])


async def _ask(call: Call[Ask, None]) -> AskedAnswer:
    found = await _command(call, RequestContact(to=call.body.user_id))
    user = await _user(call, found.user_id)
    return AskedAnswer(Asked(found.request or None, user, found.relation, found.conversation, rfc3339(found.at)))


async def _accept(call: Call[None, None]) -> ChangedAnswer:
    return await _change(call, AcceptRequest(request=call.params["id"]))


async def _decline(call: Call[None, None]) -> ChangedAnswer:
    return await _change(call, DeclineRequest(request=call.params["id"]))


async def _cancel(call: Call[None, None]) -> ChangedAnswer:
    return await _change(call, CancelRequest(request=call.params["id"]))


async def _remove(call: Call[None, None]) -> ChangedAnswer:
    return await _change(call, RemoveContact(user=call.params["user_id"]))


async def _block(call: Call[None, None]) -> ChangedAnswer:
    return await _change(call, BlockUser(user=call.params["user_id"]))


async def _unblock(call: Call[None, None]) -> ChangedAnswer:
    return await _change(call, UnblockUser(user=call.params["user_id"]))


async def _change(call: Call[Any, Any], command: Command[Relationship]) -> ChangedAnswer:
    found = await _command(call, command)
    user = await _user(call, found.user_id)
    return ChangedAnswer(
        Changed(user, found.relation, found.conversation, found.request or None, rfc3339(found.at)),
    )


async def _command(call: Call[Any, Any], command: Command[Relationship]) -> Relationship:
    return await ask(call, "contacts", command)


async def _names(call: Call[Any, Any], entries: list[ContactEntry] | list[RequestEntry]) -> dict[str, User]:
    ids = [entry.user_id for entry in entries]
    return await call.services.auth.read(lambda tx: tx.accounts.users(ids))


async def _user(call: Call[Any, Any], user_id: str) -> User:
    found = await call.services.auth.read(lambda tx: tx.accounts.users([user_id]))
    return found.get(user_id) or User(user_id, "", "", deleted=True)


def _changing(method: Any, path: str, handler: Any, summary: str, *errors: str) -> Route:
    codes = ("client_id_reused", "rate_limited", *errors)
    return Route(
        method, f"{API}/contacts/{path}", handler, ChangedAnswer, errors=codes, summary=summary, tag="contacts"
    )


ROUTES: Final = (
    Route("GET", f"{API}/users", _search, FoundPeople, query=Search, summary="Find people by name.", tag="contacts"),
    Route(
        "GET",
        f"{API}/contacts",
        _contacts,
        ContactList,
        query=Page,
        summary="Everybody you are in contact with, and everybody you block.",
        tag="contacts",
    ),
    Route(
        "GET",
        f"{API}/contacts/requests",
        _requests,
        RequestList,
        query=Newest,
        summary="What is pending.",
        tag="contacts",
    ),
    Route(
        "POST",
        f"{API}/contacts/requests",
        _ask,
        AskedAnswer,
        status=201,
        body=Ask,
        errors=("not_found", "conflict", "rate_limited", "client_id_reused"),
        summary="Ask somebody to be in contact. When both have asked, you are.",
        tag="contacts",
    ),
    _changing("POST", "requests/{id}/accept", _accept, "Accept a request."),
    _changing("POST", "requests/{id}/decline", _decline, "Decline a request; whoever asked is not told.", "conflict"),
    _changing("DELETE", "requests/{id}", _cancel, "Take your request back.", "conflict"),
    _changing("DELETE", "{user_id}", _remove, "End being in contact."),
    _changing(
        "PUT", "{user_id}/block", _block, "Block somebody; to them it looks as if you had never been in contact."
    ),
    _changing("DELETE", "{user_id}/block", _unblock, "Take a block back."),
)
