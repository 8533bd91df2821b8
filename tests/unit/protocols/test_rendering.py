"""Records become frames, with every field at its place."""

import msgspec
import pytest
from msgspec import json

from protocols import frames
from protocols.files import UploadState
from protocols.notifier import Mute, Notice, NoticeData, Preferences
from protocols.records import MessageRecord, ReceiptRecord
from protocols.rendering import (
    change_frame,
    changed_frame,
    file_frame,
    file_info,
    file_now,
    message_frame,
    mute_frame,
    notice_frame,
    preferences_frame,
)

FULL = MessageRecord(
    conversation="c",
    seq=3,
    version=7,
    change=99,
    message_id="c-3",
    client_id="client",
    sender="ann",
    at=1_700_000_000_123,
    body="Hello",
    reply_to="c-1",
    edited_at=1_700_000_001_000,
    reactions=(frames.Reaction("\u2764", ["bob"]),),
)
BARE = MessageRecord(
    conversation="c", seq=1, version=1, change=1, message_id="c-1", client_id="x", sender="ann", at=0, deleted=True
)
UPLOAD = UploadState(
    id="u1",
    owner="ann",
    recipient="bob",
    name="report.pdf",
    type="application/pdf",
    size=9,
    offset=5,
    generation=2,
    state="open",
    created=1,
    expires=2,
    change=3,
    active=True,
    width=3,
    height=4,
)


def test_a_message_in_full() -> None:
    assert json.decode(json.encode(message_frame(FULL))) == {
        "type": "message",
        "conversation": "c",
        "seq": 3,
        "version": 7,
        "message_id": "c-3",
        "client_id": "client",
        "sender": "ann",
        "at": "2023-11-14T22:13:20.123Z",
        "body": "Hello",
        "reply_to": "c-1",
        "edited_at": "2023-11-14T22:13:21.000Z",
        "reactions": [{"emoji": "\u2764", "users": ["bob"]}],
    }


def test_a_stub_carries_nothing_of_what_it_was() -> None:
    assert json.decode(json.encode(message_frame(BARE))) == {
        "type": "message",
        "conversation": "c",
        "seq": 1,
        "version": 1,
        "message_id": "c-1",
        "client_id": "x",
        "sender": "ann",
        "at": "1970-01-01T00:00:00.000Z",
        "deleted": True,
    }


@pytest.mark.parametrize("record", [FULL, BARE])
def test_a_changed_message_differs_in_its_type_only(record: MessageRecord) -> None:
    assert msgspec.structs.asdict(changed_frame(record)) == msgspec.structs.asdict(message_frame(record))
    assert json.decode(json.encode(changed_frame(record)))["type"] == "message_changed"


def test_a_message_with_a_file_says_what_never_changes_of_it() -> None:
    record = msgspec.structs.replace(FULL, file=file_info(UPLOAD))
    for frame in (message_frame(record), changed_frame(record)):
        assert json.decode(json.encode(frame))["file"] == {
            "id": "u1",
            "name": "report.pdf",
            "type": "application/pdf",
            "size": 9,
            "width": 3,
            "height": 4,
        }


def test_a_page_says_how_a_file_is_at_the_moment() -> None:
    upload = msgspec.structs.replace(UPLOAD, preview="image/png", state="ready", offset=9, verified=True, active=False)
    now = file_now(file_info(UPLOAD), upload)
    assert json.decode(json.encode(now)) == {
        **json.decode(json.encode(file_info(UPLOAD))),
        "preview": True,
        "state": "ready",
        "offset": 9,
        "verified": True,
    }


def test_a_file_comes_along() -> None:
    assert json.decode(json.encode(file_frame(UPLOAD))) == {
        "type": "file",
        "id": "u1",
        "state": "open",
        "offset": 5,
        "size": 9,
        "active": True,
    }
    failed = msgspec.structs.replace(UPLOAD, state="failed", reason="checksum_mismatch", active=False)
    assert json.decode(json.encode(file_frame(failed)))["reason"] == "checksum_mismatch"


def test_a_page_of_sync_holds_both_kinds() -> None:
    receipt = ReceiptRecord(conversation="c", user="bob", delivered=3, read=2, change=100)
    assert change_frame(receipt) == frames.ReceiptFrame(conversation="c", user="bob", delivered=3, read=2)
    marked = ReceiptRecord(conversation="c", user="bob", delivered=3, read=2, change=100, unread_from=1)
    assert change_frame(marked) == frames.ReceiptFrame(conversation="c", user="bob", delivered=3, read=2, unread_from=1)
    assert change_frame(FULL) == message_frame(FULL)


def test_notices_preferences_and_mutes_are_shown_as_they_are() -> None:
    data = NoticeData(conversation="c", user="bob", from_seq=2, to_seq=3, away=True)
    notice = Notice(id="router:7", person="ann", kind="messages", change=9, at=1_700_000_000_000, read=False, data=data)
    assert json.decode(json.encode(notice_frame(notice))) == {
        "type": "notice",
        "id": "router:7",
        "change": 9,
        "kind": "messages",
        "at": "2023-11-14T22:13:20.000Z",
        "read": False,
        "conversation": "c",
        "user": "bob",
        "from_seq": 2,
        "to_seq": 3,
        "away": True,
    }
    shown = json.decode(json.encode(preferences_frame(Preferences(read_receipts=False, zone="Europe/Berlin"))))
    assert (shown["type"], shown["read_receipts"], shown["presence"]) == ("preferences", False, True)
    assert shown["zone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("until", "frame"),
    [
        (0, frames.MuteFrame(user="bob")),
        (-1, frames.MuteFrame(user="bob", forever=True)),
        (1_700_000_000_000, frames.MuteFrame(user="bob", until="2023-11-14T22:13:20.000Z")),
    ],
)
def test_a_mute_ends_at_some_time_never_or_is_none(until: int, frame: frames.MuteFrame) -> None:
    assert mute_frame(Mute(user="bob", until=until)) == frame
