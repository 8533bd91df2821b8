"""The end of a log file, followed through its rotation, without ever holding more than a part of it. Blocking."""

import os
from pathlib import Path
from typing import BinaryIO, Final

from protocols.ops import LOG_LINES

PART: Final = 128 * 1024
LINE: Final = 1_000
"""Bytes that are read at once, and characters of a line that are shown."""


class Tail:
    """Opens the file for each reading, so there is nothing to close."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._inode = 0
        self._offset = 0
        self._rest = b""

    def read(self) -> list[str]:
        """The newest lines at the first call, then those that were added since; LOG_LINES of them at most."""
        lines: list[str] = []
        try:
            with self._file.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                if self._inode and inode != self._inode:
                    lines += self._rest_of_the_old()
                    self._offset = 0
                self._inode = inode
                lines += self._read(file)
        except FileNotFoundError:
            # Between the renaming of the old file and the creation of the new one.
            return []
        return lines[-LOG_LINES:]

    def _rest_of_the_old(self) -> list[str]:
        try:
            with self._file.with_name(f"{self._file.name}.1").open("rb") as old:
                return self._read(old) if os.fstat(old.fileno()).st_ino == self._inode else []
        except FileNotFoundError:
            return []

    def _read(self, file: BinaryIO) -> list[str]:
        size = os.fstat(file.fileno()).st_size
        if size < self._offset:
            # It was emptied.
            self._offset, self._rest = 0, b""
        skipped = size - self._offset > PART
        if skipped:
            self._offset, self._rest = size - PART, b""
        file.seek(self._offset)
        read = file.read(PART)
        self._offset += len(read)
        *whole, self._rest = (self._rest + read).split(b"\n")
        if len(self._rest) > PART:
            # A line without an end is shown by its beginning.
            whole, self._rest = [*whole, self._rest], b""
        if skipped:
            # It begins in the middle of a line.
            whole = whole[1:]
        return [line.decode("utf-8", errors="replace")[:LINE] for line in whole]


def log_of(folder: Path, name: str) -> Path | None:
    """The log of an actor; None when there is none. What is asked for is only ever compared with what is there."""
    return next((file for file in folder.glob("*.log") if file.stem == name), None)
