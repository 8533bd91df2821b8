"""Pieces on their way to the disk: in order an upload, several at a time, synced before anybody counts them."""

import asyncio
import contextlib
import errno
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from protocols.errors import Refusal
from storage.blobs import Blobs, Damaged
from storage.file_uploads import ENDED, Upload

RUN_BYTES: Final = 4 * 1024 * 1024
"""Most bytes of one write and its sync."""
FORGOTTEN: Final = 600.0
"""Seconds without a piece after which an upload is forgotten here. The ledger knows all that is needed to go on."""

Request = tuple[str, int]
"""Who sends, and the generation that the request was given."""

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes are on disk up to `end`. `adoption` names the reading of the ledger after which they were written."""

    adoption: int
    end: int


@dataclass(slots=True, eq=False)
class Piece:
    request: Request
    offset: int
    data: bytes
    written: asyncio.Future[Written]

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(slots=True, eq=False)
class Transfer:
    """What `request` sends, None while the ledger is to be read first.

    `position`: the end of what is on disk and is the prefix of the file. `coming`: pieces that wait for their turn, or
    for the disk. `lulled`: the generation of a request that was taken for silent and has not ended, 0 for none.
    """

    upload: str
    waiting: deque[Piece] = field(default_factory=deque)
    request: Request | None = None
    adoption: int = 0
    position: int = 0
    touched: float = 0.0
    coming: int = 0
    lulled: int = 0
    worker: asyncio.Task[None] | None = None

    def run(self) -> list[Piece]:
        """The next pieces that belong together; those that nobody waits for any more are left out."""
        run: list[Piece] = []
        size = 0
        while self.waiting:
            piece = self.waiting[0]
            size += len(piece.data)
            if run and (size > RUN_BYTES or piece.request != run[0].request or piece.offset != run[-1].end):
                break
            self.waiting.popleft()
            if not piece.written.done():
                run.append(piece)
            else:
                size -= len(piece.data)
        return run


class Writing:
    """`read` gives the row of an upload as it is committed; `damaged` is told of one whose counted bytes are gone."""

    def __init__(
        self,
        blobs: Blobs,
        keep_free: int,
        read: Callable[[str], Awaitable[Upload | None]],
        damaged: Callable[[str], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._blobs = blobs
        self._keep_free = keep_free
        self._read = read
        self._damaged = damaged
        self._monotonic = monotonic
        self._transfers: dict[str, Transfer] = {}
        self._adoptions = itertools.count(1)
        self._started = monotonic()

    async def write(self, upload: str, request: Request, offset: int, data: bytes) -> Written:
        """Have a piece written and synced. Raises Refusal. Called in the order of an upload's pieces."""
        transfer = self._transfers.setdefault(upload, Transfer(upload))
        transfer.touched = self._monotonic()
        piece = Piece(request, offset, data, asyncio.get_running_loop().create_future())
        transfer.waiting.append(piece)
        if transfer.worker is None:
            transfer.worker = asyncio.create_task(self._work(transfer))
        return await piece.written

    def written(self, upload: str, request: Request) -> Written:
        """How far a request's pieces are on disk. Raises Refusal("conflict") when that is not known any more."""
        transfer = self._transfers.get(upload)
        if transfer is None or transfer.request != request:
            raise Refusal("conflict")
        return Written(transfer.adoption, transfer.position)

    def stands(self, upload: str, written: Written) -> bool:
        """Whether what was written is still there: nothing has been cut back since. Asked inside the transaction.

        An adoption is begun before the ledger is read for it, so what is counted before that is read there, and what
        would be counted later is refused here. Without this a piece could be counted after its bytes were cut off.
        """
        transfer = self._transfers.get(upload)
        return transfer is not None and transfer.adoption == written.adoption

    def quiet(self, upload: str, seconds: float) -> bool:
        """Whether no piece has come for so long, and none waits. Of what a former process did, all is forgotten."""
        transfer = self._transfers.get(upload)
        if transfer is None:
            return self._monotonic() - self._started >= seconds
        return not transfer.coming and self._monotonic() - transfer.touched >= seconds

    def touch(self, upload: str) -> None:
        """A request has taken the upload over, and its pieces are to come."""
        self._transfers.setdefault(upload, Transfer(upload)).touched = self._monotonic()

    @contextlib.contextmanager
    def coming(self, upload: str) -> Iterator[None]:
        """A piece has come, which may have to wait for its turn: nobody is silent meanwhile."""
        transfer = self._transfers.setdefault(upload, Transfer(upload))
        transfer.coming += 1
        try:
            yield
        finally:
            transfer.coming -= 1
            transfer.touched = self._monotonic()

    def lull(self, upload: str, generation: int) -> None:
        """A request is taken for silent, and may go on all the same."""
        transfer = self._transfers.get(upload)
        if transfer is not None:
            transfer.lulled = generation

    def woken(self, upload: str, generation: int) -> bool:
        """Whether a request was taken for silent and has not ended since; asked once, because now it is heard of."""
        transfer = self._transfers.get(upload)
        if transfer is None or transfer.lulled != generation:
            return False
        transfer.lulled = 0
        return True

    def forget_idle(self) -> None:
        """Drop what has not been heard of for long."""
        for upload, transfer in list(self._transfers.items()):
            if transfer.worker is None and self.quiet(upload, FORGOTTEN):
                del self._transfers[upload]

    async def stop(self) -> None:
        """Begin nothing any more, and wait for what threads have in hand."""
        workers = [transfer.worker for transfer in self._transfers.values() if transfer.worker is not None]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, transfer: Transfer) -> None:
        try:
            while transfer.waiting:
                run = transfer.run()
                if run:
                    await self._do(transfer, run)
        finally:
            transfer.worker = None

    async def _do(self, transfer: Transfer, run: list[Piece]) -> None:
        try:
            if transfer.request != run[0].request:
                # Asked before anything is given up for it: what a dead request still sends disturbs nobody.
                await self._owned(transfer.upload, run[0].request)
                await self._adopt(transfer, run[0].request)
            if run[-1].end > transfer.position:
                await self._put(transfer, run)
        except Refusal as refusal:
            _refuse(run, refusal)
        except OSError as error:
            # What is on disk of it is unknown: the next piece finds out, from the ledger.
            transfer.request = None
            _refuse(run, _trouble(error))
        except Exception:
            log.exception("pieces could not be written")
            transfer.request = None
            _refuse(run, Refusal("internal"))
        else:
            written = Written(transfer.adoption, transfer.position)
            for piece in run:
                if not piece.written.done():
                    piece.written.set_result(written)

    async def _owned(self, upload: str, request: Request) -> Upload:
        """The row of an upload that this request may write to."""
        person, generation = request
        row = await self._read(upload)
        if row is None or row.owner != person:
            raise Refusal("not_found")
        if row.state in ENDED:
            raise Refusal("gone")
        if generation < 1 or row.generation != generation:
            raise Refusal("locked")
        return row

    async def _adopt(self, transfer: Transfer, request: Request) -> None:
        """Begin with what the ledger counts, and cut off what is behind it."""
        transfer.request, transfer.adoption = None, next(self._adoptions)
        row = await self._owned(transfer.upload, request)
        if row.state == "open":
            try:
                await asyncio.to_thread(self._blobs.cut, row.id, row.offset)
            except Damaged as error:
                log.warning("upload %s is damaged: %s", row.id, error)
                await self._damaged(row.id)
                raise Refusal("gone") from error
        transfer.request, transfer.position = request, row.offset

    async def _put(self, transfer: Transfer, run: list[Piece]) -> None:
        # Copies of pieces that are on disk already are answered, and not written again.
        fresh = [piece for piece in run if piece.end > transfer.position]
        if fresh[0].offset != transfer.position:
            raise Refusal("conflict", fields={"offset": str(transfer.position)})
        await asyncio.to_thread(self._write, transfer.upload, fresh[0].offset, [piece.data for piece in fresh])
        transfer.position = fresh[-1].end

    def _write(self, upload: str, offset: int, pieces: list[bytes]) -> None:
        if self._keep_free and self._blobs.free() < self._keep_free:
            raise OSError(errno.ENOSPC, "less room is left than is to be kept free")
        self._blobs.write(upload, offset, pieces)


def _refuse(run: list[Piece], refusal: Refusal) -> None:
    for piece in run:
        if not piece.written.done():
            piece.written.set_exception(refusal)


def _trouble(error: OSError) -> Refusal:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return Refusal("storage_full", retry_after=2)
    if isinstance(error, FileNotFoundError):
        # Cancelled in this moment. Had it gone in another way, the next piece would find out.
        return Refusal("gone")
    log.error("pieces could not be written: %s", error)
    return Refusal("unavailable", "The disk does not take it at the moment.", retry_after=2)
