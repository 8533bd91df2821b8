"""A tick stands for a disk: seen in the system calls of a real router."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from drill.installation import Installation
from drill.person import Person
from tests.support.syscalls import PLACED_WRITE, READS, SYNCS, WRITES, Call, first, parse, traced
from tests.support.waiting import SCALE

pytestmark = pytest.mark.e2e

ROUNDS = 5
AT_ONCE = 20
WAL = "/router.db-wal"


def unsynced(calls: Sequence[Call], marks: Sequence[str]) -> list[str]:
    """Marks whose tick was not sent after a sync of the write-ahead log that began after they were in it.

    A mark is the text of a message: first it is read from the broker's socket, then written into the log, then
    written to the broker's socket, in the push that carries the ticks of its batch.
    """
    missing = []
    for mark in marks:
        arrived = first(calls, READS, "TCP", mark)
        written = first(calls, (PLACED_WRITE,), WAL, mark, after=arrived.ended) if arrived else None
        told = first(calls, WRITES, "TCP", mark)
        if (
            arrived is None
            or written is None
            or told is None
            or not any(
                call.name in SYNCS
                and WAL in call.file
                and call.result == 0
                and written.ended < call.begun
                and call.ended < told.begun
                for call in calls
            )
        ):
            missing.append(mark)
    return missing


async def test_no_tick_leaves_router_before_its_message_is_synced_to_the_disk(
    installation: Installation, tmp_path: Path
) -> None:
    record = tmp_path / "trace"
    router = await installation.running("router")
    async with Person(installation.base, "durable-ann") as ann, Person(installation.base, "durable-bob") as bob:
        await ann.register()
        await bob.register()
        await ann.befriend(bob)
        chatting = asyncio.create_task(ann.run())
        try:
            async with asyncio.timeout(30 * SCALE):
                await ann.connected.wait()
                async with traced(router, record):
                    for number in range(ROUNDS):
                        for place in range(AT_ONCE):
                            ann.say(bob.id, f"mark-{number}-{place}-")
                        await ann.until(lambda: not ann.unanswered)
        finally:
            chatting.cancel()
            await asyncio.gather(chatting, return_exceptions=True)
    assert all(sent.seq for sent in ann.sent.values())
    calls = parse(record.read_text(errors="replace").splitlines())
    assert unsynced(calls, [sent.body for sent in ann.sent.values()]) == []
    assert sum(call.name in SYNCS and WAL in call.file for call in calls) >= ROUNDS


TRACE = r"""
7 10:00:00.000001 read(18<TCP:[127.0.0.1:3->127.0.0.1:4]>, "\1mark-1-\2mark-2-", 256000) = 17
8 10:00:00.000002 pwrite64(15</data/db/router.db-wal>, "\0mark-1-mark-2-", 4096, 74192) = 4096
8 10:00:00.000003 fdatasync(15</data/db/router.db-wal> <unfinished ...>
7 10:00:00.000004 sendto(12<UNIX:[27]>, "WATCHDOG=1", 24, 0, NULL, 0) = 24
8 10:00:00.000005 <... fdatasync resumed>) = 0
7 10:00:00.000006 write(19<TCP:[127.0.0.1:5->127.0.0.1:4]>, "mark-1-mark-2-", 15) = 15
""".strip().splitlines()


def test_a_trace_is_read_and_a_tick_before_its_sync_is_found() -> None:
    calls = parse(TRACE)
    assert [call.name for call in calls] == ["read", "pwrite64", "sendto", "fdatasync", "write"]
    assert (calls[3].begun, calls[3].ended, calls[3].file) == (2, 4, "/data/db/router.db-wal")
    assert unsynced(calls, ["mark-1-", "mark-2-"]) == []
    # Told while the sync was under way.
    early = [*TRACE[:4], TRACE[5], TRACE[4]]
    assert unsynced(parse(early), ["mark-1-"]) == ["mark-1-"]
    # Synced before it was written, not synced at all, failed, or another file's sync.
    assert unsynced(parse([TRACE[0], TRACE[2], TRACE[4], TRACE[1], TRACE[5]]), ["mark-1-"]) == ["mark-1-"]
    assert unsynced(parse([*TRACE[:2], TRACE[5]]), ["mark-1-"]) == ["mark-1-"]
    assert unsynced(parse([*TRACE[:4], TRACE[4].replace("= 0", "= -1 EIO (error)"), TRACE[5]]), ["mark-1-"])
    assert unsynced(
        parse([line.replace("fdatasync(15</data/db/router", "fdatasync(9</data/db/auth") for line in TRACE]),
        ["mark-1-"],
    )
    # A message of which the trace knows nothing proves nothing.
    assert unsynced(calls, ["mark-3-"]) == ["mark-3-"]
