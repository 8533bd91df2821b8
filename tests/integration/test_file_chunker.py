"""file_chunker as a process, at a real RabbitMQ: what it says to be there is there, whatever is killed."""

import asyncio
import os
from pathlib import Path

import pytest
from msgspec import json

from actors.runtime import Environment
from protocols.files import PIECE_BYTES, Appended, UploadState
from protocols.frames import FileFrame
from settings import Paths, Settings
from storage import Reader
from storage.blobs import DirectoryBlobs
from storage.files import FILES
from tests.support.filing import Sender, make_contacts
from tests.support.mailing import Recorder, ground, running_owner
from tests.support.people import ANN, BOB
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MODULE = "tests.support.file_chunker"


@pytest.fixture
async def environment(tmp_path: Path, broker_node: tuple[Settings, Paths]) -> Environment:
    environment = ground(tmp_path, broker_node, files={"keep_free_mib": 0, "rate_mib": 0})
    await make_contacts(environment.paths.databases)
    return environment


async def ledger(environment: Environment, upload: str) -> UploadState:
    reader = Reader(FILES, environment.paths.databases)
    try:
        row = await reader.read(lambda tx: tx.uploads.get(upload))
    finally:
        await reader.close()
    assert row is not None
    return row


async def ended(environment: Environment, upload: str) -> UploadState:
    async def over() -> bool:
        return (await ledger(environment, upload)).state not in {"open", "verifying"}

    await eventually(over, within=20)
    return await ledger(environment, upload)


def stored(environment: Environment, upload: str) -> bytes:
    with DirectoryBlobs(environment.paths.blobs).open(upload) as reader:
        return reader.read(0, reader.size())


async def test_a_file_comes_whole_and_both_are_told(environment: Environment, front: Recorder) -> None:
    content = os.urandom(5 * PIECE_BYTES + 77)
    async with running_owner(environment, MODULE):
        ann = Sender(front.post, content)
        assert (await ann.create(promised=True)).state == "open"
        opened = await ann.open()
        assert (opened.offset, opened.size) == (0, len(content))
        assert (await ann.send(0, len(content))).state == "verifying"
        await ann.declare()
        row = await ended(environment, ann.id)
    assert (row.state, row.sha256, row.verified, row.active) == ("ready", ann.sha256, True, False)
    assert stored(environment, ann.id) == content
    frames = [json.decode(push.frame, type=FileFrame) for push in front.pushes]
    assert all(push.to == [ANN, BOB] for push in front.pushes)
    assert [frame.state for frame in frames][-1] == "ready"
    assert frames[0].active


async def test_killed_again_and_again_it_goes_on_where_it_was(environment: Environment, front: Recorder) -> None:
    content = os.urandom(12 * PIECE_BYTES)
    ann = Sender(front.post, content)
    told = 0
    async with running_owner(environment, MODULE) as owner:
        await ann.create()
        for _ in range(4):
            await ann.open((await ledger(environment, ann.id)).offset)
            told = max(told, (await ann.append(told, told + PIECE_BYTES)).offset)
            # More on their way, each somewhere else, when it ends.
            starts = range(told, told + 2 * PIECE_BYTES, PIECE_BYTES)
            late = [asyncio.create_task(ann.append(start, start + PIECE_BYTES, within=0.5)) for start in starts]
            await asyncio.sleep(0)
            await owner.kill()
            outcomes = await asyncio.gather(*late, return_exceptions=True)
            assert all(isinstance(one, Appended) or getattr(one, "code", "") == "unavailable" for one in outcomes)
            row = await ledger(environment, ann.id)
            assert told <= row.offset
            assert stored(environment, ann.id)[: row.offset] == content[: row.offset]
            told = row.offset
            await owner.start()
        await ann.open(told)
        await ann.send(told, len(content))
        row = await ended(environment, ann.id)
    assert (row.state, row.sha256) == ("ready", ann.sha256)
    assert stored(environment, ann.id) == content
