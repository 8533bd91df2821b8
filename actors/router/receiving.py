"""Receipts, many in one transaction: told far more often than they say something new. And marks, which are rare."""

from collections.abc import Iterable, Sequence
from itertools import count

from msgspec import json

from actors.router.rules import Progress, advanced
from actors.runtime import Actor, Answer, Effect, Mail
from protocols.errors import Refusal
from protocols.mail import Done, Push
from protocols.rendering import receipt_frame
from protocols.router import MarkUnread, Receipt
from storage.conversations import Thread
from storage.receipts import receipt_of, receipt_shown
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
    moved: list[tuple[str, Thread, list[int], bool]] = []
    for (person, conversation), indexes in claims.items():
        thread = threads[conversation]
        if thread is None or not thread.includes(person):
            for index in indexes:
                answers[index] = Answer(refusal=Refusal("not_found"))
            continue
        shown = receipt_shown(thread, person)
        if _move(thread, person, [mails[index].command for index in indexes]):
            moved.append((person, thread, indexes, receipt_shown(thread, person) != shown))
    if not moved:
        return answers

    changes = count(tx.journal.next_change(len(moved)) - len(moved) + 1)
    for person, thread, indexes, told in moved:
        _count_on(thread, person, next(changes), told=told)
        pushes = _pushes(thread, person, [mails[index] for index in indexes], told=told)
        answers[indexes[-1]] = Answer(Done(), effects=pushes)
    tx.conversations.save({thread.key: thread for _, thread, _, _ in moved}.values())
    return answers


def mark_unread(tx: RouterUnit, mail: Mail[MarkUnread]) -> Done:
    """See MarkUnread. Raises Refusal: "not_found"; "conflict" while the other has written nothing."""
    thread = _thread(tx, mail)
    side, latest = thread.side(mail.person), thread.peer(mail.person).last
    if mail.command.seq < 1:
        raise Refusal("invalid", fields={"seq": "Places count from 1."})
    if not latest:
        raise Refusal("conflict", "The other has not written anything here yet.")
    place = min(mail.command.seq, latest)
    marked = place if place <= side.read else 0
    if marked != side.marked:
        side.marked = marked
        _count_on(thread, mail.person, tx.journal.next_change(), told=False)
        tx.conversations.save([thread])
    return Done()


def tell_marked(_: Actor[RouterUnit], tx: RouterUnit, mail: Mail[MarkUnread], __: Done) -> Iterable[Effect]:
    """To the person's own devices: nobody else knows of marks."""
    frame = json.encode(receipt_frame(receipt_of(_thread(tx, mail), mail.person)))
    yield Push(to=[mail.person], frame=frame, correlation=mail.correlation)


def _thread(tx: RouterUnit, mail: Mail[MarkUnread]) -> Thread:
    thread = tx.conversations.thread(mail.command.conversation)
    if thread is None or not thread.includes(mail.person):
        raise Refusal("not_found")
    return thread


def _count_on(thread: Thread, person: str, change: int, *, told: bool) -> None:
    side = thread.side(person)
    side.change = thread.change = change
    if told:
        side.told = change


def _move(thread: Thread, person: str, receipts: Sequence[Receipt]) -> bool:
    side, latest = thread.side(person), thread.peer(person).last
    before = (side.delivered, side.read, side.marked)
    for receipt in receipts:
        then = advanced(Progress(side.delivered, side.read), Progress(receipt.delivered, receipt.read), latest)
        if then.read > side.read and not receipt.private:
            # Only what is read by this one: told again in the open, an older one must not show what it hid.
            side.seen = then.read
        side.delivered, side.read = then
        if min(receipt.read, latest) >= side.marked:
            side.marked = 0
    return (side.delivered, side.read, side.marked) != before


def _pushes(thread: Thread, person: str, mails: Sequence[Mail[Receipt]], *, told: bool) -> tuple[Push, ...]:
    # Where two devices told at once, neither knows what came of both: then nobody is left out.
    correlation = mails[0].correlation if len(mails) == 1 else ""
    mine, shown = receipt_frame(receipt_of(thread, person)), receipt_frame(receipt_shown(thread, person))
    if told and mine == shown:
        return (Push(to=[thread.low.user, thread.high.user], frame=json.encode(mine), correlation=correlation),)
    own = Push(to=[person], frame=json.encode(mine), correlation=correlation)
    if not told:
        # Not even that something was read: a frame that says nothing new would tell it by its time.
        return (own,)
    return (own, Push(to=[thread.peer(person).user], frame=json.encode(shown), correlation=correlation))
