"""Values that every part shares: ids, times, bounds, and what a person is to the others."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

BODY_CHARACTERS = 8_000
FRAME_BYTES = 64 * 1024
PAGE_DEFAULT = 50
PAGE_MOST = 200

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
"""Any id: of a person, a message, a conversation, a command. Opaque to clients."""

ClientId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
"""Minted by a client once a command and kept across retries."""

Caption = Annotated[str, Meta(max_length=BODY_CHARACTERS)]
"""The words of a message: only with a file may there be none."""
Emoji = Annotated[str, Meta(min_length=1, max_length=32)]
Seq = Annotated[int, Meta(ge=1, le=2**53)]
Relation = Literal["none", "incoming", "outgoing", "contact", "blocked", "removed", "self"]
"""What the other is to me: `incoming` asked me, `outgoing` I asked, `blocked` and `removed` by me.

Whoever was blocked or removed by the other sees "none": the two cases must not be told apart.
"""


class User(Struct, frozen=True, omit_defaults=True):
    """A person as others see them. A deleted account keeps its id and loses its names."""

    id: str
    username: str
    display_name: str
    deleted: bool = False


def new_id(now_ms: int, randomness: bytes) -> str:
    """A sortable id: 12 hex digits of Unix milliseconds and 20 of randomness (10 bytes)."""
    return f"{now_ms:012x}{randomness.hex()}"


@lru_cache(maxsize=4_096)
def conversation_of(one: str, other: str) -> str:
    """The id of the conversation between two people: it exists as soon as both do, without asking its owner."""
    low, high = sorted((one, other))
    return hashlib.sha256(f"{low}\n{high}".encode()).hexdigest()[:32]


def rfc3339(at_ms: int) -> str:
    """Unix milliseconds as RFC 3339, UTC, with milliseconds."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"
