"""A WebSocket without tasks: the core of the websockets library, driven by what the event loop hands it."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from protocols.frames import SUBPROTOCOL

Heard = Callable[[bytes | bytearray, float], None]
"""Takes the text of a frame, and when it came (seconds of perf_counter)."""


class WireError(Exception):
    """The other side refused the socket or ended it."""


class Wire(asyncio.Protocol):
    """One socket. `heard` is called for each text frame; what it sends goes out together when it has returned.

    `opened` resolves when the socket can be used, `closed` when it is gone, with the reason.
    """

    def __init__(self, protocol: Protocol, heard: Heard, greeted: Callable[[str], None] | None = None) -> None:
        self._protocol = protocol
        self._heard = heard
        self._on_greeted = greeted
        self._flushing = False
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[str] = loop.create_future()

    def send(self, text: bytes) -> None:
        """Queue a text frame; `flush` lets it out."""
        self._protocol.send_text(text)

    def flush(self) -> None:
        parts = self._protocol.data_to_send()
        if parts and self._transport is not None:
            # An empty part stands for the end of the stream.
            self._transport.write(b"".join(parts))
            if not parts[-1]:
                self._transport.close()

    def flush_soon(self) -> None:
        """Flush once everything is done that is at hand: what several others write goes out together."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = False
        self.flush()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self.flush()

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if type(event) is Frame:
                if event.opcode is Opcode.TEXT:
                    self._heard(event.data, at)  # type: ignore[arg-type]  # never a memoryview: it comes from a buffer
            else:
                self._greeted(event)
        self.flush()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        protocol = self._protocol
        reason = str(protocol.handshake_exc or exc or f"{protocol.close_code} {protocol.close_reason}")
        if not self.opened.done():
            self.opened.set_exception(WireError(reason))
        self.closed.set_result(reason)

    def _greeted(self, event: object) -> None:
        protocol = self._protocol
        if isinstance(protocol, ServerProtocol) and isinstance(event, Request):
            protocol.send_response(protocol.accept(event))
            if self._on_greeted is not None:
                self._on_greeted(event.headers.get("Authorization", "").removeprefix("Bearer "))
        if protocol.handshake_exc is None:
            if not self.opened.done():
                self.opened.set_result(None)
        else:
            self.abort()


def server(heard: Heard, greeted: Callable[[str], None]) -> Wire:
    """The serving end. `greeted` is told the Bearer token of whoever opened it."""
    return Wire(ServerProtocol(subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None), heard, greeted)


async def connected(port: int, token: str, heard: Heard) -> Wire:
    """The client's end, open. Raises WireError or OSError."""
    protocol = ClientProtocol(
        parse_uri(f"ws://127.0.0.1:{port}/ws"), subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None
    )
    request = protocol.connect()
    request.headers["Authorization"] = f"Bearer {token}"
    protocol.send_request(request)
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(lambda: Wire(protocol, heard), "127.0.0.1", port)
    await wire.opened
    return wire
