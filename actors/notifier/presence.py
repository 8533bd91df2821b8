"""Who is there, by the leases that fronts send; what of it is kept, and who is told."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import json, structs

from actors.notifier.friends import Friends
from actors.notifier.presence_book import GRACE, Book
from actors.runtime import Effect, Environment, Mail
from protocols.errors import Refusal
from protocols.frames import TypingFrame
from protocols.mail import Push
from protocols.notifier import Device, Lease, Typing
from protocols.rendering import presence_frame
from storage.notifier import NotifierUnit
from storage.notifier_presence import Presence as Kept

MOST: Final = 2_000
"""People whose state one transaction writes; whoever is left comes in the next."""

TOLD: Final = 100_000
"""Contacts of theirs after which it is enough: each stands by name in the push, some 35 bytes."""

STAMP: Final = 60.0
"""Seconds between two notes of when everybody was last seen: so much a crash of this process may be wrong by."""

log: Final = logging.getLogger(__name__)


class Presence:
    """What is known lies in memory and is right again within one round of leases after a start.

    What was kept is what contacts were told. A person stays unsettled until a later transaction finds the right
    state kept: only then is it certain that the one which wrote and told it was committed.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._book = Book()
        self._friends = Friends()
        self._begun = environment.monotonic()
        self._stamped = self._begun
        self._restored = False
        self._unsettled: set[str] = set()

    def lease(self, tx: NotifierUnit, mails: Sequence[Mail[Lease]]) -> Iterable[Effect]:
        """Hear leases, in the order in which they came."""
        self._restore(tx)
        for mail in mails:
            self._book.hear(mail.command, self._environment.monotonic(), mail.now)
        return self._settle(tx, mails[-1].now)

    def typing(self, tx: NotifierUnit, mails: Sequence[Mail[Typing]]) -> Iterable[Effect]:
        """Pass on that people are writing, to contacts who are there. Whoever does not learn of it misses nothing."""
        pushes: list[Effect] = []
        try:
            self._friends.check(tx)
            for person, conversation in dict.fromkeys((mail.person, mail.command.conversation) for mail in mails):
                peer = self._friends.peer(tx, person, conversation)
                if peer is not None and self._book.there(peer):
                    frame = TypingFrame(conversation=conversation, user=person)
                    pushes.append(Push(to=[peer], frame=json.encode(frame)))
        except Refusal as refusal:
            log.debug("nobody is told who is writing: %s", refusal)
        return pushes

    def tick(self, tx: NotifierUnit, now: int) -> Iterable[Effect]:
        """Let leases end. Called every second."""
        self._restore(tx)
        monotonic = self._environment.monotonic()
        self._book.look(monotonic)
        effects = self._settle(tx, now)
        if monotonic - self._stamped >= STAMP and self._book.sure(monotonic):
            self._stamped = monotonic
            tx.presences.stamp(now)
        return effects

    def devices(self, person: str) -> Sequence[Device]:
        """The person's devices now; none when they are offline or nothing was heard yet."""
        return self._book.devices(person, self._environment.monotonic())

    def settled(self) -> bool:
        """Whether all fronts have had the time to say who is there since this process began."""
        now = self._environment.monotonic()
        return self._book.informed(now) or now - self._begun >= GRACE

    def wished(self, tx: NotifierUnit, person: str) -> Iterable[Effect]:
        """Tell contacts again, because what they may know has changed."""
        try:
            self._friends.check(tx)
            return list(self._told(tx, person, tx.presences.of([person]).get(person), self._friends.of(tx, person)))
        except Refusal as refusal:
            log.warning("contacts are not told that a wish has changed: %s", refusal)
            return []

    def related(self, tx: NotifierUnit, one: str, other: str) -> Iterable[Effect]:
        """Tell two people of each other when they have become contacts. Raises Refusal("unavailable").

        When they are none any more the page knows by that what it may not show.
        """
        if tx.contacts.read(lambda contacts: contacts.relations.consent(one, other)):
            kept = tx.presences.of([one, other])
            yield from self._told(tx, one, kept.get(one), [other])
            yield from self._told(tx, other, kept.get(other), [one])

    def forget(self, tx: NotifierUnit, person: str) -> None:
        """The account is gone; what is kept of it goes as soon as contacts know that nobody is there any more."""
        kept = tx.presences.of([person]).get(person)
        if kept is not None and kept.state != "offline":
            self._unsettled.add(person)
        else:
            tx.presences.forget(person)

    # Inside.

    def _restore(self, tx: NotifierUnit) -> None:
        if not self._restored:
            self._book.restore((kept.person, kept.state) for kept in tx.presences.not_offline())
            # Not before it was read, or a disk that fails just then would leave them there for ever.
            self._restored = True

    def _settle(self, tx: NotifierUnit, now: int) -> list[Effect]:
        """Keep what has changed, and tell of it."""
        self._unsettled |= self._book.touched
        self._book.touched.clear()
        if not self._unsettled:
            return []
        people = sorted(self._unsettled)[:MOST]
        rows = tx.presences.of(people)
        changed = [one for person in people for one in self._changed(person, rows.get(person), now)]
        kept: list[Kept] = []
        gone: list[Kept] = []
        try:
            self._friends.check(tx)
            for one in changed:
                if tx.people.active(one.person):
                    kept.append(one)
                elif one.state == "offline":
                    gone.append(structs.replace(one, last_seen=0))
                else:
                    # Their sockets have not closed yet.
                    self._unsettled.discard(one.person)
            effects, done = self._tell(tx, (*kept, *gone))
        except Refusal as refusal:
            log.debug("presence waits for contacts: %s", refusal)
            return []
        tx.presences.put(kept[:done])
        for one in gone[: max(0, done - len(kept))]:
            tx.presences.forget(one.person)
        return effects

    def _tell(self, tx: NotifierUnit, people: Sequence[Kept]) -> tuple[list[Effect], int]:
        """What contacts are told, and of how many of `people` that is. Raises Refusal("unavailable")."""
        effects: list[Effect] = []
        told = 0
        for done, one in enumerate(people):
            if told >= TOLD:
                return effects, done
            # Nothing at all is told of who is not to be seen: the time of a change would say enough.
            if tx.wishes.preferences(one.person).presence:
                friends = self._friends.of(tx, one.person)
                effects.extend(self._told(tx, one.person, one, friends))
                told += len(friends)
        return effects, len(people)

    def _changed(self, person: str, kept: Kept | None, now: int) -> list[Kept]:
        state = self._book.state(person)
        if state == (kept.state if kept else "offline"):
            self._unsettled.discard(person)
            self._book.settled(person)
            return []
        seen = max(self._book.seen(person) or 0, kept.last_seen if kept else 0)
        if state == "online" or (state == "offline" and not seen):
            seen = now
        return [Kept(person=person, state=state, since=now, last_seen=min(seen, now))]

    def _told(self, tx: NotifierUnit, person: str, kept: Kept | None, to: list[str]) -> Iterable[Effect]:
        if to:
            state, last_seen = (kept.state, kept.last_seen) if kept else ("offline", 0)
            frame = presence_frame(person, state, last_seen, tx.wishes.preferences(person))
            yield Push(to=to, frame=json.encode(frame))
