"""Blobs in a dictionary: the interface of storage.blobs without a file system."""

import errno
from collections.abc import Iterator, Sequence
from typing import Self

from storage.blobs import Damaged, Stored


class MemoryBlobs:
    """`parts` are being written, `finished` never change. While it is `full`, a part of each write comes in."""

    def __init__(self) -> None:
        self.parts: dict[str, bytearray] = {}
        self.finished: dict[str, bytes] = {}
        self.full = False

    def cut(self, id: str, size: int) -> None:  # noqa: A002
        part = self.parts.setdefault(id, bytearray())
        if len(part) < size:
            raise Damaged
        del part[size:]

    def write(self, id: str, offset: int, pieces: Sequence[bytes]) -> None:  # noqa: A002
        if id not in self.parts:
            raise FileNotFoundError(id)
        part = self.parts[id]
        assert offset <= len(part), "a hole in a file"
        data = b"".join(pieces)
        if self.full:
            data = data[: len(data) // 2]
        part[offset : offset + len(data)] = data
        if self.full:
            raise OSError(errno.ENOSPC, "full")

    def finish(self, id: str) -> None:  # noqa: A002
        if id in self.parts:
            self.finished[id] = bytes(self.parts.pop(id))
        elif id not in self.finished:
            raise FileNotFoundError(id)

    def remove(self, id: str) -> int:  # noqa: A002
        return len(self.parts.pop(id, b"")) + len(self.finished.pop(id, b""))

    def open(self, id: str) -> "MemoryReader":  # noqa: A002
        return MemoryReader(self.parts[id] if id in self.parts else self.finished[id])

    def free(self) -> int:
        return 1 << 40

    def stored(self) -> Iterator[Stored]:
        for blobs in (self.parts, self.finished):
            yield from [Stored(id_, len(blob), 0) for id_, blob in blobs.items()]


class MemoryReader:
    def __init__(self, blob: bytes | bytearray) -> None:
        self._blob = blob

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._blob[offset : offset + size])

    def size(self) -> int:
        return len(self._blob)

    def fileno(self) -> int:
        raise OSError("no file")

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
