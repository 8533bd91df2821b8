"""The log of a run: JSON lines, written while it happens, from which alone it is judged and can be carried out again.

`at` is seconds since the run began. A device is one socket of one person: "ann.1" is Ann's first.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from tests.chaos.schedule import Size, Step


class Begun(Struct, frozen=True, tag="begun", tag_field="what"):
    """`began` is RFC 3339 in UTC; `steps` is the whole schedule. `rate` is messages a second of all `pairs`."""

    seed: int
    size: Size
    pairs: int
    rate: float
    messages: int
    began: str
    steps: tuple[Step, ...]


class Device(Struct, frozen=True, tag="device", tag_field="what"):
    """Whose it is and with whom that person chats, by their ids."""

    device: str
    person: str
    peer: str


class Typed(Struct, frozen=True, tag="typed", tag_field="what"):
    at: float
    device: str
    client_id: str
    body: str


class Ticked(Struct, frozen=True, tag="ticked", tag_field="what"):
    """The `ok` of a send; each one that comes, and more than one may come. `stored` is the server's time."""

    at: float
    device: str
    client_id: str
    conversation: str
    seq: int
    version: int
    message_id: str
    stored: str


class Refused(Struct, frozen=True, tag="refused", tag_field="what"):
    at: float
    device: str
    client_id: str
    code: str


class Showed(Struct, frozen=True, tag="showed", tag_field="what"):
    """A message on a device's screen, its own person's included, in the order of showing."""

    at: float
    device: str
    conversation: str
    seq: int
    version: int
    message_id: str
    client_id: str
    sender: str
    body: str
    stored: str


class Repeated(Struct, frozen=True, tag="repeated", tag_field="what"):
    """A send went out once more, because nothing was heard of it."""

    at: float
    device: str
    client_id: str


class Did(Struct, frozen=True, tag="did", tag_field="what"):
    """A step was begun, or (`over`) was taken back, or (`omitted`) cannot be done here. `number` counts from 0."""

    at: float
    number: int
    text: str
    over: bool = False
    omitted: bool = False


class Told(Struct, frozen=True, tag="told", tag_field="what"):
    """Something else that somebody wanted to have in the log."""

    at: float
    about: str
    fields: dict[str, Any]


class Stored(Struct, frozen=True, tag="stored", tag_field="what"):
    """A row of the log of messages, read from the database after the end."""

    conversation: str
    seq: int
    version: int
    message_id: str
    client_id: str
    sender: str
    body: str
    stored: str


class Receipt(Struct, frozen=True, tag="receipt", tag_field="what"):
    """What `person` has and has read of the other's, as `device` was told, or ("") as the database has it."""

    device: str
    conversation: str
    person: str
    delivered: int
    read: int


class Settled(Struct, frozen=True, tag="settled", tag_field="what", kw_only=True):
    """How the installation was in the end. Lists are empty where all is well, and say in words what is not.

    `calm`: everything was answered and shown in time. `queues`: mail left in mailboxes and dead letters, by queue.
    `memory`: the most that each child held, in bytes, PSS of its session.
    """

    at: float
    calm: bool
    queues: dict[str, int]
    damaged: Sequence[str]
    zombies: Sequence[str]
    orphans: Sequence[str]
    troubles: Sequence[str]
    memory: dict[str, int]


Record = (
    Begun | Device | Typed | Ticked | Refused | Showed | Repeated | Did | Told | Stored | Receipt | Settled
)  # fmt: skip

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class Journal:
    """Writes records. What was written is in the file at the latest when it is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, record: Record) -> None:
        self._file.write(_encode(record) + b"\n")

    def flush(self) -> None:
        self._file.flush()


def read(path: Path) -> Iterator[Record]:
    """The records of a log. Raises ValueError that names the line which is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _decode(line)
            except msgspec.DecodeError as error:
                raise ValueError(f"{path}:{number}: {error}") from error
