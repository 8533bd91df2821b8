"""What happened to accounts: sign-ins from new devices, and people who are gone."""

from typing import Final

from actors.notifier.noting import note
from actors.notifier.presence import Presence
from actors.notifier.telling import notice_id, shown
from actors.runtime import Effect
from protocols.notifier import Notice, NoticeData
from storage.auth import AuthUnit, Session
from storage.notifier import NotifierUnit
from storage.notifier_cursors import Place

STEP: Final = 500
"""Sessions, and deleted accounts, that one step reads at most."""


def follow(tx: NotifierUnit, presence: Presence, place: Place, now: int) -> tuple[int, list[Effect]]:
    """One step: (change to go on from, effects)."""

    def look(auth: AuthUnit) -> tuple[list[tuple[Session, int]], list[tuple[str, int]], int]:
        return (
            auth.sessions.unfamiliar_since(place.change, STEP),
            auth.accounts.deleted_since(place.change, STEP),
            auth.journal.change(),
        )

    sessions, deleted, end = tx.auth.read(look)
    # As far as both were read; what lies further on is read again.
    for rows in (sessions, deleted):
        if len(rows) == STEP:
            end = min(end, rows[-1][1])
    effects: list[Effect] = []
    for session, change in sessions:
        if change <= end:
            effects.extend(shown(note(tx, "auth", session.id, _notice(session), now)))
    for person, change in deleted:
        if change <= end:
            _forget(tx, presence, person)
    return end, effects


def _notice(session: Session) -> Notice:
    return Notice(
        id=notice_id("auth", "sign_in", session.id),
        person=session.user,
        kind="sign_in",
        change=0,
        at=session.created_at,
        read=False,
        data=NoticeData(session=session.id, agent=session.agent, address=session.address),
    )


def _forget(tx: NotifierUnit, presence: Presence, person: str) -> None:
    tx.notices.forget_person(person)
    tx.decisions.forget_person(person)
    tx.wishes.forget(person)
    presence.forget(tx, person)
