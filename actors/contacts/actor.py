"""The actor that owns what people are to each other. The rules stand in `rules`; here they meet rows and mail."""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import json

from actors.contacts import rules
from actors.runtime import Actor, Effect, Mail, every, handles
from protocols import frames
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
from protocols.mail import Command, Push
from protocols.values import User, conversation_of, rfc3339
from storage.contacts import CONTACTS, ContactsUnit
from storage.sides import STRANGERS, Pair

SWEEP_SECONDS: Final = 600.0

ContactsMail = Mail[Command[Relationship]]


class Contacts(Actor[ContactsUnit]):
    """Every command answers with what the other now is to the acting person, who sees no more of it than that."""

    name = "contacts"
    schema = CONTACTS
    hints = ("notifier",)

    def tell(self, tx: ContactsUnit, mail: ContactsMail, reply: Relationship) -> Iterable[Effect]:
        """What the two people's pages are told: the acting person always, the other when their view changed too."""
        me, other = mail.person, reply.user_id
        pair = tx.relations.pair(me, other)
        names = tx.people.named([me, other])
        yield _push(me, names[other], pair, mail.correlation)
        if rules.told_to_both(pair):
            yield _push(other, names[me], pair.turned, mail.correlation)

    @handles(RequestContact, tells=tell)
    def request(self, tx: ContactsUnit, mail: Mail[RequestContact]) -> Relationship:
        other = mail.command.to
        # Alike for oneself, for nobody, and for an account that is deleted or disabled.
        if other == mail.person or not tx.people.active(other):
            raise Refusal("not_found")
        before = tx.relations.pair(mail.person, other)
        request = self.environment.new_id()
        after = rules.ask(before, mail.now, request)
        if after.mine.request == request:
            self._count(tx, mail, request)
        return _kept(tx, mail, other, before, after)

    @handles(AcceptRequest, tells=tell)
    def accept(self, tx: ContactsUnit, mail: Mail[AcceptRequest]) -> Relationship:
        other = _asker(tx, mail.command.request, mail.person)
        if not tx.people.active(other):
            raise Refusal("not_found")
        return _apply(tx, mail, other, rules.accept)

    @handles(DeclineRequest, tells=tell)
    def decline(self, tx: ContactsUnit, mail: Mail[DeclineRequest]) -> Relationship:
        other = _asker(tx, mail.command.request, mail.person)
        return _apply(tx, mail, other, lambda pair: rules.decline(pair, mail.now))

    @handles(CancelRequest, tells=tell)
    def cancel(self, tx: ContactsUnit, mail: Mail[CancelRequest]) -> Relationship:
        asked = tx.relations.asked(mail.command.request)
        if asked is None or asked[0] != mail.person:
            raise Refusal("not_found")
        return _apply(tx, mail, asked[1], rules.cancel)

    @handles(RemoveContact, tells=tell)
    def remove(self, tx: ContactsUnit, mail: Mail[RemoveContact]) -> Relationship:
        return _apply(tx, mail, mail.command.user, rules.remove)

    @handles(BlockUser, tells=tell)
    def block(self, tx: ContactsUnit, mail: Mail[BlockUser]) -> Relationship:
        other = mail.command.user
        if other == mail.person:
            raise Refusal("not_found")
        # Somebody whose account is gone can be blocked by those who knew them; a made-up id makes no rows.
        if tx.relations.pair(mail.person, other) == STRANGERS and not tx.people.active(other):
            raise Refusal("not_found")
        return _apply(tx, mail, other, rules.block)

    @handles(UnblockUser, tells=tell)
    def unblock(self, tx: ContactsUnit, mail: Mail[UnblockUser]) -> Relationship:
        other = mail.command.user
        if tx.relations.pair(mail.person, other) == STRANGERS:
            raise Refusal("not_found")
        return _apply(tx, mail, other, rules.unblock)

    @every(SWEEP_SECONDS)
    def sweep(self, tx: ContactsUnit, now: int) -> None:
        """Forget requests that the limit counts no more."""
        tx.asking.forget(before=now - rules.HOUR_MS)

    def _count(self, tx: ContactsUnit, mail: Mail[RequestContact], request: str) -> None:
        limit = self.settings.limits.requests_per_hour
        newest = tx.asking.newest(mail.person, after=mail.now - rules.HOUR_MS, most=limit)
        wait = rules.wait_ms(newest, limit, mail.now)
        if wait:
            raise Refusal("rate_limited", retry_after=wait / 1000)
        tx.asking.add(mail.person, request, mail.now)


def _asker(tx: ContactsUnit, request: str, me: str) -> str:
    """Who sent `me` a request. Others' requests are not found, like those that never were."""
    asked = tx.relations.asked(request)
    if asked is None or asked[1] != me:
        raise Refusal("not_found")
    return asked[0]


def _apply(tx: ContactsUnit, mail: ContactsMail, other: str, rule: Callable[[Pair], Pair]) -> Relationship:
    before = tx.relations.pair(mail.person, other)
    return _kept(tx, mail, other, before, rule(before))


def _kept(tx: ContactsUnit, mail: ContactsMail, other: str, before: Pair, after: Pair) -> Relationship:
    if after != before:
        after = rules.settled(before, after, mail.now, tx.journal.next_change())
        tx.relations.put(mail.person, other, after)
    view = after.view
    return Relationship(
        user_id=other,
        relation=view.relation,
        conversation=conversation_of(mail.person, other),
        request=view.request,
        at=after.mine.at,
    )


def _push(to: str, other: User, pair: Pair, correlation: str) -> Push:
    relation, request = pair.view
    frame = frames.Contact(
        user=other,
        relation=relation,
        conversation=conversation_of(to, other.id),
        request=request or None,
        at=rfc3339(pair.mine.at),
    )
    return Push(to=[to], frame=json.encode(frame), correlation=correlation)
