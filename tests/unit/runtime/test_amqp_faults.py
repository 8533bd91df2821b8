"""A lost connection is told from a cancellation, from a fault of ours, and from each other."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiormq
import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelInvalidStateError

from actors.runtime.amqp.faults import Transport, as_unreachable
from actors.runtime.broker import Busy, Unreachable
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    "make",
    [
        lambda: AMQPConnectionError("gone"),
        lambda: ChannelInvalidStateError("closed"),
        lambda: RuntimeError("coroutine raised StopAsyncIteration"),
        StopAsyncIteration,
        lambda: ConnectionResetError("reset"),
        TimeoutError,
        EOFError,
        Exception,
        asyncio.CancelledError,
    ],
)
async def test_all_that_the_library_raises_when_the_connection_is_lost_is_unreachable(
    make: Callable[[], BaseException],
) -> None:
    with pytest.raises(Unreachable) as caught:
        async with as_unreachable():
            raise make()
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("error", [TypeError("a fault of ours"), Busy("full"), KeyError("x")])
async def test_everything_else_comes_out_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        async with as_unreachable():
            raise error
    assert caught.value is error


@pytest.mark.parametrize("end", [None, AMQPConnectionError("gone"), Exception(), asyncio.CancelledError()])
async def test_a_cancellation_that_the_library_swallows_is_not_lost(end: BaseException | None) -> None:
    waiting = asyncio.Event()

    async def swallowing() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if end is not None:
                raise end from None

    async def loop() -> None:
        while True:
            try:
                async with as_unreachable():
                    await swallowing()
            except Unreachable:
                continue

    task = asyncio.create_task(loop())
    await waiting.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.cancelled()


async def test_a_peer_that_hangs_up_before_the_handshake_is_unreachable() -> None:
    """As a broker's port does while the node behind it is just starting."""

    class Late(Transport):
        async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await super().create(url, **options)
            # The end comes before the library begins to read.
            await eventually(reader.at_eof)
            return reader, writer

    async def hang_up(reader: asyncio.StreamReader, peer: asyncio.StreamWriter) -> None:
        peer.write_eof()
        await reader.read()
        peer.close()

    transport = Late("amqp")
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        url = f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(Unreachable) as caught:
            async with as_unreachable(), asyncio.timeout(5):
                await aiormq.Connection(url, transport_factory=transport).connect()
        transport.abort()
    assert isinstance(caught.value.__cause__, StopAsyncIteration)


async def test_a_deadline_around_it_stays_a_deadline() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), as_unreachable():
            await asyncio.Event().wait()
    # And one inside it is the library's own.
    with pytest.raises(Unreachable):
        async with as_unreachable(), asyncio.timeout(0.01):
            await asyncio.Event().wait()
