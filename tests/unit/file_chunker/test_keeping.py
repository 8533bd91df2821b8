"""What file_chunker does when the disk fails it or it ended too early, and with what nobody wants any more."""

import errno
from pathlib import Path

import pytest

from actors.file_chunker.finishing import STEP
from actors.router import Router
from protocols.files import SweepFiles
from protocols.router import SendMessage
from storage import Database
from storage.router import ROUTER
from tests.support.chat import House, stored
from tests.support.filing import Desk, Sender, code, ended, open_desk, sent
from tests.support.people import ANN, BOB
from tests.support.waiting import eventually

DAY_MS = 86_400_000


async def test_a_full_disk_is_said_and_recovers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = Sender(desk, b"abcdef")
    await ann.create()
    await ann.open()
    await ann.append(0, 2)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.actor.blobs, "write", full)
        assert await code(ann.append(2, 4)) == "storage_full"
    assert (await ann.append(2, 4)).offset == 4
    await ann.append(4, 6)
    assert await ended(desk, ann.id) == "ready"


async def test_a_piece_that_is_on_disk_is_not_counted_after_it_was_cut_off(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = Sender(desk, b"abcdef")
    await ann.create()
    await ann.open()
    # Written, and on its way to the ledger.
    written = await desk.actor.writing.write(ann.id, (ANN, ann.generation), 0, b"abcd")

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(desk.actor.blobs, "write", broken)
        assert await code(ann.append(4, 6)) == "unavailable"
    # The ledger counts nothing yet, so the file is cut back to that.
    await ann.append(0, 1)
    assert not desk.actor.writing.stands(ann.id, written)


async def test_room_is_kept_free(tmp_path: Path) -> None:
    async with open_desk(tmp_path, keep_free_mib=1_048_576) as desk:
        assert await code(Sender(desk, b"x").create()) == "storage_full"


async def test_after_a_restart_the_digest_is_taken_anew_and_what_was_behind_the_offset_is_cut_off(
    tmp_path: Path,
) -> None:
    content = bytes(range(256)) * (2 * STEP // 256) + b"end"
    async with open_desk(tmp_path) as desk:
        ann = Sender(desk, content)
        await ann.create()
        await ann.open()
        await ann.send(0, STEP)
        desk.actor.blobs.write(ann.id, STEP, [b"never counted"])
    async with open_desk(tmp_path) as desk:
        again = Sender(desk, content, upload=ann.id)
        await again.open(STEP)
        await again.send(STEP, len(content))
        assert await ended(desk, ann.id) == "ready"
        assert (await desk.row(ann.id)).sha256 == ann.sha256


@pytest.mark.parametrize("renamed", [False, True])
async def test_a_crash_at_the_rename_is_mended_at_the_start(tmp_path: Path, *, renamed: bool) -> None:
    async with open_desk(tmp_path) as desk:
        ann = await sent(desk, b"abc", promised=True)
        await desk.bend(ann.id, declared=ann.sha256)
        if renamed:
            desk.actor.blobs.finish(ann.id)
    async with open_desk(tmp_path) as desk:
        assert await ended(desk, ann.id) == "ready"
        assert desk.actor.blobs.path(ann.id) is not None


async def test_lost_bytes_fail_the_upload(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        one, two = Sender(desk, b"abcdef"), await sent(desk, b"abc", promised=True)
        await one.create()
        await one.open()
        await one.append(0, 4)
        for sender in (one, two):
            desk.actor.blobs.cut(sender.id, 1)
    async with open_desk(tmp_path) as desk:
        again = Sender(desk, b"abcdef", upload=one.id)
        await again.open(4)
        assert await code(again.append(4, 6)) == "gone"
        assert (await ended(desk, two.id), await ended(desk, one.id)) == ("failed", "failed")
        assert (await desk.row(one.id)).reason == "damaged"


async def sweep(desk: Desk) -> tuple[int, int, int]:
    swept = await desk.ask("file_chunker", SweepFiles(), within=20)
    return swept.expired, swept.unreferenced, swept.strays


async def test_what_nobody_wants_goes_when_its_time_is_over(desk: Desk) -> None:
    await (await Database.open(ROUTER, desk.actor.environment.paths.databases)).close()
    open_, ready = Sender(desk, b"abc"), await sent(desk, b"abc")
    await open_.create()
    assert await ended(desk, ready.id) == "ready"
    assert await sweep(desk) == (0, 0, 0)
    desk.now += 2 * DAY_MS
    assert await sweep(desk) == (1, 1, 0)
    assert {(await desk.row(one.id)).state for one in (open_, ready)} == {"expired"}
    await eventually(lambda: not list(desk.actor.blobs.stored()), within=10)
    assert await code(open_.open()) == "gone"
    assert [frame.state for frame in desk.frames][-2:] == ["expired", "expired"]
    # For a while it is known that they were there.
    desk.now += 40 * DAY_MS
    await sweep(desk)
    assert await desk.database.read(lambda tx: tx.uploads.states([open_.id, ready.id])) == []


async def test_with_the_messages_unreadable_nothing_that_is_ready_goes(desk: Desk) -> None:
    ready = await sent(desk, b"abc")
    assert await ended(desk, ready.id) == "ready"
    desk.now += 2 * DAY_MS
    assert await sweep(desk) == (0, 0, 0)
    assert (await desk.row(ready.id)).state == "ready"
    assert (await desk.row(ready.id)).expires > desk.now


async def test_files_that_no_row_knows_go_after_a_day(desk: Desk) -> None:
    await (await Database.open(ROUTER, desk.actor.environment.paths.databases)).close()
    kept = Sender(desk, b"abc")
    await kept.create()
    await kept.open()
    await kept.append(0, 1)
    desk.actor.blobs.cut("nobody-knows-this-one", 0)
    first = max(one.modified for one in desk.actor.blobs.stored())
    desk.now = first + DAY_MS - 1_000
    await desk.bend(kept.id, expires=desk.now + 10 * DAY_MS)
    assert await sweep(desk) == (0, 0, 0)
    desk.now = first + DAY_MS + 1_000
    assert await sweep(desk) == (0, 0, 1)
    assert [one.id for one in desk.actor.blobs.stored()] == [kept.id]


async def test_what_was_sent_stays_when_its_row_is_lost(desk: Desk) -> None:
    paths = desk.actor.environment.paths
    lost, unsent = await sent(desk, b"abc"), await sent(desk, b"def")
    assert {await ended(desk, one.id) for one in (lost, unsent)} == {"ready"}
    house = House(Router(desk.actor.environment), await Database.open(ROUTER, paths.databases), paths.databases)
    stored(await house.do(ANN, SendMessage(to=BOB, body="", file=lost.id)))
    await house.close()
    await desk.database.run(lambda tx: tx.uploads.forget([lost.id, unsent.id]))
    desk.now = max(one.modified for one in desk.actor.blobs.stored()) + DAY_MS + 1_000
    log = paths.database(ROUTER.name)
    away = log.rename(log.with_suffix(".away"))
    assert await sweep(desk) == (0, 0, 0)
    away.rename(log)
    assert await sweep(desk) == (0, 0, 1)
    assert [one.id for one in desk.actor.blobs.stored()] == [lost.id]
