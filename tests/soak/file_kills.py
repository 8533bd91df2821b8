"""Kill file_chunker in the midst of its writing, again and again, and look at what lies on the disk each time."""

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from drill.installation import Installation, running_installation
from drill.person import HttpError, Person
from drill.report import spread
from drill.transfer import Transfer, insist
from storage.blobs import DirectoryBlobs
from tests.soak.figures import Figure
from tests.soak.files import QUICK
from tests.soak.killing import Tell
from tests.soak.remains import copied, standing_still
from tests.support.uploading import Disk, Uploader, noise
from tests.support.waiting import eventually

WRITERS = 4
LARGEST = 512 * 1024
SMALLEST_PIECE = 1024
LARGEST_PIECE = 256 * 1024
LATEST = 0.05
"""Seconds after it went on within which it is killed again."""
FILE_WITHIN = 300.0
OWNER = "file_chunker"
DAY = 86_400.0


class Sent(Struct):
    """A file on its way. `confirmed`: bytes of which was told that they count."""

    upload: str
    data: bytes
    confirmed: int = 0


class Look(Struct, frozen=True):
    """What lay on the disk after a kill. `missing`, in words: acknowledged, or counted, and not there as it was.

    `ahead` counts files with bytes that do not count yet, `renamed` those that are finished and not yet called so.
    """

    damage: str
    missing: Sequence[str]
    ahead: int
    renamed: int


class Arrived(Struct, frozen=True):
    """All that was sent and fetched at the other end. `strays`: files that only a sweep removed. `wrong` in words."""

    files: int
    bytes: int
    strays: int
    wrong: Sequence[str]


