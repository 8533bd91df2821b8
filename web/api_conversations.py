"""HTTP routes of conversations and messages."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, msgpack, structs

from protocols.errors import Refusal
from protocols.frames import Message
from protocols.records import ConversationSummary, MessageRecord
from protocols.rendering import message_frame
from protocols.router import MarkUnread, SendMessage, Stored
from protocols.sync import sync_token
from protocols.values import (
    PAGE_DEFAULT,
    Caption,
    ClientId,
    Id,
    Relation,
    Seq,
    User,
    conversation_of,
    rfc3339,
)
from storage.contacts import ContactsUnit
from storage.router import RouterUnit
from web import catching_up
from web.catching_up import SyncPage
from web.file_states import with_states
from web.paging import Limit, Page, cut
from web.routing import API, Call, Reply, Route, Strict
from web.services import Services

STORED_WITHIN: Final = 5.0
"""Seconds to wait for a message to be stored; then it is queued, and will be."""


class Conversation(Struct, frozen=True, kw_only=True):
    """A conversation as one of its two people sees it. `seq` and `version` are the latest; 0 before the first message.

    `unread` counts what the peer wrote above my_read and did not delete; or from `unread_from` on, when you marked it
    as unread from there (0: no mark). `peer_read` and `peer_delivered` tell how far the peer got mine, and lets you
    know to have seen it.
    """

    id: str
    peer: User
    relation: Relation
    last_message: Message | None
    unread: int
    unread_from: int
    version: int
    seq: int
    my_read: int
    my_delivered: int
    peer_read: int
    peer_delivered: int


class ConversationList(Struct, frozen=True):
    """The one with the latest message first. `sync`: everything after this list comes by a sync since it.

    Read in pages, go on syncing from the token of the first: a conversation that moved meanwhile comes by that.
    """

    conversations: list[Conversation]
    sync: str
    more: bool = False


class Which(Strict, frozen=True):
    """`before`: messages below that place, the latest of them. `since`: whatever changed after that version."""

    before: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    since: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    limit: Limit = PAGE_DEFAULT


class MessagePage(Struct, frozen=True):
    """Ascending by seq, or with `since` in order of change; `next` is then the version to go on from."""

    messages: list[Message]
    more: bool
    next: int | UnsetType = UNSET


class NewMessage(Strict, frozen=True):
    """`client_id` is minted once a message and kept across retries: the same one again is the same message.

    `file`: an upload of mine for the peer, whatever part of it has arrived by now; `body` is its caption then, and may
    be empty.
    """

    client_id: ClientId
    body: Caption
    reply_to: Id | None = None
    file: Id | None = None


class StoredMessage(Struct, frozen=True):
    conversation: str
    seq: int
    version: int
    message_id: str
    client_id: str
    at: str


class QueuedMessage(Struct, frozen=True):
    """Taken and kept: it will be stored, or refused, when router is there again."""

    status: Literal["queued"]
    client_id: str


class Mark(Strict, frozen=True):
    """`seq`: the place from which on it counts as unread; beyond the peer's latest message it means that one."""

    seq: Seq


class Queued(Struct, frozen=True):
    """Taken and kept: it will be done, or refused, when router is there again."""

    status: Literal["queued"]


class Since(Strict, frozen=True):
    """`since`: a token that hello, a list of conversations or a page of sync gave; empty for the beginning."""

    since: Annotated[str, Meta(max_length=200)] = ""
    limit: Limit = PAGE_DEFAULT


async def _conversations(call: Call[None, Page]) -> ConversationList:
    me, services = call.me.user, call.services
    # One snapshot for token and list: what is stored after it has a number above the token's.
    token, summaries = await services.router.read(
        lambda tx: (sync_token(tx.journal.epoch(), tx.journal.change()), tx.conversations.of(me))
    )
    known = [summary.peer for summary in summaries]

    def relations_of(tx: ContactsUnit) -> tuple[dict[str, int], dict[str, Relation]]:
        since = {entry.user_id: entry.at for entry in tx.relations.contacts_of(me)}
        return since, tx.relations.relations(me, {*known, *since})

    since, relations = await services.contacts.read(relations_of)
    users = await services.auth.read(lambda tx: tx.accounts.users(relations))
    silent = [_silent(me, peer) for peer in since if peer not in set(known)]
    ordered = sorted([*summaries, *silent], key=lambda item: _latest(item, since), reverse=True)
    entries, more = cut([item for item in ordered if item.peer in users], call.query, lambda item: item.id)
    latest = await _latest_messages(services, entries)
    return ConversationList(
        [_conversation(item, users[item.peer], relations[item.peer], latest.get(item.id)) for item in entries],
        token,
        more,
    )


async def _latest_messages(services: Services, items: Sequence[ConversationSummary]) -> dict[str, Message]:
    """By conversation, where there is one."""
    frames = [message_frame(item.last_message) for item in items if item.last_message is not None]
    return {frame.conversation: frame for frame in await with_states(services, frames)}


async def _messages(call: Call[None, Which]) -> MessagePage:
    me, wanted, conversation = call.me.user, call.query, call.params["id"]
    if wanted.before is not None and wanted.since is not None:
        raise Refusal("invalid", fields={"since": "Either `before` or `since`, not both."})

    def page(tx: RouterUnit) -> MessagePage | None:
        found = tx.conversations.get(conversation)
        if found is None:
            return None
        if not found.includes(me):
            raise Refusal("not_found")
        if wanted.since is None:
            return _page(*tx.messages.before(conversation, wanted.before, wanted.limit))
        records, upto, more = tx.messages.since(conversation, wanted.since, wanted.limit)
        return _page(records, more, upto)

    answer = await call.services.router.read(page)
    if answer is None:
        # Between contacts it exists, with its id, before anything was said in it.
        await _peer(call, conversation)
        return MessagePage([], more=False, next=UNSET if wanted.since is None else wanted.since)
    return structs.replace(answer, messages=await with_states(call.services, answer.messages))


