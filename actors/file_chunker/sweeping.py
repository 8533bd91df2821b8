"""Taking away what nobody wants any more: abandoned uploads, files that no message refers to, files without a row."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from actors.file_chunker import rules
from actors.file_chunker.telling import told
from actors.runtime.errands import Errands
from protocols.errors import Refusal
from protocols.files import Swept, UploadState
from protocols.mail import Push
from storage import Reader
from storage.blobs import Blobs, Stored
from storage.file_uploads import ENDED, Upload
from storage.files import FilesUnit
from storage.router import ROUTER

PAGE: Final = 200
PAGES: Final = 100
"""Of rows a run; the next one goes on."""
FOLDER_PAGE: Final = 500
STRAY_MS: Final = rules.DAY_MS
MARGIN_MS: Final = 60_000
"""Whoever sends a message with a file looks whether its time is over, so it may not go in that very moment."""
LATER_MS: Final = 3_600_000

log: Final = logging.getLogger(__name__)


class _Gone(Struct):
    expired: int = 0
    unreferenced: int = 0
    freed: int = 0


class Sweeping:
    """`look` is told of each upload whose bytes are to go.

    `expire` is how long a file that is referred to is left alone before the next look, in ms.
    """

    def __init__(
        self,
        *,
        errands: Errands[FilesUnit],
        read: Callable[[Callable[[FilesUnit], Any]], Awaitable[Any]],
        blobs: Blobs,
        databases: Path,
        look: Callable[[str], None],
        now: Callable[[], int],
        expire: int,
    ) -> None:
        self._errands = errands
        self._read = read
        self._blobs = blobs
        self._router = Reader(ROUTER, databases)
        self._look = look
        self._now = now
        self._expire = expire
        self._one = asyncio.Lock()

    async def run(self) -> Swept:
        """One whole sweep. Raises Refusal("unavailable") when the ledger cannot be written."""
        async with self._one:
            gone = _Gone()
            for _ in range(PAGES):
                if not await self._page(gone):
                    break
            strays, freed = await self._strays()
        swept = Swept(expired=gone.expired, unreferenced=gone.unreferenced, strays=strays, freed=gone.freed + freed)
        log.info("swept: %s", swept)
        return swept

    async def close(self) -> None:
        await self._router.close()

    async def _page(self, gone: _Gone) -> bool:
        """Some of what is due; returns whether there may be more."""
        before = self._now() - MARGIN_MS
        due: list[Upload] = await self._read(lambda tx: tx.uploads.due(before, PAGE))
        kept = await self._referred([upload.id for upload in due if upload.state == "ready"])
        ids = [upload.id for upload in due]

        def work(tx: FilesUnit, now: int) -> tuple[list[Upload], Sequence[Push]]:
            rows = [row for row in map(tx.uploads.row, ids) if row is not None and row.expires < before]
            tx.uploads.forget([row.id for row in rows if row.state in ENDED])
            if kept is None:
                later = {row.id for row in rows if row.state == "ready"}
                tx.uploads.postpone(later, now + LATER_MS)
            else:
                later = {row.id for row in rows if row.state == "ready" and row.id in kept}
                tx.uploads.postpone(later, now + self._expire)
            over = [row for row in rows if row.state not in ENDED and row.id not in later]
            ended = [tx.uploads.put(rules.expired(row, now)) for row in over]
            for row in ended:
                tx.uploads.forget_picture(row.id)
            return over, [told(row) for row in ended]

        for upload in await self._errands.run(work):
            if upload.state == "ready":
                gone.unreferenced += 1
            else:
                gone.expired += 1
            gone.freed += upload.offset
            self._look(upload.id)
        return len(due) == PAGE

    async def _referred(self, ids: Sequence[str]) -> set[str] | None:
        """Those that a message refers to; None when nobody can tell, and everything is to be kept."""
        if not ids:
            return set()
        try:
            return await self._router.read(lambda tx: tx.messages.files_referred(ids))
        except Refusal as refusal:
            log.warning("nothing is collected for now: %s", refusal)
            return None

    async def _strays(self) -> tuple[int, int]:
        """Remove what lies there for nobody: (how many, bytes)."""
        strays = freed = 0
        before = self._now() - STRAY_MS
        stored = self._blobs.stored()
        while page := await asyncio.to_thread(_some, stored):
            old = {one.id for one in page if one.modified < before}
            for one in old - await self._wanted(sorted(old)):
                freed += await asyncio.to_thread(self._blobs.remove, one)
                strays += 1
        return strays, freed

    async def _wanted(self, ids: Sequence[str]) -> set[str]:
        """Those that are to stay: of living uploads; and those that were sent and have lost their row.

        A ledger that is older than the folder, or gone, is somebody's mistake with a backup, and the bytes are all
        that is left to mend it with.
        """
        rows: list[UploadState] = await self._read(lambda tx: tx.uploads.states(ids))
        unknown = set(ids) - {row.id for row in rows}
        kept = await self._referred(sorted(unknown))
        return {row.id for row in rows if row.state not in ENDED} | (unknown if kept is None else kept)


def _some(stored: Iterator[Stored]) -> list[Stored]:
    return list(islice(stored, FOLDER_PAGE))
