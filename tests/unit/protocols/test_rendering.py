"""Records become frames, with every field at its place."""

import msgspec
import pytest
from msgspec import json

from protocols import frames
from protocols.notifier import Mute, Notice, NoticeData, Preferences
from protocols.records import MessageRecord, ReceiptRecord
from protocols.rendering import (
    change_frame,
    changed_frame,
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
