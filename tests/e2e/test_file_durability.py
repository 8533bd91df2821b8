"""Bytes of a file are on the disk before they count, and count before that is told: seen in the system calls."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from drill.installation import Installation
from drill.person import Person
from drill.transfer import Transfer
from tests.support.syscalls import PLACED_WRITES, READS, SYNCS, Call, first, parse, traced

pytestmark = pytest.mark.e2e

PIECES = 6
PART = ".part"
WAL = "/file_chunker.db-wal"
OPENED = "open_upload"
"""What the next request begins with, at file_chunker: its client has been told of the last one's bytes."""


def told_too_early(calls: Sequence[Call], marks: Sequence[str]) -> list[str]:
    """Marks that were not written, synced, counted in a log, and that synced, one after the other, before the next."""
    return [mark for mark in marks if not _in_order(calls, mark)]


def _in_order(calls: Sequence[Call], mark: str) -> bool:
    written = first(calls, PLACED_WRITES, PART, mark)
    synced = written and first(calls, SYNCS, PART, after=written.ended)
    counted = synced and first(calls, PLACED_WRITES, WAL, after=synced.ended)
    kept = counted and first(calls, SYNCS, WAL, after=counted.ended)
    told = written and first(calls, READS, "TCP", OPENED, after=written.ended)
    return kept is not None and told is not None and kept.ended < told.begun


async def test_no_byte_counts_before_it_is_synced_and_none_is_told_before_it_counts(
    installation: Installation, tmp_path: Path
) -> None:
    record = tmp_path / "trace"
    owner = await installation.running("file_chunker")
    marks = [f"mark-{number:03}-" for number in range(PIECES)]

    def send(bearer: dict[str, str], recipient: str) -> None:
        with Transfer(installation.port, bearer) as transfer:
            upload = transfer.create("marks.txt", sum(map(len, marks)), recipient)
            offset = 0
            for mark in marks:
                offset = transfer.append(upload, offset, mark.encode())

    async with Person(installation.base, "marks-ann") as ann, Person(installation.base, "marks-bob") as bob:
        await ann.register()
        await bob.register()
        await ann.befriend(bob)
        async with traced(owner, record):
            await asyncio.to_thread(send, ann.bearer, bob.id)
    # Nothing comes after the last one by which it could be judged.
    assert told_too_early(parse(record.read_text(errors="replace").splitlines()), marks[:-1]) == []


TRACE = r"""
7 10:00:00.000001 read(18<TCP:[127.0.0.1:3->127.0.0.1:4]>, "append\1mark-1-", 256000) = 14
8 10:00:00.000002 pwritev(15</data/blobs/uploading/u.part>, [{iov_base="mark-1-", iov_len=7}], 1, 0) = 7
8 10:00:00.000003 fdatasync(15</data/blobs/uploading/u.part>) = 0
9 10:00:00.000004 pwrite64(16</data/db/file_chunker.db-wal>, "\0\0", 4096, 74192) = 4096
9 10:00:00.000005 fdatasync(16</data/db/file_chunker.db-wal>) = 0
7 10:00:00.000006 read(18<TCP:[127.0.0.1:3->127.0.0.1:4]>, "open_upload\1", 256000) = 12
""".strip().splitlines()


def test_what_is_told_too_early_is_found() -> None:
    marks = ["mark-1-"]
    assert told_too_early(parse(TRACE), marks) == []
    arrived, written, synced, counted, kept, told = TRACE
    # Counted before it was synced; told before the log was; nothing synced at all; a sync that failed.
    assert told_too_early(parse([arrived, written, counted, kept, synced, told]), marks) == marks
    assert told_too_early(parse([arrived, written, synced, counted, told, kept]), marks) == marks
    assert told_too_early(parse([arrived, written, counted, kept, told]), marks) == marks
    failed = synced.replace("= 0", "= -1 EIO (error)")
    assert told_too_early(parse([arrived, written, failed, counted, kept, told]), marks) == marks
    assert told_too_early(parse(TRACE), ["mark-2-"]) == ["mark-2-"]
