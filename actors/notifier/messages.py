"""New messages: who should be told, decided once a conversation and step, whatever the number of messages."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from actors.notifier import rules
from actors.notifier.telling import notice_id, seen, shown
from actors.runtime import Effect
from protocols.notifier import Decision, Device, Notice, NoticeData, Preferences
from storage.arrivals import Arrival, Arrivals
from storage.notifier import NotifierUnit
from storage.notifier_cursors import Place

STEP: Final = 20_000
"""Messages that one step reads at most; they are grouped where they lie, which takes some 40 ms for so many."""
CHECKED: Final = 500
"""Notices of missed messages that one round looks at, whether they were read meanwhile."""

Devices = Callable[[str], Sequence[Device]]


def follow(tx: NotifierUnit, devices: Devices, place: Place, now: int) -> tuple[int, list[Effect], int]:
    """One step: (change to go on from, effects, in how many conversations something came)."""
    arrivals, end = tx.router.read(lambda router: Arrivals(router.connection).after(place.change, STEP))
    step = _Step(tx, devices, place.epoch, now)
    return end, [effect for arrival in arrivals for effect in step.tell(arrival)], len(arrivals)


class _Step:
    """Decides about arrivals of one step."""

    def __init__(self, tx: NotifierUnit, devices: Devices, epoch: str, now: int) -> None:
        self._tx = tx
        self._devices = devices
        self._epoch = epoch
        self._now = now
        self._wishes: dict[str, Preferences] = {}

    def tell(self, arrival: Arrival) -> Iterable[Effect]:
        person = arrival.recipient
        if person not in self._wishes:
            self._wishes[person] = self._tx.wishes.preferences(person)
        wishes, devices = self._wishes[person], self._devices(person)
        quiet = rules.quiet(wishes, self._now)
        facts = rules.Facts(
            conversation=arrival.conversation,
            unread=arrival.last > arrival.read,
            present=arrival.count > 0,
            devices=devices,
            muted=self._tx.wishes.muted(person, arrival.sender, self._now),
            quiet=quiet,
        )
        verdict = rules.judge(facts, wishes)
        effects: list[Effect] = []
        if verdict.what != "not told":
            away = not rules.visible(devices)
            effects = self._noticed(arrival, rules.announcement(wishes, quiet=quiet), away=away)
            if not effects:
                return ()
        self._reasoned(arrival, verdict)
        return effects

    def _noticed(self, arrival: Arrival, announce: rules.Announcement, *, away: bool) -> list[Effect]:
        """One notice a conversation: while it is unread it takes what comes; a later one begins where it was read."""
        notices, person, conversation = self._tx.notices, arrival.recipient, arrival.conversation
        effects: list[Effect] = []
        first = max(arrival.first, arrival.read + 1)
        before = ""
        for notice in notices.open(person, conversation, "messages"):
            if notice.data.to_seq <= arrival.read:
                effects.extend(seen(person, notices.read([notice.id], self._now)))
            else:
                before, first, away = notice.id, min(first, notice.data.from_seq), away or notice.data.away
        data = NoticeData(
            user=arrival.sender,
            conversation=conversation,
            from_seq=first,
            to_seq=arrival.last,
            away=away,
            **announce._asdict(),
        )
        if before:
            return [*effects, *shown(notices.replace(before, arrival.at, data, listed=away))]
        if not self._tx.people.active(person):
            return []
        new = Notice(
            id=notice_id("router", self._epoch, "messages", person, str(arrival.born)),
            person=person,
            kind="messages",
            change=0,
            at=arrival.at,
            read=False,
            data=data,
        )
        return [*effects, *shown(notices.add(new, conversation, listed=away))]

    def _reasoned(self, arrival: Arrival, verdict: rules.Verdict) -> None:
        tx, person, subject = self._tx, arrival.recipient, arrival.conversation
        if tx.decisions.extend(person, subject, verdict.code, arrival.last, self._now):
            return
        agent = ""
        if verdict.session:
            session = tx.auth.read(lambda auth: auth.sessions.get(verdict.session))
            agent = session.agent if session is not None else ""
        tx.decisions.add(
            person,
            Decision(
                source="router",
                subject=subject,
                first=arrival.first,
                last=arrival.last,
                at=self._now,
                what=verdict.what,
                code=verdict.code,
                reason=rules.reason(verdict.code, rules.device_name(agent)),
            ),
        )


class Withdrawal:
    """Takes back notices of messages that were read or deleted since, in rotation, and only when router's log moved."""

    def __init__(self) -> None:
        self._after = ""
        self._version: object = None

    def look(self, tx: NotifierUnit, now: int) -> Iterable[Effect]:
        """One round. Raises Refusal("unavailable")."""
        version = tx.router.version()
        if not self._after and version == self._version:
            return ()
        first = not self._after
        notices = tx.notices.open_messages(self._after, CHECKED)
        gone = tx.router.read(lambda router: [one for one in notices if not _waiting(Arrivals(router.connection), one)])
        if first:
            # As it was before the reads: what changes during a rotation begins another. Not before they succeeded.
            self._version = version
        self._after = notices[-1].id if len(notices) == CHECKED else ""
        if gone:
            # This may not be committed: only a rotation that finds nothing is the last one.
            self._version = None
        return [effect for one in gone for effect in seen(one.person, tx.notices.read([one.id], now))]


def _waiting(arrivals: Arrivals, notice: Notice) -> bool:
    data = notice.data
    return arrivals.waiting(data.conversation, notice.person, data.from_seq, data.to_seq)
