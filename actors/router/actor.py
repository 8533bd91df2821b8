"""router's handlers. Everything it answers for is on disk in its log; everything it pushes is a hint of that."""

from collections.abc import Iterable, Sequence

from msgspec import json

from actors.router.receiving import mark_unread, receive, tell_marked
from actors.router.rules import check_body, check_emoji, reacted
from actors.router.sending import recall, send
from actors.runtime import Actor, Answer, Effect, Mail, handles, handles_batch
from protocols.errors import Refusal
from protocols.mail import Command, Done, Push
from protocols.records import MessageRecord, seq_of
from protocols.rendering import changed_frame
from protocols.router import DeleteMessage, EditMessage, MarkUnread, React, Receipt, SendMessage, Stored
from storage.conversations import Thread
from storage.router import ROUTER, RouterUnit


def tell_changed(_: Actor[RouterUnit], tx: RouterUnit, mail: Mail[Command[Stored]], reply: Stored) -> Iterable[Effect]:
    """To both people, the message as it is now."""
    thread, record = _message(tx, mail.person, reply.conversation, reply.message_id)
    frame = json.encode(changed_frame(record))
    yield Push(to=[thread.low.user, thread.high.user], frame=frame, correlation=mail.correlation)


class Router(Actor[RouterUnit]):
    """The one writer of the log.

    What is not yours and what does not exist are refused alike (`not_found`), also whole conversations.
    """

    name = "router"
    schema = ROUTER
    hints = ("notifier",)

    @handles_batch(SendMessage, recalls=recall)
    def send(self, tx: RouterUnit, mails: Sequence[Mail[SendMessage]]) -> Sequence[Answer[Stored]]:
        return send(tx, mails)

    @handles_batch(Receipt)
    def receive(self, tx: RouterUnit, mails: Sequence[Mail[Receipt]]) -> Sequence[Answer[Done]]:
        return receive(tx, mails)

    @handles(MarkUnread, tells=tell_marked)
    def mark_unread(self, tx: RouterUnit, mail: Mail[MarkUnread]) -> Done:
        return mark_unread(tx, mail)

    @handles(EditMessage, tells=tell_changed)
    def edit(self, tx: RouterUnit, mail: Mail[EditMessage]) -> Stored:
        """Change one's own words, while the two are in contact. The same words again change nothing."""
        command = mail.command
        thread, record = _own_message(tx, mail.person, command.conversation, command.message_id)
        _refuse_deleted(record)
        check_body(command.body, caption=record.file is not None)
        _refuse_strangers(tx, thread)
        if record.body == command.body:
            return _stored(record, record.version)
        _count_on(tx, thread)
        tx.messages.edit(thread, record.seq, command.body, mail.now)
        return _stored(record, thread.version)

    @handles(DeleteMessage, tells=tell_changed)
    def delete(self, tx: RouterUnit, mail: Mail[DeleteMessage]) -> Stored:
        """Take one's own words back, on both sides. Always allowed, also from somebody who is no contact any more."""
        thread, record = _own_message(tx, mail.person, mail.command.conversation, mail.command.message_id)
        if record.deleted:
            return _stored(record, record.version)
        _count_on(tx, thread)
        tx.messages.erase(thread, record.seq)
        return _stored(record, thread.version)

    @handles(React, tells=tell_changed)
    def react(self, tx: RouterUnit, mail: Mail[React]) -> Stored:
        """Put an emoji on any message of the two, or take one's own away, while they are in contact."""
        command = mail.command
        check_emoji(command.emoji)
        thread, record = _message(tx, mail.person, command.conversation, command.message_id)
        _refuse_deleted(record)
        _refuse_strangers(tx, thread)
        reactions = reacted(record.reactions, mail.person, command.emoji, command.on)
        if reactions == record.reactions:
            return _stored(record, record.version)
        _count_on(tx, thread)
        tx.messages.react(thread, record.seq, reactions)
        return _stored(record, thread.version)


def _message(tx: RouterUnit, person: str, conversation: str, message_id: str) -> tuple[Thread, MessageRecord]:
    thread = tx.conversations.thread(conversation)
    seq = seq_of(conversation, message_id)
    record = tx.messages.get(conversation, seq) if seq is not None else None
    if thread is None or record is None or not thread.includes(person):
        raise Refusal("not_found")
    return thread, record


def _own_message(tx: RouterUnit, person: str, conversation: str, message_id: str) -> tuple[Thread, MessageRecord]:
    thread, record = _message(tx, person, conversation, message_id)
    if record.sender != person:
        raise Refusal("forbidden", "Only its author may change a message.")
    return thread, record


def _refuse_deleted(record: MessageRecord) -> None:
    if record.deleted:
        raise Refusal("conflict", "This message was deleted.")


def _refuse_strangers(tx: RouterUnit, thread: Thread) -> None:
    tx.consent.check()
    if not tx.consent.between(thread.low.user, thread.high.user):
        raise Refusal("not_a_contact")


def _count_on(tx: RouterUnit, thread: Thread) -> None:
    """The next version of the conversation; its message is written by whoever calls this."""
    thread.version += 1
    thread.change = tx.journal.next_change()
    tx.conversations.save([thread])


def _stored(record: MessageRecord, version: int) -> Stored:
    return Stored(
        conversation=record.conversation,
        seq=record.seq,
        version=version,
        message_id=record.message_id,
        at=record.at,
    )
