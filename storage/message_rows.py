"""How a message lies in its row: read in one way by every query that returns messages."""

from typing import Any

import msgspec

from protocols.frames import FileInfo, Reaction
from protocols.records import MessageRecord, message_id

COLUMNS = (
    "m.seq, m.version, m.change, m.client_id, m.sender, m.at, m.body, m.reply_to, m.edited_at, m.deleted, m.reactions, "
    "m.file_info"
)
"""Of a message called m, for `record`; before them stands the conversation's id."""

Reactions = tuple[Reaction, ...]

_encode_reactions = msgspec.msgpack.Encoder().encode
_encode_file = msgspec.msgpack.Encoder().encode
_decode_file = msgspec.msgpack.Decoder(FileInfo).decode
_decode_reactions = msgspec.msgpack.Decoder(tuple[tuple[str, list[str]], ...]).decode


def record(row: tuple[Any, ...]) -> MessageRecord:
    """A row of (conversation's id, *COLUMNS)."""
    conversation, seq, version, change, client_id, sender, at, body, reply_to, edited_at, deleted, reactions, file = row
    return MessageRecord(
        conversation=conversation,
        seq=seq,
        version=version,
        change=change,
        message_id=message_id(conversation, seq),
        client_id=client_id,
        sender=sender,
        at=at,
        body=body,
        reply_to=None if reply_to is None else message_id(conversation, reply_to),
        edited_at=edited_at,
        deleted=bool(deleted),
        reactions=() if reactions is None else unpacked(reactions),
        file=None if file is None else _decode_file(file),
    )


def packed(reactions: Reactions) -> bytes | None:
    """As they lie in the column: none at all is NULL."""
    return _encode_reactions([(one.emoji, one.users) for one in reactions]) if reactions else None


def unpacked(column: bytes) -> Reactions:
    """What `packed` made."""
    return tuple(Reaction(emoji, users) for emoji, users in _decode_reactions(column))


def packed_file(file: FileInfo | None) -> tuple[str | None, bytes | None]:
    """The columns (file, file_info)."""
    return (None, None) if file is None else (file.id, _encode_file(file))
