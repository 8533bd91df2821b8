"""Who did what to the installation: a line of JSON each time, on disk before it is done."""

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from protocols.errors import Refusal
from protocols.values import rfc3339

WITHIN: Final = 5.0
"""Seconds for a line to be on disk."""

log: Final = logging.getLogger(__name__)


class Operator(Struct, frozen=True):
    """Who acts, and from where."""

    id: str
    username: str
    address: str


class Line(Struct, frozen=True):
    """One line. `id` is the command's, the same in the line before and in the one after it."""

    at: str
    who: str
    account: str
    address: str
    what: str
    outcome: str
    id: str


class Audit:
    """Appends to one file, which is opened for each line, so that it may be moved away at any time."""

    def __init__(self, file: Path, now: Callable[[], int]) -> None:
        self._file = file
        self._now = now

    async def write(self, who: Operator, what: str, outcome: str, id: str) -> None:  # noqa: A002  (as it is called on the wire)
        """Return when it is on disk. Raises Refusal("unavailable") when it cannot be."""
        line = Line(rfc3339(self._now()), who.username, who.id, who.address, what, outcome, id)
        try:
            async with asyncio.timeout(WITHIN):
                await asyncio.to_thread(self._append, msgspec.json.encode(line) + b"\n")
        except (OSError, TimeoutError) as error:
            log.exception("the audit log cannot be written")
            raise Refusal("unavailable", "The audit log cannot be written.") from error

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                # A full disk has cut the last one off: what comes behind it on the same line could not be read either.
                line = b"\n" + line
            # One call: lines of several fronts never run into one another.
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
