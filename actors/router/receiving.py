"""Receipts, many in one transaction: told far more often than they say something new."""

from collections.abc import Sequence
from itertools import count

from msgspec import json

from actors.router.rules import Progress, advanced
from actors.runtime import Answer, Mail
from protocols.errors import Refusal
from protocols.mail import Done, Push
from protocols.rendering import receipt_frame
from protocols.router import Receipt
from storage.conversations import Thread
from storage.receipts import receipt_of
from storage.router import RouterUnit


def receive(tx: RouterUnit, mails: Sequence[Mail[Receipt]]) -> list[Answer[Done]]:
    """Move receipts forward: one write and one push a person and conversation, and none where nothing moved.

    Nothing of it is remembered by command: what is cumulative can be told twice. Consent is not asked: a receipt is
    about messages that were stored while it was in force.
    """
    claims: dict[tuple[str, str], list[int]] = {}
    for index, mail in enumerate(mails):
        claims.setdefault((mail.person, mail.command.conversation), []).append(index)
    threads = {name: tx.conversations.thread(name) for name in {conversation for _, conversation in claims}}

    answers: list[Answer[Done]] = [Answer(Done())] * len(mails)
    moved: list[tuple[str, Thread, list[int]]] = []
    for (person, conversation), indexes in claims.items():
        thread = threads[conversation]
        if thread is None or not thread.includes(person):
            for index in indexes:
                answers[index] = Answer(refusal=Refusal("not_found"))
        elif _move(thread, person, [mails[index].command for index in indexes]):
            moved.append((person, thread, indexes))
    if not moved:
        return answers

    changes = count(tx.journal.next_change(len(moved)) - len(moved) + 1)
    for person, thread, indexes in moved:
        thread.side(person).change = thread.change = next(changes)
        answers[indexes[-1]] = Answer(Done(), effects=(_push(thread, person, [mails[index] for index in indexes]),))
    tx.conversations.save({thread.key: thread for _, thread, _ in moved}.values())
    return answers


def _move(thread: Thread, person: str, receipts: Sequence[Receipt]) -> bool:
    side = thread.side(person)
    now = Progress(side.delivered, side.read)
    claimed = Progress(max(receipt.delivered for receipt in receipts), max(receipt.read for receipt in receipts))
    then = advanced(now, claimed, thread.peer(person).last)
    side.delivered, side.read = then
    return then != now


def _push(thread: Thread, person: str, mails: Sequence[Mail[Receipt]]) -> Push:
    # Where two devices told at once, neither knows what came of both: then nobody is left out.
    correlation = mails[0].correlation if len(mails) == 1 else ""
    frame = json.encode(receipt_frame(receipt_of(thread, person)))
    return Push(to=[thread.low.user, thread.high.user], frame=frame, correlation=correlation)
