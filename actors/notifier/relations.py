"""What people are to each other: requests to somebody, and requests of theirs that were accepted."""

from collections.abc import Iterable
from typing import Final

from actors.notifier.noting import note
from actors.notifier.presence import Presence
from actors.notifier.telling import notice_id, seen, shown
from actors.runtime import Effect
from protocols.notifier import Notice, NoticeData
from storage.contacts import Turn
from storage.notifier import NotifierUnit
from storage.notifier_cursors import Place

STEP: Final = 500
"""Turns that one step reads at most."""


def follow(tx: NotifierUnit, presence: Presence, place: Place, now: int) -> tuple[int, list[Effect]]:
    """One step: (change to go on from, effects)."""
    turns, end = tx.contacts.read(lambda contacts: contacts.relations.turns(place.change, STEP))
    effects: list[Effect] = []
    for turn in turns:
        effects.extend(_told(tx, turn, now))
    for one, other in dict.fromkeys((min(turn.person, turn.other), max(turn.person, turn.other)) for turn in turns):
        effects.extend(presence.related(tx, one, other))
    return end, effects


def _told(tx: NotifierUnit, turn: Turn, now: int) -> Iterable[Effect]:
    person, pair = turn.person, turn.pair
    relation, request = pair.view
    asked = request if relation == "incoming" else ""
    # What was asked and is no more: accepted, declined or taken back.
    over = [one.id for one in tx.notices.open(person, turn.other, "request") if one.data.request != asked]
    yield from seen(person, tx.notices.read(over, now))
    if asked:
        yield from _noticed(tx, turn, "request", asked, now)
    elif relation == "contact" and pair.mine.request:
        # Only whoever asked has a request of their own. It keeps its id, so one acceptance is one notice.
        yield from _noticed(tx, turn, "accepted", pair.mine.request, now)


def _noticed(tx: NotifierUnit, turn: Turn, kind: str, request: str, now: int) -> Iterable[Effect]:
    notice = Notice(
        id=notice_id("contacts", kind, request),
        person=turn.person,
        kind=kind,
        change=0,
        at=turn.pair.mine.at,
        read=False,
        data=NoticeData(user=turn.other, request=request if kind == "request" else ""),
    )
    return shown(note(tx, "contacts", turn.other, notice, now))
