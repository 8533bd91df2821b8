"""From records to the frames that show them. Whoever pushes, and whoever answers from the log, renders alike."""

from functools import lru_cache
from typing import TypeVar

from msgspec import structs

from protocols.files import UploadState
from protocols.frames import (
    FileFrame,
    FileInfo,
    Message,
    MessageChanged,
    MuteFrame,
    NoticeFrame,
    PreferencesFrame,
    PresenceFrame,
    PresenceState,
    ReceiptFrame,
)
from protocols.notifier import MUTE_FOREVER, Mute, Notice, Preferences
from protocols.records import MessageRecord, ReceiptRecord
from protocols.values import rfc3339

moment = lru_cache(maxsize=256)(rfc3339)
"""All messages of a batch have one time, and writing it out would be a sixth of rendering one."""


_Shown = TypeVar("_Shown", Message, MessageChanged)


def message_frame(record: MessageRecord) -> Message:
    """A new message, or one in a page of history or sync."""
    return _shown(Message, record)


def changed_frame(record: MessageRecord) -> MessageChanged:
    """The same message, edited, deleted or reacted to."""
    return _shown(MessageChanged, record)


def _shown(kind: type[_Shown], record: MessageRecord) -> _Shown:
    return kind(
        conversation=record.conversation,
        seq=record.seq,
        version=record.version,
        message_id=record.message_id,
        client_id=record.client_id,
        sender=record.sender,
        at=moment(record.at),
        body=record.body,
        reply_to=record.reply_to,
        edited_at=None if record.edited_at is None else moment(record.edited_at),
        deleted=record.deleted,
        reactions=list(record.reactions),
        file=record.file,
    )


def receipt_frame(record: ReceiptRecord) -> ReceiptFrame:
    """How far one of the two has come."""
    return ReceiptFrame(
        conversation=record.conversation,
        user=record.user,
        delivered=record.delivered,
        read=record.read,
        unread_from=record.unread_from,
    )


def change_frame(record: MessageRecord | ReceiptRecord) -> Message | ReceiptFrame:
    """One item of a page of sync."""
    return message_frame(record) if isinstance(record, MessageRecord) else receipt_frame(record)


def file_info(upload: UploadState) -> FileInfo:
    """What a message keeps of its file: all that does not change any more."""
    return FileInfo(
        id=upload.id,
        name=upload.name,
        type=upload.type,
        size=upload.size,
        width=upload.width,
        height=upload.height,
        preview=bool(upload.preview),
    )


def file_now(file: FileInfo, upload: UploadState) -> FileInfo:
    """The same file with how it is at the moment. Its preview may have come after the message."""
    return structs.replace(
        file,
        preview=bool(upload.preview),
        state=upload.state,
        offset=upload.offset,
        active=upload.active,
        verified=upload.verified,
    )


def file_frame(upload: UploadState) -> FileFrame:
    """How a file comes along, for its two people."""
    return FileFrame(
        id=upload.id,
        state=upload.state,
        offset=upload.offset,
        size=upload.size,
        active=upload.active,
        verified=upload.verified,
        reason=upload.reason,
    )


def notice_frame(notice: Notice) -> NoticeFrame:
    """A notice as it is now, pushed or in a page."""
    return NoticeFrame(
        **structs.asdict(notice.data),
        id=notice.id,
        change=notice.change,
        kind=notice.kind,
        at=moment(notice.at),
        read=notice.read,
    )


def preferences_frame(preferences: Preferences) -> PreferencesFrame:
    """What a person has set, for their other devices."""
    return PreferencesFrame(**structs.asdict(preferences))


def mute_frame(mute: Mute) -> MuteFrame:
    """Whom a person has muted, for their other devices."""
    forever = mute.until == MUTE_FOREVER
    return MuteFrame(user=mute.user, until=rfc3339(mute.until) if mute.until > 0 else None, forever=forever)


def presence_frame(user: str, state: PresenceState, last_seen: int, wishes: Preferences) -> PresenceFrame:
    """What contacts may know of `user`, who wishes so. `last_seen` is Unix ms, 0 for never."""
    if not wishes.presence:
        return PresenceFrame(user=user, state="unknown")
    told = wishes.last_seen and last_seen and state != "online"
    return PresenceFrame(user=user, state=state, last_seen=rfc3339(last_seen) if told else None)
