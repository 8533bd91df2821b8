"""file_chunker's handlers and timers. What happens on disk stands in the modules beside this one."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from msgspec import structs

from actors.file_chunker import rules
from actors.file_chunker.finishing import Finishing
from actors.file_chunker.pacing import Pacing
from actors.file_chunker.rules import MIB, Bounds, Room
from actors.file_chunker.sweeping import Sweeping
from actors.file_chunker.telling import told
from actors.file_chunker.writing import Writing, Written
from actors.runtime import Actor, Answer, Effect, Environment, Mail, every, handles, handles_batch
from protocols.errors import Refusal
from protocols.files import (
    PIECE_BYTES,
    Append,
    Appended,
    CancelUpload,
    CommitPieces,
    CreateUpload,
    DeclareDigest,
    FailureReason,
    LeaveUpload,
    Opened,
    OpenUpload,
    SetPreview,
    SweepFiles,
    Swept,
    UploadState,
)
from protocols.mail import Done, Push
from storage.blobs import DirectoryBlobs
from storage.file_uploads import ENDED, Upload
from storage.files import FILES, FilesUnit

NICE: Final = 10
"""This process gives way to the others at the processor."""
QUIET: Final = 5.0
"""Seconds without a piece after which nobody is sending any more, whatever was said."""
APART: Final = 0.25
"""Seconds between two pushes of how an upload comes along."""
WITHIN: Final = 30.0
"""Seconds that a piece waits for its turn when its sender names no deadline."""
SWEEP_SECONDS: Final = 3_600.0
FIRST_SWEEP: Final = 60.0

R = TypeVar("R")

log: Final = logging.getLogger(__name__)


class FileChunker(Actor[FilesUnit]):
    """Bytes are synced, then counted in the ledger, then answered for. The ledger's offset is the truth."""

    name = "file_chunker"
    schema = FILES
    hints = ("notifier",)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        files = environment.settings.files
        self.bounds = Bounds(
            largest=files.largest_mib * MIB,
            quota=files.quota_mib * MIB,
            expire=int(files.expire_hours * 3_600_000),
            keep_free=files.keep_free_mib * MIB,
            transfers=files.transfers,
        )
        self.blobs = DirectoryBlobs(environment.paths.blobs)
        self.pacing = Pacing(files.rate_mib * MIB, environment.monotonic)
        self.writing = Writing(self.blobs, self.bounds.keep_free, self._row, self._damaged, environment.monotonic)
        self.finishing = Finishing(self.blobs, self._row, self)
        self.sweeping = Sweeping(
            errands=self.errands,
            # Looked up at the call: until the database is open, there is another one.
            read=lambda work: self.read(work),  # noqa: PLW0108
            blobs=self.blobs,
            databases=environment.paths.databases,
            look=self.finishing.look,
            now=environment.now,
            expire=self.bounds.expire,
        )
        self._told: dict[str, float] = {}
        self._untold: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_loop: Callable[[Callable[[str], None], str], object] = _not_yet

    async def started(self) -> None:
        # Whoever waits for a file waits seconds; whoever waits for a line of text notices a hundredth of one.
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        self._on_loop = asyncio.get_running_loop().call_soon_threadsafe
        for upload in await self.read(lambda tx: tx.uploads.verifying()):
            self.finishing.look(upload)
        self._tasks.add(asyncio.create_task(self._sweep_by_itself()))

    async def stopped(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.writing.stop()
        await self.finishing.stop()
        await self.sweeping.close()

    # Uploads as a whole.

    async def look_for_room(self, _mail: Mail[CreateUpload]) -> int:
        # Unreadable contacts are an answer here; inside the transaction they would hold up everybody's pieces.
        await self.read(lambda tx: tx.consent.check())
        return await asyncio.to_thread(self.blobs.free)

    def tell(self, tx: FilesUnit, mail: Mail[Any], _reply: object) -> Iterable[Push]:
        upload = tx.uploads.get(mail.command.upload)
        return [] if upload is None else [told(upload)]

    @handles(CreateUpload, prepare=look_for_room)
    def create(self, tx: FilesUnit, mail: Mail[CreateUpload]) -> UploadState:
        command = mail.command
        tx.consent.check()
        if not tx.consent.between(mail.person, command.recipient):
            raise Refusal("not_a_contact")
        if tx.uploads.row(command.upload) is not None:
            raise Refusal("conflict")
        room = Room(tx.uploads.taken(mail.person), mail.prepared)
        upload = tx.uploads.put(rules.created(mail.person, command, self.bounds, room, mail.now))
        self._look(upload.id)
        return upload.told()

    @handles(SetPreview, tells=tell)
    def set_preview(self, tx: FilesUnit, mail: Mail[SetPreview]) -> Done:
        upload = rules.pictured(tx.uploads.row(mail.command.upload), mail.person, mail.command)
        tx.uploads.put(upload)
        tx.uploads.picture(upload.id, mail.command.data)
        return Done()

    @handles(DeclareDigest, tells=tell)
    def declare(self, tx: FilesUnit, mail: Mail[DeclareDigest]) -> UploadState:
        before = tx.uploads.row(mail.command.upload)
        upload = rules.declared(before, mail.person, mail.command.sha256)
        if upload is not before:
            upload = tx.uploads.put(upload)
        self._look(upload.id)
        return upload.told()

    @handles(CancelUpload, tells=tell)
    def cancel(self, tx: FilesUnit, mail: Mail[CancelUpload]) -> Done:
        self._end(tx, rules.cancelled(tx.uploads.row(mail.command.upload), mail.person, mail.now))
        return Done()

    # Pieces. As batches, because single commands are remembered.

    @handles_batch(OpenUpload)
    def open(self, tx: FilesUnit, mails: Sequence[Mail[OpenUpload]]) -> list[Answer[Opened]]:
        return [_answered(self._open, tx, mail) for mail in mails]

    @handles_batch(LeaveUpload)
    def leave(self, tx: FilesUnit, mails: Sequence[Mail[LeaveUpload]]) -> list[Answer[Done]]:
        return [_answered(self._leave, tx, mail) for mail in mails]

    async def write(self, mail: Mail[Append]) -> Written:
        command = mail.command
        if not 0 < len(command.data) <= PIECE_BYTES:
            raise Refusal("invalid", fields={"data": f"1 to {PIECE_BYTES} bytes."})
        within = (mail.expires - self.environment.now()) / 1000 if mail.expires else WITHIN
        request = (mail.person, command.generation)
        with self.writing.coming(command.upload):
            await self.pacing.turn(mail.person, command.upload, len(command.data), within)
            return await self.writing.write(command.upload, request, command.offset, command.data)

    @handles_batch(Append, prepare=write)
    def append(self, tx: FilesUnit, mails: Sequence[Mail[Append]]) -> list[Answer[Appended]]:
        return [_answered(self._append, tx, mail) for mail in mails]

    async def look_how_far(self, mail: Mail[CommitPieces]) -> Written:
        return self.writing.written(mail.command.upload, (mail.person, mail.command.generation))

    @handles_batch(CommitPieces, prepare=look_how_far)
    def commit(self, tx: FilesUnit, mails: Sequence[Mail[CommitPieces]]) -> list[Answer[Appended]]:
        return [_answered(self._commit, tx, mail) for mail in mails]

    def _open(self, tx: FilesUnit, mail: Mail[OpenUpload]) -> tuple[Opened, Sequence[Effect]]:
        command = mail.command
        others = sum(one.id != command.upload for one in tx.uploads.active(mail.person))
        row = tx.uploads.row(command.upload)
        upload = tx.uploads.put(
            rules.opened(row, mail.person, command.offset, others=others, bounds=self.bounds, now=mail.now)
        )
        self._on_loop(self.writing.touch, upload.id)
        return Opened(generation=upload.generation, offset=upload.offset, size=upload.size), [told(upload)]

    def _leave(self, tx: FilesUnit, mail: Mail[LeaveUpload]) -> tuple[Done, Sequence[Effect]]:
        command = mail.command
        before = tx.uploads.row(command.upload)
        upload = rules.left(before, mail.person, command.generation)
        if upload is None or upload is before:
            # It was taken for silent before. What of it is still on its way is no sign that it goes on.
            self.writing.woken(command.upload, command.generation)
            return Done(), ()
        self._forget(upload.id)
        return Done(), [told(tx.uploads.put(upload))]

    def _append(self, tx: FilesUnit, mail: Mail[Append]) -> tuple[Appended, Sequence[Effect]]:
        command = mail.command
        before = tx.uploads.row(command.upload)
        self._check(before, mail.prepared)
        rule = rules.held if command.hold else rules.appended
        upload = rule(before, mail.person, command.generation, command.offset, len(command.data))
        effects = self._count(tx, before, upload, mail.now)
        reached = command.offset + len(command.data) if command.hold else upload.offset
        return Appended(offset=reached, state=upload.state), effects

    def _commit(self, tx: FilesUnit, mail: Mail[CommitPieces]) -> tuple[Appended, Sequence[Effect]]:
        command, written = mail.command, mail.prepared
        before = tx.uploads.row(command.upload)
        self._check(before, written)
        upload = rules.committed(before, mail.person, command.generation, command.offset, written.end)
        return Appended(offset=upload.offset, state=upload.state), self._count(tx, before, upload, mail.now)

    def _check(self, upload: Upload | None, written: Written) -> None:
        if upload is not None and not self.writing.stands(upload.id, written):
            raise Refusal("locked")

    def _count(self, tx: FilesUnit, before: Upload | None, upload: Upload, now: int) -> Sequence[Effect]:
        """Keep what has come; the pages are told now and then."""
        if before is None or upload.offset == before.offset:
            return ()
        self._look(upload.id)
        if upload.state != before.state:
            self._forget(upload.id)
            return [told(tx.uploads.put(upload))]
        if not upload.active and self.writing.woken(upload.id, upload.generation):
            again = structs.replace(upload, active=True, expires=now + self.bounds.expire)
            return [told(tx.uploads.put(again))]
        tx.uploads.advance(upload.id, upload.offset, now + self.bounds.expire)
        at = self.environment.monotonic()
        if at - self._told.get(upload.id, -APART) < APART:
            # There may be no next piece for long: a sender that pauses is not to leave the other's card behind.
            self._untold.add(upload.id)
            return ()
        # What is not said, because this is rolled back after all, the next piece says.
        self._told[upload.id] = at
        self._untold.discard(upload.id)
        return [told(upload)]

    # By itself.

    @every(1.0)
    def quiet(self, tx: FilesUnit, _now: int) -> Iterable[Effect]:
        """Those that were being sent, and are not any more; and how far others are whose last pieces were not told."""
        self._on_loop(lambda _: self.writing.forget_idle(), "")
        for upload in tx.uploads.active():
            if self.writing.quiet(upload.id, QUIET):
                self._forget(upload.id)
                left = rules.left(upload, upload.owner, upload.generation)
                if left is not None:
                    self.writing.lull(upload.id, upload.generation)
                    yield told(tx.uploads.put(left))
            elif upload.id in self._untold:
                self._untold.discard(upload.id)
                yield told(upload)

    async def settle(self, upload: str, sha256: str) -> None:
        """All bytes are on disk under their own name, and this is their digest."""
        await self._become(upload, lambda row, now: rules.settled(row, sha256, self.bounds, now))

    async def fail(self, upload: str, reason: FailureReason) -> None:
        await self._become(upload, lambda row, now: rules.failed(row, reason, now))

    async def _damaged(self, upload: str) -> None:
        await self.fail(upload, "damaged")
        self.finishing.look(upload)

    async def _become(self, upload: str, rule: Callable[[Upload, int], Upload]) -> None:
        def work(tx: FilesUnit, now: int) -> tuple[None, Sequence[Effect]]:
            before = tx.uploads.row(upload)
            after = before if before is None else rule(before, now)
            if after is None or after is before:
                return None, ()
            if after.state in ENDED:
                return None, [told(self._end(tx, after))]
            return None, [told(tx.uploads.put(after))]

        await self.errands.run(work)

    async def sweep(self, _mail: Mail[SweepFiles]) -> Swept:
        return await self.sweeping.run()

    @handles(SweepFiles, prepare=sweep)
    def sweep_files(self, _tx: FilesUnit, mail: Mail[SweepFiles]) -> Swept:
        swept: Swept = mail.prepared
        return swept

    async def _sweep_by_itself(self) -> None:
        wait = FIRST_SWEEP
        while True:
            await asyncio.sleep(wait)
            wait = SWEEP_SECONDS
            try:
                await self.sweeping.run()
            except (Refusal, OSError) as trouble:
                log.warning("the sweep is put off: %s", trouble)

    # Common to all.

    async def _row(self, upload: str) -> Upload | None:
        row: Upload | None = await self.read(lambda tx: tx.uploads.row(upload))
        return row

    def _end(self, tx: FilesUnit, upload: Upload) -> Upload:
        ended = tx.uploads.put(upload)
        tx.uploads.forget_picture(upload.id)
        self._forget(upload.id)
        self._look(upload.id)
        return ended

    def _forget(self, upload: str) -> None:
        self._told.pop(upload, None)
        self._untold.discard(upload)

    def _look(self, upload: str) -> None:
        # Begun before the commit, it reads the ledger after it: the database does one thing at a time.
        self._on_loop(self.finishing.look, upload)


def _not_yet(_function: Callable[[str], None], _upload: str) -> None:
    """Before the start there is nothing to wake."""


def _answered(
    step: Callable[[FilesUnit, Mail[Any]], tuple[R, Sequence[Effect]]], tx: FilesUnit, mail: Mail[Any]
) -> Answer[R]:
    try:
        reply, effects = step(tx, mail)
    except Refusal as refusal:
        return Answer(refusal=refusal)
    return Answer(reply, effects=effects)
