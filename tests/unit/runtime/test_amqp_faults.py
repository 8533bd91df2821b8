"""A lost connection is told from a cancellation, from a fault of ours, and from each other."""

import asyncio
from collections.abc import Callable

import aiormq
import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelInvalidStateError

from actors.runtime.amqp.faults import as_unreachable
from actors.runtime.broker import Busy, Unreachable


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


async def test_a_peer_that_hangs_up_during_the_handshake_is_unreachable_however_the_library_says_so() -> None:
    """In whichever moment of the handshake the stream ends, and whether by an end or a reset."""
    hang_up: list[Callable[[asyncio.StreamWriter], None]] = [
        lambda peer: peer.close(),
        lambda peer: peer.transport.abort(),
    ]
    for end in hang_up:
        for heard in (0, 8):

            async def accept(reader: asyncio.StreamReader, peer: asyncio.StreamWriter) -> None:
                await reader.readexactly(heard)  # noqa: B023  (the server is gone before the loop goes on)
                end(peer)  # noqa: B023

            server = await asyncio.start_server(accept, "127.0.0.1", 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                with pytest.raises(Unreachable):
                    async with as_unreachable(), asyncio.timeout(5):
                        await aiormq.Connection(f"amqp://guest:guest@127.0.0.1:{port}/").connect()


async def test_a_deadline_around_it_stays_a_deadline() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), as_unreachable():
            await asyncio.Event().wait()
    # And one inside it is the library's own.
    with pytest.raises(Unreachable):
        async with as_unreachable(), asyncio.timeout(0.01):
            await asyncio.Event().wait()