async def _send(call: Call[NewMessage, None]) -> Reply:
    me, services, body = call.me.user, call.services, call.body
    if not body.body and body.file is None:
        raise Refusal("invalid", fields={"body": "It may be empty only with a file."})
    wait = services.limits.message(me, services.environment.monotonic())
    if wait:
        raise Refusal("rate_limited", retry_after=wait)
    peer = await _peer(call, call.params["id"])
    command = SendMessage(to=peer, body=body.body, reply_to=body.reply_to or "", file=body.file or "")
    outcome = await services.hub.told("router", command, id=body.client_id, person=me, within=STORED_WITHIN)
    if outcome is None:
        return Reply(QueuedMessage("queued", body.client_id), status=202)
    if outcome.error is not None:
        raise Refusal.of(outcome.error)
    stored = msgpack.decode(outcome.value or b"", type=Stored)
    return Reply(
        StoredMessage(
            stored.conversation, stored.seq, stored.version, stored.message_id, body.client_id, rfc3339(stored.at)
        )
    )


async def _mark_unread(call: Call[Mark, None]) -> Reply | None:
    me, services = call.me.user, call.services
    wait = services.limits.message(me, services.environment.monotonic())
    if wait:
        raise Refusal("rate_limited", retry_after=wait)
    # Told, not asked: in one lane with the receipts of this front, which must not overtake it.
    command = MarkUnread(conversation=call.params["id"], seq=call.body.seq)
    outcome = await services.hub.told("router", command, id=call.command_id, person=me, within=STORED_WITHIN)
    if outcome is None:
        return Reply(Queued("queued"), status=202)
    if outcome.error is not None:
        raise Refusal.of(outcome.error)
    return None


async def _sync(call: Call[None, Since]) -> SyncPage:
    return await catching_up.page(call.services, call.me.user, call.query.since, call.query.limit)


async def _peer(call: Call[Any, Any], conversation: str) -> str:
    """Whom the caller writes to there. Raises Refusal("not_found") for others' conversations and for none at all.

    Whoever has a conversation once was in contact, so contacts' database alone can tell, whatever router's does.
    """
    me = call.me.user
    peers = await call.services.contacts.read(lambda tx: tx.relations.peers_of(me))
    for entry in peers:
        if conversation_of(me, entry.user_id) == conversation:
            return entry.user_id
    raise Refusal("not_found")


def _silent(me: str, peer: str) -> ConversationSummary:
    """The conversation of two contacts who have not written yet."""
    return ConversationSummary(
        id=conversation_of(me, peer),
        peer=peer,
        seq=0,
        version=0,
        last_message=None,
        unread=0,
        unread_from=0,
        my_read=0,
        my_delivered=0,
        peer_read=0,
        peer_delivered=0,
    )


def _latest(item: ConversationSummary, since: dict[str, int]) -> tuple[int, str]:
    """When something last happened there, Unix ms: the latest message, or becoming contacts."""
    return max(item.last_message.at if item.last_message else 0, since.get(item.peer, 0)), item.id


def _conversation(item: ConversationSummary, peer: User, relation: Relation, latest: Message | None) -> Conversation:
    return Conversation(
        id=item.id,
        peer=peer,
        relation=relation,
        last_message=latest,
        unread=item.unread,
        unread_from=item.unread_from,
        version=item.version,
        seq=item.seq,
        my_read=item.my_read,
        my_delivered=item.my_delivered,
        peer_read=item.peer_read,
        peer_delivered=item.peer_delivered,
    )


def _page(records: list[MessageRecord], more: bool, upto: int | UnsetType = UNSET) -> MessagePage:
    return MessagePage([message_frame(record) for record in records], more, upto)


ROUTES: Final = (
    Route(
        "GET",
        f"{API}/conversations",
        _conversations,
        ConversationList,
        query=Page,
        summary="Everybody you can write to or have written to, with the latest message and what is unread.",
        tag="conversations",
    ),
    Route(
        "GET",
        f"{API}/conversations/{{id}}/messages",
        _messages,
        MessagePage,
        query=Which,
        summary="The latest messages, those before a place, or those that changed since a version.",
        tag="conversations",
    ),
    Route(
        "POST",
        f"{API}/conversations/{{id}}/messages",
        _send,
        StoredMessage,
        status=201,
        also={202: QueuedMessage},
        body=NewMessage,
        errors=("not_a_contact", "client_id_reused", "conflict", "rate_limited", "files_unavailable"),
        summary="Send a message: 201 when it is stored, 202 when it is kept until router is there.",
        tag="conversations",
    ),
    Route(
        "PUT",
        f"{API}/conversations/{{id}}/unread",
        _mark_unread,
        also={202: Queued},
        body=Mark,
        errors=("conflict", "client_id_reused", "rate_limited"),
        summary="Mark as unread from a place on, for yourself alone, until you read it again.",
        tag="conversations",
    ),
    Route(
        "GET",
        f"{API}/sync",
        _sync,
        SyncPage,
        query=Since,
        summary="What changed in all your conversations since a token, in order of change.",
        tag="conversations",
    ),
)
