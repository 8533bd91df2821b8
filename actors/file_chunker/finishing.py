"""From the last byte to the end: the digest of what is on disk, the blob's own name, or its removal.

A task an upload reads the ledger, does what the row asks for, and reads again. So it makes no difference whether it is
woken by a commit or finds the row at a start: what a crash has interrupted is done then.
"""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from actors.file_chunker import rules
from protocols.errors import Refusal
from protocols.files import FailureReason
from storage.blobs import BlobReader, Blobs
from storage.file_uploads import ENDED, Upload

STEP: Final = 1024 * 1024
FAR_BEHIND: Final = 16 * STEP
"""Bytes from which on the digest is taken at half speed: a restart with large files is not to take a processor."""
RETRY_BASE: Final = 0.2
RETRY_CAP: Final = 30.0

log: Final = logging.getLogger(__name__)


class Outcome(Protocol):
    """Writes what has become of an upload. Both may raise Refusal("unavailable")."""

    async def settle(self, upload: str, sha256: str) -> None: ...
    async def fail(self, upload: str, reason: FailureReason) -> None: ...


class Digest:
    """The SHA-256 of a blob as far as it counts, read back from it: so it is that of what is on disk."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.offset = 0

    def step(self, reader: BlobReader, end: int) -> bool:
        """Take in at most STEP bytes up to `end`; False when there are fewer."""
        data = reader.read(self.offset, min(STEP, end - self.offset))
        self._hash.update(data)
        self.offset += len(data)
        return bool(data)

    def hex(self) -> str:
        return self._hash.hexdigest()


@dataclass(slots=True, eq=False)
class _Watch:
    again: bool = True
    digest: Digest = field(default_factory=Digest)
    task: asyncio.Task[None] | None = None


class Finishing:
    """`read` gives the row of an upload as it is committed. One digest is taken at a time."""

    def __init__(self, blobs: Blobs, read: Callable[[str], Awaitable[Upload | None]], outcome: Outcome) -> None:
        self._blobs = blobs
        self._read = read
        self._outcome = outcome
        self._watches: dict[str, _Watch] = {}
        self._one = asyncio.Semaphore(1)

    def look(self, upload: str) -> None:
        """Something may have changed about it."""
        watch = self._watches.setdefault(upload, _Watch())
        watch.again = True
        if watch.task is None:
            watch.task = asyncio.create_task(self._follow(upload, watch))

    async def stop(self) -> None:
        """Stop between two steps; what is left is done after the next start."""
        tasks = [watch.task for watch in self._watches.values() if watch.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, upload: str, watch: _Watch) -> None:
        delay = RETRY_BASE
        try:
            while watch.again:
                watch.again = False
                try:
                    over = await self._look(upload, watch)
                except (Refusal, OSError) as trouble:
                    log.warning("upload %s is not finished for now: %s", upload, trouble)
                    watch.again = True
                    await asyncio.sleep(delay * (1 + random.random()) / 2)  # noqa: S311  (jitter, not a secret)
                    delay = min(RETRY_CAP, delay * 2)
                else:
                    delay = RETRY_BASE
                    if over and not watch.again:
                        self._watches.pop(upload, None)
        finally:
            watch.task = None

    async def _look(self, upload: str, watch: _Watch) -> bool:
        """Do what the row asks for; returns whether there will be nothing more to do."""
        row = await self._read(upload)
        if row is None or row.state in ENDED:
            await asyncio.to_thread(self._blobs.remove, upload)
            return True
        if row.state == "ready":
            return True
        if not await self._digested(row, watch):
            await self._outcome.fail(upload, "damaged")
            watch.again = True
            return False
        if row.state == "verifying" and (row.declared or not row.promised):
            sha256 = watch.digest.hex()
            if not rules.mismatched(row, sha256):
                if not row.size:
                    await asyncio.to_thread(self._blobs.cut, upload, 0)
                await asyncio.to_thread(self._blobs.finish, upload)
            await self._outcome.settle(upload, sha256)
            # Cancelled or failed in the same moment, its bytes are still to go.
            watch.again = True
        return False

    async def _digested(self, row: Upload, watch: _Watch) -> bool:
        """Take the digest as far as the row counts; False when fewer bytes are there."""
        digest = watch.digest
        if digest.offset >= row.offset:
            return True
        try:
            reader = await asyncio.to_thread(self._blobs.open, row.id)
        except FileNotFoundError:
            return False
        with reader:
            while digest.offset < row.offset:
                began = time.monotonic()
                async with self._one:
                    done = await asyncio.to_thread(digest.step, reader, row.offset)
                if not done:
                    return False
                if row.offset - digest.offset > FAR_BEHIND:
                    await asyncio.sleep(time.monotonic() - began)
        return True
