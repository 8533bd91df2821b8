"""Do a batch of commands inside one open transaction. No I/O of its own: a function of the unit and the commands."""

import contextlib
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from msgspec import Raw, msgpack

from actors.runtime.declaration import Actor, Answer, Effect, Handler, JournaledUnit, Mail
from protocols.errors import ErrorBody, Refusal
from protocols.mail import Remembered, reply_type

TRIES = 3
"""The try at which a command that was being handled each time the process ended is set aside, unhandled."""


log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Names a command for ever: its person and its id."""


@dataclass(slots=True)
class Work:
    """One command on its way through the mailbox. `raw` is the command as it came, not copied, for its fingerprint."""

    handler: Handler
    mail: Mail[Any]
    raw: bytes | Raw

    @property
    def key(self) -> Key:
        return self.mail.person, self.mail.id


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one command: msgpack of its reply, or its error; and what to let out after the commit."""

    value: bytes | None = None
    error: ErrorBody | None = None
    effects: Sequence[Effect] = ()


def dispatch(actor: Actor[Any], tx: JournaledUnit, works: Sequence[Work]) -> list[Result]:
    """Do `works` in order, in the open transaction of `tx`; one result each.

    Raises Refusal("unavailable") when something that a handler needs cannot be used now: roll back, and try the
    whole batch again later. Whatever else a handler raises comes out as it is.
    """
    results: list[Result] = []
    for handler, run in groupby(works, key=lambda work: work.handler):
        if handler.batch:
            mails = [work.mail for work in run]
            answers: Sequence[Answer[Any]] = handler.function(actor, tx, mails)
            if len(answers) != len(mails):
                raise TypeError(f"{handler.function.__qualname__} gave {len(answers)} answers to {len(mails)} commands")
            results.extend(map(_result, answers))
        else:
            results.extend(_result(_once(actor, tx, work)) for work in run)
    return results


def begin_attempts(tx: JournaledUnit, works: Sequence[Work], begun: Mapping[Key, int]) -> list[int]:
    """Write down that commands are about to be tried, in a transaction that is committed before the try.

    Returns how often each of the first ones has been tried now: several when none was ever tried before, so that they
    can be tried together; otherwise the first alone. `begun`: the tries that this process has written down and
    outlived; they are not counted again.
    """
    times: list[int] = []
    for work in works:
        done = len(times)
        # What is not tried now is not counted either: the savepoint takes it back.
        with contextlib.suppress(_NotYet), tx.savepoint():
            times.append(_begin(tx, work, begun, alone=done == 0))
        if len(times) == done or times[-1] > 1:
            break
    return times


class _NotYet(Exception):  # noqa: N818  (not an error: it ends a savepoint)
    pass


def _begin(tx: JournaledUnit, work: Work, begun: Mapping[Key, int], *, alone: bool) -> int:
    tried = begun.get(work.key) or tx.journal.begin_attempt(*work.key)
    if tried > 1 and not alone:
        raise _NotYet
    return tried


def end_attempts(tx: JournaledUnit, keys: Iterable[Key]) -> None:
    """Forget tries, in the transaction that did the work, or when this process ends in an orderly way."""
    for key in keys:
        tx.journal.end_attempt(*key)


def recalled(tx: JournaledUnit, work: Work) -> Result | None:
    """What a command came to that was done before, so that only a copy of it is in hand; None of all others."""
    mail, handler = work.mail, work.handler
    if handler.command.secret:
        return None
    try:
        answer = handler.recalls(tx, mail) if handler.recalls else None
    except Refusal:
        raise
    except Exception:
        # What is wrong with its row may be what made the handler fail: then it is a matter for the dead letters.
        log.exception("a command could not be recalled")
        answer = None
    if answer is not None:
        return _result(answer)
    known = tx.journal.recall(mail.person, mail.id)
    if known is None or known.fingerprint != fingerprint(work.raw):
        return None
    return Result(known.value, known.error)


def set_aside(tx: JournaledUnit, work: Work, error: ErrorBody) -> Result:
    """Give a command up for good: its sender gets a stored, definite error, whatever comes again later.

    Unless it was done before, and only the copy of it has failed: then what it came to is told again.
    """
    journal = tx.journal
    mail = work.mail
    end_attempts(tx, [work.key])
    if work.handler.command.secret:
        return Result(error=error)
    done = recalled(tx, work)
    if done is not None:
        return done
    if journal.recall(mail.person, mail.id) is None:
        journal.remember(mail.person, mail.id, Remembered(fingerprint(work.raw), None, error), mail.now)
    return Result(error=error)


def fingerprint(raw: bytes | Raw) -> bytes:
    """What a command said, in 16 bytes: the same id with another content is not the same command."""
    return hashlib.blake2b(raw, digest_size=16).digest()


def _once(actor: Actor[Any], tx: JournaledUnit, work: Work) -> Answer[Any]:
    handler, mail = work.handler, work.mail
    if handler.command.secret:
        # Its reply holds tokens, which are not written down; such commands are safe to repeat.
        return _do(actor, tx, handler, mail)
    journal = tx.journal
    mark = fingerprint(work.raw)
    known = journal.recall(mail.person, mail.id)
    if known is None:
        answer = _do(actor, tx, handler, mail)
        refused = answer.refusal
        value = None if refused else msgpack.encode(answer.reply)
        if refused is None or refused.final:
            outcome = Remembered(mark, value, refused.body if refused else None)
            journal.remember(mail.person, mail.id, outcome, mail.now)
        return answer
    if known.fingerprint != mark:
        return Answer(refusal=Refusal("client_id_reused"))
    if known.error is not None:
        return Answer(refusal=Refusal.of(known.error))
    reply = msgpack.decode(known.value or b"", type=reply_type(handler.command))
    return Answer(reply, effects=_tell(actor, tx, handler, mail, reply))


def _do(actor: Actor[Any], tx: JournaledUnit, handler: Handler, mail: Mail[Any]) -> Answer[Any]:
    try:
        # Nothing of a refused command stays, while its neighbours in the batch are not touched.
        with tx.savepoint():
            reply = handler.function(actor, tx, mail)
    except Refusal as refusal:
        if refusal.code == "unavailable":
            raise
        return Answer(refusal=refusal)
    return Answer(reply, effects=_tell(actor, tx, handler, mail, reply))


def _tell(actor: Actor[Any], tx: JournaledUnit, handler: Handler, mail: Mail[Any], reply: Any) -> Sequence[Effect]:
    effects: Iterable[Effect] = handler.tells(actor, tx, mail, reply) if handler.tells else ()
    return tuple(effects)


def _result(answer: Answer[Any]) -> Result:
    if answer.refusal is not None:
        if answer.refusal.code == "unavailable":
            raise answer.refusal
        return Result(error=answer.refusal.body, effects=answer.effects)
    return Result(value=msgpack.encode(answer.reply), effects=answer.effects)
