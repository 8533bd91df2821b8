"""Who waits for a file to come along is woken by what its owner pushes: a hint, which may be lost."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from protocols.mail import FrontMail, Push, PushBatch

OWNER: Final = "file_chunker"


class _Told(Struct, tag="file"):
    """As much of a FileFrame as is needed here."""

    id: str


_decode = msgspec.json.Decoder(_Told).decode


class FileNews:
    """The waiting, by the file's id. Single-threaded."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Event]] = {}

    def receive(self, mail: FrontMail) -> None:
        """Wake those whose files a batch tells of."""
        if not self._waiting or not isinstance(mail, PushBatch) or mail.source != OWNER:
            return
        for item in mail.items:
            if isinstance(item, Push):
                with contextlib.suppress(msgspec.DecodeError):
                    for event in self._waiting.get(_decode(item.frame).id, ()):
                        event.set()

    @contextlib.contextmanager
    def of(self, file: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there is news of a file, as long as this lasts."""
        event = asyncio.Event()
        self._waiting.setdefault(file, []).append(event)
        try:
            yield event
        finally:
            self._waiting[file].remove(event)
            if not self._waiting[file]:
                del self._waiting[file]
