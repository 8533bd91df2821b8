"""notifier's handlers and timers. What it follows, and how it decides, stands in the modules beside this one."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import json, structs

from actors.notifier import rules
from actors.notifier.following import SOURCES, Following
from actors.notifier.messages import Withdrawal
from actors.notifier.noting import note
from actors.notifier.presence import Presence
from actors.notifier.telling import notice_id, seen, shown
from actors.runtime import Actor, Answer, Effect, Environment, Mail, every, handles, handles_batch
from protocols.errors import Refusal
from protocols.mail import Changed, Done, Push
from protocols.notifier import (
    MUTE_FOREVER,
    Lease,
    Mute,
    MutePerson,
    Notice,
    NoticeData,
    Preferences,
    ReadNotices,
    SetPreferences,
    TestNotice,
    Typing,
)
from protocols.rendering import mute_frame, preferences_frame
from storage.notifier import NOTIFIER, NotifierUnit

DAY_MS: Final = 86_400_000
NOTICES_DAYS: Final = 90
DECISIONS_DAYS: Final = 7
MUTE_DAYS: Final = 3_660
"""A mute with an end is not for longer; for ever is another thing."""
READ_MOST: Final = 200
"""Ids that one command may name."""
SWEEP_SECONDS: Final = 60.0
SWEPT: Final = 2_000

log: Final = logging.getLogger(__name__)


class Notifier(Actor[NotifierUnit]):
    """Whatever it tells stands in its log first, so that a page which missed a push finds it there."""

    name = "notifier"
    schema = NOTIFIER
    follows = SOURCES

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.presence = Presence(environment)
        self.following = Following(self.presence, environment.monotonic)
        self.withdrawal = Withdrawal()

    # Heard, and worth nothing later: as batches, because single commands are remembered.

    @handles_batch(Lease)
    def lease(self, tx: NotifierUnit, mails: Sequence[Mail[Lease]]) -> list[Answer[Done]]:
        return _heard(mails, self.presence.lease(tx, mails))

    @handles_batch(Typing)
    def typing(self, tx: NotifierUnit, mails: Sequence[Mail[Typing]]) -> list[Answer[Done]]:
        return _heard(mails, self.presence.typing(tx, mails))

    @handles_batch(Changed)
    def changed(self, tx: NotifierUnit, mails: Sequence[Mail[Changed]]) -> list[Answer[Done]]:
        now = mails[-1].now
        sources = dict.fromkeys(mail.command.source for mail in mails)
        return _heard(mails, [effect for source in sources for effect in self.following.hinted(tx, source, now)])

    # Whatever comes: a hint that was lost costs a second.

    @every(1.0)
    def look(self, tx: NotifierUnit, now: int) -> Iterable[Effect]:
        for source in SOURCES:
            yield from self.following.follow(tx, source, now)
        try:
            yield from self.withdrawal.look(tx, now)
        except Refusal as refusal:
            log.debug("notices are not taken back for now: %s", refusal)

    @every(1.0)
    def tick(self, tx: NotifierUnit, now: int) -> Iterable[Effect]:
        return self.presence.tick(tx, now)

    @every(SWEEP_SECONDS)
    def sweep(self, tx: NotifierUnit, now: int) -> None:
        tx.notices.forget(now - NOTICES_DAYS * DAY_MS, SWEPT)
        tx.decisions.forget(now - DECISIONS_DAYS * DAY_MS, SWEPT)
        tx.wishes.forget_mutes(now)

    # What people want.

    def tell_preferences(self, tx: NotifierUnit, mail: Mail[SetPreferences], _reply: Preferences) -> Iterable[Effect]:
        wishes = tx.wishes.preferences(mail.person)
        yield Push(to=[mail.person], frame=json.encode(preferences_frame(wishes)), correlation=mail.correlation)
        if mail.command.presence is not None or (wishes.presence and mail.command.last_seen is not None):
            # Not at other wishes: to those from whom somebody hides, it would say when they are there.
            yield from self.presence.wished(tx, mail.person)

    @handles(SetPreferences, tells=tell_preferences)
    def set_preferences(self, tx: NotifierUnit, mail: Mail[SetPreferences]) -> Preferences:
        given = {name: value for name, value in structs.asdict(mail.command).items() if value is not None}
        wishes = structs.replace(tx.wishes.preferences(mail.person), **given)
        if wrong := rules.nonsense(wishes):
            raise Refusal("invalid", fields=wrong)
        tx.wishes.prefer(mail.person, wishes)
        return wishes

    def tell_mute(self, tx: NotifierUnit, mail: Mail[MutePerson], reply: Mute) -> Iterable[Effect]:
        frame = mute_frame(tx.wishes.mute_of(mail.person, reply.user, mail.now))
        yield Push(to=[mail.person], frame=json.encode(frame), correlation=mail.correlation)

    @handles(MutePerson, tells=tell_mute)
    def mute(self, tx: NotifierUnit, mail: Mail[MutePerson]) -> Mute:
        other, until = mail.command.user, mail.command.until
        if until < MUTE_FOREVER or until > mail.now + MUTE_DAYS * DAY_MS:
            raise Refusal("invalid", fields={"until": "It must end within ten years, or never."})
        pair = tx.contacts.read(lambda contacts: contacts.relations.pair(mail.person, other))
        if not pair.mine.met:
            raise Refusal("not_found")
        mute = Mute(user=other, until=until if until == MUTE_FOREVER or until > mail.now else 0)
        tx.wishes.mute(mail.person, mute)
        return mute

    # Notices.

    def tell_read(self, tx: NotifierUnit, mail: Mail[ReadNotices], _reply: Done) -> Iterable[Effect]:
        # Of what was seen the command's own words may be told: it cannot be undone.
        ids = tx.notices.seen_of(mail.person, mail.command.ids)
        return seen(mail.person, ids, max(0, mail.command.up_to), mail.correlation)

    @handles(ReadNotices, tells=tell_read)
    def read_notices(self, tx: NotifierUnit, mail: Mail[ReadNotices]) -> Done:
        if len(mail.command.ids) > READ_MOST:
            raise Refusal("invalid", fields={"ids": f"At most {READ_MOST}."})
        unread = tx.notices.unread_up_to(mail.person, mail.command.up_to)
        unread += tx.notices.unseen_of(mail.person, mail.command.ids)
        tx.notices.read(unread, mail.now)
        return Done()

    def tell_test(self, tx: NotifierUnit, mail: Mail[TestNotice], reply: Notice) -> Iterable[Effect]:
        return shown(tx.notices.get(reply.id), mail.correlation)

    @handles(TestNotice, tells=tell_test)
    def test(self, tx: NotifierUnit, mail: Mail[TestNotice]) -> Notice:
        notice = Notice(
            id=notice_id("test", mail.person, mail.id),
            person=mail.person,
            kind="test",
            change=0,
            at=mail.now,
            read=False,
            data=NoticeData(),
        )
        kept = note(tx, "notifier", "test", notice, mail.now)
        if kept is None:
            raise Refusal("not_found")
        return kept


def _heard(mails: Sequence[object], effects: Iterable[Effect]) -> list[Answer[Done]]:
    return [Answer(Done())] * (len(mails) - 1) + [Answer(Done(), effects=tuple(effects))]
