"""What children print: read as raw chunks, whatever the length of their lines, into files that are rotated."""

import contextlib
import os
from pathlib import Path

_CHUNK = 65_536


class RotatingFile:
    """A log of at most about `limit` bytes beside `keep` older ones: name.log, name.log.1 (newer) to .keep."""

    def __init__(self, path: Path, limit: int, keep: int) -> None:
        self.path = path
        self._limit = limit
        self._keep = keep
        self._descriptor: int | None = None
        self._size = 0
        self.dropped = 0

    def write(self, chunk: bytes) -> None:
        """Append. A full or broken disk never stops the writer: what cannot be written is counted and dropped."""
        try:
            if self._descriptor is None:
                self._open()
            elif self._size >= self._limit:
                self._rotate()
            if self.dropped:
                self._append(b"[%d bytes of output were dropped: the disk refused them]\n" % self.dropped)
                self.dropped = 0
            self._append(chunk)
        except OSError:
            self.dropped += len(chunk)

    def _append(self, chunk: bytes) -> None:
        assert self._descriptor is not None, "write opens the file first"  # noqa: S101  (for the type checker)
        self._size += os.write(self._descriptor, chunk)

    def _open(self) -> None:
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            older = self.path if number == 1 else self._old(number - 1)
            with contextlib.suppress(FileNotFoundError):
                older.replace(self._old(number))
        if self._keep == 0:
            self.path.unlink(missing_ok=True)
        self._open()

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class OutputPipe:
    """One pipe for all lives of a child: standard output and error of each are this pipe's writing end.

    The supervisor keeps that end open too, so it never reads an end of file and no descriptor comes or goes with a
    restart. The reading end alone is non-blocking: children may block for a moment, the supervisor never.
    """

    def __init__(self, file: RotatingFile) -> None:
        self._file = file
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def pump(self) -> None:
        """Move one chunk; called again while there is more, so that one loud child does not starve the others."""
        with contextlib.suppress(BlockingIOError):
            self._file.write(os.read(self.reading, _CHUNK))

    def close(self) -> None:
        """Keep what the child said last, then let go."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(16):  # a pipe holds no more than that
                self._file.write(os.read(self.reading, _CHUNK))
        os.close(self.reading)
        os.close(self.writing)
        self._file.close()