class Writer(threading.Thread):
    """Somebody who sends one small file after the other, fetches each, compares and removes it."""

    def __init__(self, one: Installation, person: Person, to: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.under_way: Sent | None = None
        self.done = 0
        self.bytes = 0
        self.uploads: set[str] = set()
        self.wrong: list[str] = []
        self.failure: Exception | None = None
        self._paths = one.paths
        self._transfer = Transfer(one.port, person.bearer)
        self._to = to
        self._dice = random.Random(seed)  # noqa: S311  (reproducible on purpose)
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            with self._transfer:
                while not self._stopping.is_set():
                    self._one_more()
        except (AssertionError, OSError, HttpError) as error:
            self.failure = error

    def stop(self) -> None:
        """End with the file that is under way."""
        self._stopping.set()

    def _one_more(self) -> None:
        data = noise(self._dice.getrandbits(32), self._dice.randrange(1, LARGEST))
        upload = insist(lambda: self._transfer.create("small.bin", len(data), self._to))
        self.uploads.add(upload)
        sent = self.under_way = Sent(upload, data)
        sender = Uploader(self._transfer, upload, data, lambda: Disk(self._paths))
        sender.piece = self._dice.randrange(SMALLEST_PIECE, LARGEST_PIECE)

        def confirmed(offset: int) -> None:
            sent.confirmed = offset

        sender.on_confirmed = confirmed
        sender.run(FILE_WITHIN)
        self.wrong += sender.wrong
        found = insist(lambda: self._fetched(upload))
        if found != data:
            self.wrong.append(f"{upload} has {len(found)} bytes at the other end that are others than were sent")
        self.under_way = None
        # An answer that is lost leaves nothing to be cancelled.
        with contextlib.suppress(HttpError):
            insist(lambda: self._transfer.cancel(upload))
        self.done += 1
        self.bytes += len(data)

    def _fetched(self, upload: str) -> bytes:
        found = bytearray()
        self._transfer.fetch(upload, found.extend)
        return bytes(found)


def file_kills(folder: Path, seed: int, kills: int, tell: Tell) -> Figure:
    """Kill it so many times while small files are sent, in an installation of its own without a cap."""
    return asyncio.run(_file_kills(folder, seed, kills, tell))


async def _file_kills(folder: Path, seed: int, kills: int, tell: Tell) -> Figure:
    async with running_installation(folder, **QUICK, PARLEY_FILES__RATE_MIB="0") as one:
        return await killed(one, seed, kills, tell)


async def killed(one: Installation, seed: int, kills: int, tell: Tell) -> Figure:
    """Kill it so many times in an installation that runs."""
    dice = random.Random(seed)  # noqa: S311  (as above)
    looks: list[Look] = []
    back: list[float] = []
    with tempfile.TemporaryDirectory(prefix="parley-file-kills-") as scratch:
        async with _writing(one, seed) as writers:
            for number in range(1, kills + 1):
                pid = await one.running(OWNER)
                await eventually(partial(_goes_on, writers, _counted(writers)), 30.0)
                if any(writer.failure for writer in writers):
                    break
                await asyncio.sleep(dice.uniform(0, LATEST))
                looks.append(await asyncio.to_thread(_kill, one, pid, writers, Path(scratch)))
                at = time.monotonic()
                await one.running(OWNER, other_than=pid)
                back.append(time.monotonic() - at)
                if number % 20 == 0 or number == kills:
                    tell(f"{number} of {kills} kills, {sum(one.done for one in writers)} files")
        arrived = await _arrived(one, writers)
    return figure(looks, back, arrived, kills)


def _counted(writers: Sequence[Writer]) -> int:
    """Bytes of which was told that they count."""
    return sum(writer.bytes + (sent.confirmed if (sent := writer.under_way) else 0) for writer in writers)


def _goes_on(writers: Sequence[Writer], counted: int) -> bool:
    # Less is a file that was taken away again.
    return _counted(writers) != counted or any(writer.failure for writer in writers)


async def _arrived(one: Installation, writers: Sequence[Writer]) -> Arrived:
    """What all of them have sent. Because it was cancelled, nothing of that may take room on the disk after a sweep."""
    uploads = {upload for writer in writers for upload in writer.uploads}
    blobs = DirectoryBlobs(one.paths.blobs)

    def left() -> list[str]:
        return [blob.id for blob in blobs.stored() if blob.id in uploads]

    with contextlib.suppress(AssertionError):
        await eventually(lambda: not left(), 5.0)
    strays = left()
    # Killed between the cancellation and the removal. A sweep takes what nobody has touched for a day.
    long_ago = time.time() - 2 * DAY
    for upload in strays:
        for path in one.paths.blobs.rglob(f"{upload}*"):
            os.utime(path, (long_ago, long_ago))
    if strays:
        await one.parley("files", "sweep")
    wrong = [text for writer in writers for text in writer.wrong]
    wrong += [f"{type(failure).__name__}: {failure}" for writer in writers if (failure := writer.failure)]
    wrong += [f"left behind: {upload}" for upload in left()]
    done, size = sum(writer.done for writer in writers), sum(writer.bytes for writer in writers)
    return Arrived(done, size, len(strays), wrong)


def figure(looks: Sequence[Look], back: Sequence[float], arrived: Arrived, kills: int) -> Figure:
    """What the looks, and the files at the end, come to."""
    damaged = [one.damage for one in looks if one.damage]
    missing = [text for one in looks for text in one.missing]
    troubles = [*damaged, *missing, *arrived.wrong]
    return Figure(
        name=f"{len(looks)} kill -9 of file_chunker in the midst of its writing",
        goal="integrity_check passes and every byte that was told to count is there, each time",
        measured=f"{len(damaged)} damaged, {len(missing)} missing; "
        f"{sum(one.ahead for one in looks)} files had bytes that did not count yet, "
        f"{sum(one.renamed for one in looks)} were finished and not yet called so; "
        f"{arrived.files} files of {arrived.bytes / 2**20:.0f} MiB arrived, {len(arrived.wrong)} wrong"
        + (f"; such as: {troubles[0]}" if troubles else ""),
        kept=len(looks) == kills and bool(arrived.files) and not troubles,
        spreads={OWNER: spread(back)} if back else {},
    )


def _kill(one: Installation, pid: int, writers: Sequence[Writer], scratch: Path) -> Look:
    """Kill it, and look before its successor can touch what it leaves."""
    with standing_still(one.supervisor_pid):
        os.kill(pid, signal.SIGKILL)
        copy = copied(one.paths.database(OWNER), scratch)
        # What was told until now must be there. An upload that ends meanwhile is looked at as it was.
        files = [Sent(sent.upload, sent.data, sent.confirmed) for writer in writers if (sent := writer.under_way)]
        return look(copy, DirectoryBlobs(one.paths.blobs), files)


def look(copy: Path, blobs: DirectoryBlobs, files: Sequence[Sent]) -> Look:
    """Open what was left, as the next one will, and hold it against what was told."""
    missing: list[str] = []
    ahead = renamed = 0
    with contextlib.closing(sqlite3.connect(copy)) as database:
        try:
            checked = [str(row[0]) for row in database.execute("PRAGMA integrity_check")]
            rows = {row[0]: row[1:] for row in database.execute("SELECT id, offset, state FROM upload")}
        except sqlite3.DatabaseError as error:
            return Look(str(error), [sent.upload for sent in files if sent.confirmed], 0, 0)
    for sent in files:
        offset, state = rows.get(sent.upload, (0, "unknown"))
        with contextlib.ExitStack() as stack:
            there = b""
            with contextlib.suppress(FileNotFoundError):
                blob = stack.enter_context(blobs.open(sent.upload))
                there = blob.read(0, len(sent.data) + 1)
        if sent.confirmed > offset:
            missing.append(f"{sent.confirmed} bytes of {sent.upload} were told, {offset} count ({state})")
        if hashlib.sha256(there[:offset]).digest() != hashlib.sha256(sent.data[:offset]).digest():
            missing.append(f"{offset} bytes of {sent.upload} count, and are not there as they were sent")
        ahead += len(there) > offset
        renamed += state in {"open", "verifying"} and blobs.path(sent.upload) is not None
    return Look("" if checked == ["ok"] else "; ".join(checked), missing, ahead, renamed)


@contextlib.asynccontextmanager
async def _writing(one: Installation, seed: int) -> AsyncIterator[Sequence[Writer]]:
    """People who send files all the while; in the end each has arrived."""
    async with contextlib.AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(Person(one.base, f"writer-{seed}-{place}")) for place in range(WRITERS)
        ]
        for person in people:
            await person.register()
        for person in people[::2]:
            await person.befriend(_other(people, person))
        writers = [Writer(one, person, _other(people, person).id, seed + place) for place, person in enumerate(people)]
        for writer in writers:
            writer.start()
        try:
            await eventually(lambda: all(writer.done for writer in writers), 30.0)
            yield writers
        finally:
            for writer in writers:
                writer.stop()
            await eventually(lambda: not any(writer.is_alive() for writer in writers), FILE_WITHIN)


def _other(people: Sequence[Person], person: Person) -> Person:
    return people[people.index(person) ^ 1]
