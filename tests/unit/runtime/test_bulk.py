"""Questions over connections of their own: made when the first one comes, and never before."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import msgpack

from actors.runtime import Environment
from actors.runtime.broker import Outgoing, Subscriptions
from actors.runtime.bulk import Bulk
from protocols.errors import Refusal
from protocols.files import Appended, CommitPieces, LeaveUpload
from protocols.mail import Outcome, Replies, decode_envelope, encoder
from settings import Paths
from tests.support.memory_mail import MemoryBroker
from tests.support.node import installation

COMMIT = CommitPieces(upload="u", generation=1, offset=5)


class Answering(MemoryBroker):
    """Answers each question as soon as it has taken it."""

    async def run(self) -> None:
        self.connect()
        await asyncio.Event().wait()

    async def publish(self, mail: Outgoing) -> None:
        await super().publish(mail)
        envelope = decode_envelope(mail.body)
        outcomes = [
            Outcome(correlation=item.correlation, value=msgpack.encode(Appended(offset=5, state="open")))
            for item in envelope.items
            if item.correlation
        ]
        assert self.subscriptions.on_reply is not None
        self.subscriptions.on_reply(encoder.encode(Replies(outcomes)))


@contextlib.asynccontextmanager
async def bulk(folder: Path, made: list[Answering]) -> AsyncIterator[Bulk]:
    def connect(subscriptions: Subscriptions) -> Answering:
        broker = Answering()
        broker.subscriptions = subscriptions
        made.append(broker)
        return broker

    settings = installation(folder)
    one = Bulk(Environment(settings, Paths.of(settings)), "front.1", connect)
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_it_connects_once_and_when_it_is_needed(tmp_path: Path) -> None:
    made: list[Answering] = []
    async with bulk(tmp_path, made) as one:
        one.signal("file_chunker", LeaveUpload(upload="u", generation=1), within=1)
        await asyncio.sleep(0)
        assert made == []
        for _ in range(2):
            assert (await one.ask("file_chunker", COMMIT, within=5, person="ann")).offset == 5
        assert len(made) == 1
        assert [mail.durable for mail in made[0].taken] == [False, False]


async def test_who_cannot_connect_does_not_wait_for_ever(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    one = Bulk(Environment(settings, Paths.of(settings)), "front.1", lambda _: Answering())
    with pytest.raises(Refusal) as refused:
        await one.ask("file_chunker", COMMIT, within=0.01)
    assert refused.value.code == "unavailable"
