"""Files: to whom they are sent, that one is there which took a while; to who sent them, that one will not come."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from actors.notifier import rules
from actors.notifier.noting import explain, note
from actors.notifier.telling import notice_id, seen, shown
from actors.runtime import Effect
from protocols.files import UploadState
from protocols.notifier import Device, Notice, NoticeData
from protocols.values import conversation_of
from storage.notifier import NotifierUnit
from storage.notifier_cursors import Place

STEP: Final = 500
"""Uploads that one step reads at most."""
LONG_MS: Final = 30_000
"""What is there sooner than this after it was begun came with its message, which is told of by itself."""

SOURCE: Final = "file_chunker"

Devices = Callable[[str], Sequence[Device]]


def follow(tx: NotifierUnit, devices: Devices, place: Place, now: int) -> tuple[int, list[Effect]]:
    """One step: (change to go on from, effects)."""
    uploads, end = tx.files.read(lambda files: (files.uploads.changes(place.change, STEP), files.journal.change()))
    if len(uploads) == STEP:
        end = uploads[-1].change
    ended = [one for one in uploads if one.state in {"ready", "failed", "cancelled", "expired"}]
    if not ended:
        return end, []
    # What no message was sent with, or whose message was deleted, is nothing to anybody.
    sent = tx.router.read(lambda router: router.messages.files_referred([one.id for one in ended]))
    effects: list[Effect] = []
    for upload in ended:
        if upload.state != "ready":
            effects.extend(_taken_back(tx, upload, now))
        if upload.id not in sent:
            continue
        if upload.state == "ready":
            effects.extend(_ready(tx, devices, upload, now))
        elif upload.state != "cancelled" and not upload.sha256:
            effects.extend(shown(note(tx, SOURCE, _subject(upload), _notice(upload, "file_failed", now), now)))
    return end, effects


def _ready(tx: NotifierUnit, devices: Devices, upload: UploadState, now: int) -> Iterable[Effect]:
    person, sender = upload.recipient, upload.owner
    if now - upload.created < LONG_MS or not tx.contacts.read(lambda other: other.relations.consent(sender, person)):
        return ()
    notice = _notice(upload, "file_ready", now)
    verdict = rules.judge_file(devices(person), muted=tx.wishes.muted(person, sender, now))
    if verdict is None:
        return shown(note(tx, SOURCE, _subject(upload), notice, now))
    if tx.notices.get(notice.id) is None:
        explain(tx, SOURCE, _subject(upload), person, verdict, now=now)
    return ()


def _taken_back(tx: NotifierUnit, upload: UploadState, now: int) -> Iterable[Effect]:
    notice = tx.notices.get(_id(upload, "file_ready"))
    return seen(upload.recipient, tx.notices.read([notice.id], now)) if notice is not None else ()


def _notice(upload: UploadState, kind: str, now: int) -> Notice:
    person, other = upload.recipient, upload.owner
    if kind == "file_failed":
        person, other = other, person
    return Notice(
        id=_id(upload, kind),
        person=person,
        kind=kind,
        change=0,
        at=now,
        read=False,
        data=NoticeData(user=other, conversation=_subject(upload), file=upload.id),
    )


def _id(upload: UploadState, kind: str) -> str:
    return notice_id(SOURCE, kind, upload.id)


def _subject(upload: UploadState) -> str:
    return conversation_of(upload.owner, upload.recipient)
