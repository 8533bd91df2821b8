"""Where the bytes of files lie. Everything here blocks: callers run it in a thread.

Damaged     fewer bytes are there than were counted
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

from msgspec import Struct

PIECES_MOST: Final = 512
"""Of one vectored write: the kernel's own bound is 1024."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Damaged(Exception):  # noqa: N818  (a state of a blob)
    """Bytes that were synced to disk and counted are not there any more."""


class Stored(Struct, frozen=True):
    """Something that lies there: whose, how large, and when it was last written (Unix ms)."""

    id: str
    bytes: int
    modified: int


class BlobReader(Protocol):
    """An open blob. It stays readable whatever happens to its name."""

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer only where the blob ends, or has come to so far."""

    def size(self) -> int: ...
    def fileno(self) -> int:
        """The descriptor, for the kernel to send from. Where there is none: OSError."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Blobs(Protocol):
    """Blobs by id: parts are added until it is finished, and then it never changes. All may raise OSError."""

    def cut(self, id: str, size: int) -> None:  # noqa: A002
        """Begin a blob, or keep the first `size` bytes of one that is not finished. Raises Damaged when it has less."""

    def write(self, id: str, offset: int, pieces: Sequence[bytes]) -> None:  # noqa: A002
        """Add to a blob that was begun. The bytes survive the loss of power when this returns."""

    def finish(self, id: str) -> None:  # noqa: A002
        """Let it be one that never changes. Once more does nothing. Raises FileNotFoundError."""

    def remove(self, id: str) -> int:  # noqa: A002
        """Take it away, finished or not; returns the bytes that this frees, 0 when there is none."""

    def open(self, id: str) -> BlobReader:  # noqa: A002
        """For reading, finished or not. Raises FileNotFoundError."""

    def free(self) -> int:
        """Bytes of room that are left."""

    def stored(self) -> Iterator[Stored]:
        """All that lies there, in no order; what comes and goes meanwhile may be among it or not."""


class DirectoryBlobs:
    """A file a blob: `uploading/ID.part` until it is finished, then `ab/ID`, where ab is made from the id.

    Files are 0600 in folders 0700. A name of ours is never anything that a person wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._uploading = folder / "uploading"
        self._named: set[Path] = set()

    def cut(self, id: str, size: int) -> None:  # noqa: A002
        path = self._part(id)
        self._make(self._uploading)
        with _opened(path, os.O_RDWR | os.O_CREAT) as descriptor:
            there = os.fstat(descriptor).st_size
            if there < size:
                raise Damaged(f"{there} bytes are there, {size} were counted")
            if there > size:
                os.ftruncate(descriptor, size)
                os.fsync(descriptor)
        if not size:
            # Also where the file is there already: whoever made it may have ended before its name was synced.
            _sync(self._uploading)

    def write(self, id: str, offset: int, pieces: Sequence[bytes]) -> None:  # noqa: A002
        with _opened(self._part(id), os.O_WRONLY) as descriptor:
            for first in range(0, len(pieces), PIECES_MOST):
                offset = _written(descriptor, offset, pieces[first : first + PIECES_MOST])
            os.fdatasync(descriptor)

    def finish(self, id: str) -> None:  # noqa: A002
        part, final = self._part(id), self._final(id)
        self._make(final.parent)
        try:
            with _opened(part, os.O_RDONLY) as descriptor:
                os.fsync(descriptor)
            part.rename(final)
        except FileNotFoundError:
            if not final.exists():
                raise
        # The new name before the old one is gone for good: with power lost between the two, one of them is there.
        _sync(final.parent)
        _sync(self._uploading)

    def remove(self, id: str) -> int:  # noqa: A002
        freed = 0
        for path in (self._part(id), self._final(id)):
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                path.unlink()
                freed += size
        return freed

    def open(self, id: str) -> "FileReader":  # noqa: A002
        try:
            return FileReader(self._part(id))
        except FileNotFoundError:
            # It may have been renamed a moment ago, and never goes the other way.
            return FileReader(self._final(id))

    def path(self, id: str) -> Path | None:  # noqa: A002
        """Where a finished blob lies, None for any other: for a server that sends files by itself."""
        path = self._final(id)
        return path if path.exists() else None

    def free(self) -> int:
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize

    def stored(self) -> Iterator[Stored]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as folders:
            for folder in folders:
                if folder.is_dir(follow_symlinks=False):
                    yield from self._stored_in(Path(folder.path))

    def _stored_in(self, folder: Path) -> Iterator[Stored]:
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name.removesuffix(".part") if folder == self._uploading else entry.name
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if _ID.fullmatch(name) and entry.is_file(follow_symlinks=False):
                        yield Stored(name, status.st_size, status.st_mtime_ns // 1_000_000)

    def _make(self, folder: Path) -> None:
        if folder not in self._named or not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            # Also of one that is there already, once: whoever made it may have ended before its name was synced.
            _sync(folder.parent)
            self._named.add(folder)

    def _part(self, id: str) -> Path:  # noqa: A002
        return self._uploading / f"{_safe(id)}.part"

    def _final(self, id: str) -> Path:  # noqa: A002
        # Of the id's digest: ids begin alike, and folders of ten thousand files are slow to read.
        return self._folder / hashlib.sha256(id.encode()).hexdigest()[:2] / _safe(id)


class FileReader:
    """BlobReader of a file."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _safe(id: str) -> str:  # noqa: A002
    if not _ID.fullmatch(id):
        raise ValueError("this is no id of ours")
    return id


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    """Let the names in a folder survive the loss of power."""
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


def _written(descriptor: int, offset: int, pieces: Sequence[bytes]) -> int:
    """Write all of it; returns where it ends."""
    views = [memoryview(piece) for piece in pieces if piece]
    while views:
        # A disk that fills up takes a part, and refuses the rest at the next call.
        done = os.pwritev(descriptor, views, offset)
        offset += done
        while views and done >= len(views[0]):
            done -= len(views.pop(0))
        if done:
            views[0] = views[0][done:]
    return offset
