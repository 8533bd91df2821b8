"""Sends, many in one transaction: the way that nearly all mail to router takes."""

from collections.abc import Sequence

from msgspec import json, msgpack

from actors.router.attaching import already_sent, attached
from actors.router.rules import check_body, check_client_id, place_of
from actors.runtime import Answer, Mail
from actors.runtime.dispatch import fingerprint
from protocols.errors import Refusal
from protocols.frames import FileInfo
from protocols.mail import Push, Remembered
from protocols.records import MessageRecord, message_id
from protocols.rendering import message_frame
from protocols.router import SendMessage, Stored
from protocols.values import conversation_of
from storage.conversations import Thread
from storage.messages import Draft, Sent
from storage.router import RouterUnit

_encode_command = msgpack.Encoder().encode
_encode_frame = json.Encoder().encode

Verdict = Draft | Sent | Refusal
"""A new message, one that is stored already under this client_id, or a no."""


def send(tx: RouterUnit, mails: Sequence[Mail[SendMessage]]) -> list[Answer[Stored]]:
    """Store what is new and may be said; one answer a mail, in order.

    Raises Refusal("unavailable") when consent cannot be read now.
    """
    tx.consent.check()
    batch = _Batch(tx)
    verdicts = [batch.verdict(mail) for mail in mails]
    batch.store()
    return [_answer(tx, mail, verdict) for mail, verdict in zip(mails, verdicts, strict=True)]


def recall(tx: RouterUnit, mail: Mail[SendMessage]) -> Answer[Stored] | None:
    """The answer of a message that is stored under this id; None when none is, or another one."""
    sent = tx.messages.sent(mail.person, mail.id)
    if sent is None or sent.fingerprint != fingerprint(_encode_command(mail.command)):
        return None
    return _answer(tx, mail, sent)


class _Batch:
    """What has been decided so far: later sends of the batch must see the earlier ones, which no row tells yet."""

    def __init__(self, tx: RouterUnit) -> None:
        self._tx = tx
        self._drafts: dict[tuple[str, str], Draft] = {}
        self._threads: dict[tuple[str, str], Thread] = {}
        self._files: set[str] = set()

    def verdict(self, mail: Mail[SendMessage]) -> Verdict:
        try:
            check_client_id(mail.id)
            # Of a copy of what is stored, too: its front takes an outcome to mean that all before it are decided.
            self._check_turn(mail)
        except Refusal as refusal:
            return refusal
        mark = fingerprint(_encode_command(mail.command))
        try:
            return self._decided(mail, mark) or self._draft(mail, mark)
        except Refusal as refusal:
            if refusal.code == "unavailable":
                raise
            if refusal.final:
                # Whoever was told no must not find the message sent after all when an old copy of the mail turns up.
                self._tx.journal.remember(mail.person, mail.id, Remembered(mark, None, refusal.body), mail.now)
                self._tx.decided.note(mail.person, mail.id)
            return refusal

    def _decided(self, mail: Mail[SendMessage], mark: bytes) -> Verdict | None:
        """What came of the command before this copy of it; None of a new one."""
        draft = self._drafts.get((mail.person, mail.id))
        if draft is None and not self._tx.decided.includes(mail.person, mail.id):
            return None
        sent = draft or self._tx.messages.sent(mail.person, mail.id)
        if sent is not None:
            return sent if sent.fingerprint == mark else Refusal("client_id_reused")
        told = self._tx.journal.recall(mail.person, mail.id)
        if told is None:
            # Refused so long ago that it was forgotten.
            return None
        # An id of an edit or a reaction is no id for a message either.
        if told.error is None or told.fingerprint != mark:
            return Refusal("client_id_reused")
        return Refusal.of(told.error)

    def store(self) -> None:
        """Write the new messages and how far their conversations have come."""
        if not self._drafts:
            return
        drafts = self._drafts.values()
        change = self._tx.journal.next_change(len(drafts)) - len(drafts)
        for draft in drafts:
            change += 1
            draft.change = draft.thread.change = change
        self._tx.messages.add(drafts)
        self._tx.conversations.save({thread.key: thread for thread in self._threads.values()}.values())

    def _check_turn(self, mail: Mail[SendMessage]) -> None:
        person, before = mail.person, mail.after
        # Stored or refused for good: else it was lost on the way, and will be sent again.
        if before and not ((person, before) in self._drafts or self._tx.decided.includes(person, before)):
            raise Refusal("out_of_order")

    def _draft(self, mail: Mail[SendMessage], mark: bytes) -> Draft:
        person, command = mail.person, mail.command
        check_body(command.body, caption=bool(command.file))
        if command.to == person:
            raise Refusal("invalid", fields={"to": "This is yourself."})
        if not self._tx.consent.between(person, command.to):
            raise Refusal("not_a_contact")
        thread = self._thread(person, command.to)
        reply_to = None
        if command.reply_to:
            conversation = thread.id if thread else conversation_of(person, command.to)
            reply_to = place_of(conversation, command.reply_to, thread.seq if thread else 0)
        file = self._file(mail) if command.file else None
        if thread is None:
            thread = self._tx.conversations.begin(person, command.to)
        self._threads[person, command.to] = self._threads[command.to, person] = thread
        thread.seq += 1
        thread.version += 1
        thread.side(person).last = thread.seq
        draft = Draft(
            thread=thread,
            seq=thread.seq,
            version=thread.version,
            sender=person,
            client_id=mail.id,
            fingerprint=mark,
            at=mail.now,
            body=command.body,
            reply_to=reply_to,
            file=file,
        )
        self._drafts[person, mail.id] = draft
        self._tx.decided.note(person, mail.id)
        return draft

    def _file(self, mail: Mail[SendMessage]) -> FileInfo:
        if mail.command.file in self._files:
            raise already_sent()
        file = attached(self._tx, mail.person, mail.command, mail.now)
        self._files.add(file.id)
        return file

    def _thread(self, person: str, to: str) -> Thread | None:
        return self._threads.get((person, to)) or self._tx.conversations.thread(conversation_of(person, to))


def _answer(tx: RouterUnit, mail: Mail[SendMessage], verdict: Verdict) -> Answer[Stored]:
    if isinstance(verdict, Refusal):
        return Answer(refusal=verdict)
    if isinstance(verdict, Draft):
        record = _record(verdict)
        conversation, version = record.conversation, verdict.version
    else:
        # As the row is now: a late copy of a message that was edited or deleted since must not bring its text back.
        conversation, version = verdict.conversation, verdict.version
        record = _existing(tx, verdict)
    stored = Stored(
        conversation=conversation, seq=record.seq, version=version, message_id=record.message_id, at=record.at
    )
    push = Push(
        to=[mail.person, mail.command.to], frame=_encode_frame(message_frame(record)), correlation=mail.correlation
    )
    return Answer(stored, effects=(push,))


def _existing(tx: RouterUnit, sent: Sent) -> MessageRecord:
    record = tx.messages.get(sent.conversation, sent.seq)
    if record is None:
        raise LookupError(f"message {sent.seq} of {sent.conversation} was there a moment ago")
    return record


def _record(draft: Draft) -> MessageRecord:
    conversation = draft.thread.id
    return MessageRecord(
        conversation=conversation,
        seq=draft.seq,
        version=draft.version,
        change=draft.change,
        message_id=message_id(conversation, draft.seq),
        client_id=draft.client_id,
        sender=draft.sender,
        at=draft.at,
        body=draft.body,
        reply_to=None if draft.reply_to is None else message_id(conversation, draft.reply_to),
        file=draft.file,
    )
