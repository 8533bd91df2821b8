"""What aiormq leaves to its users: telling a lost connection from everything else, and ending one for good."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiormq.connection import TCPTransportFactory, TLSTransportFactory
from aiormq.exceptions import AMQPError

from actors.runtime.amqp.receiving import Tap
from actors.runtime.broker import Unreachable


@asynccontextmanager
async def as_unreachable() -> AsyncIterator[None]:
    """Turn every way in which aiormq reports a lost connection into Unreachable, and keep cancellation what it is.

    When a heartbeat expires it cancels the waiting future, so CancelledError surfaces in a task that nobody
    cancelled; taken for a shutdown it would silently end that task. The other way round, whoever is cancelled just
    when the connection ends may get another error or a result instead (wait_for does that too, before Python 3.12);
    taken for a lost connection it would never end.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        if _being_cancelled():
            raise
        raise Unreachable("the connection was lost") from error
    except Exception as error:
        if _being_cancelled():
            raise asyncio.CancelledError from error
        if not _means_lost(error):
            raise
        raise Unreachable(f"{type(error).__name__}: {error}") from error
    if _being_cancelled():
        raise asyncio.CancelledError


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _means_lost(error: Exception) -> bool:
    # A RuntimeError is a call on what was closed meanwhile; it or a StopAsyncIteration, an end of stream in the middle
    # of the handshake. A bare Exception is what waiting calls get when the last frame and the end of the stream were
    # read at once.
    if isinstance(error, AMQPError | OSError | TimeoutError | EOFError | RuntimeError | StopAsyncIteration):
        return True
    return type(error) is Exception


class Transport(TCPTransportFactory):
    """Keeps the transport, so that a connection whose peer does not answer can be ended for good; and taps it.

    `tap` and `writer` are there once the connection is.
    """

    tap: Tap
    writer: asyncio.StreamWriter

    def __init__(self, scheme: str) -> None:
        self._factory = TLSTransportFactory() if scheme == "amqps" else TCPTransportFactory()

    async def create(self, url: Any, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self.writer = await self._factory.create(url, **options)
        tap = self.tap = Tap(reader.feed_data, asyncio.get_running_loop().time)
        end = reader.feed_eof

        def feed_eof() -> None:
            tap.end()
            end()

        # A reader is what its protocol hands bytes to, and there is no other place between the two. Nothing has come
        # yet: the broker speaks second.
        reader.feed_data, reader.feed_eof = tap.feed, feed_eof  # type: ignore[method-assign, assignment]
        return reader, self.writer

    def abort(self) -> None:
        if hasattr(self, "writer"):
            self.writer.transport.abort()
