"""A TCP proxy that misbehaves on purpose: between two ends it cuts, stalls, delays, loses, and adds bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Literal

Way = Literal["up", "down"]
"""From the client to the server, or back."""

WAYS: tuple[Way, ...] = ("up", "down")
CHUNK = 64 * 1024


class Fault:
    """What is done to one way of every connection. Changed at any time; it holds for what comes from then on.

    `stalled`: nothing gets through, and nothing is lost. `delay`: seconds that each chunk is held up. `left`: how many
    more bytes get through before the connection is cut, counted over all connections; None for no end.
    """

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.delay = 0.0
        self.left: int | None = None
        self.passed = 0

    def stall(self) -> None:
        self.open.clear()

    def resume(self) -> None:
        self.open.set()


class Link:
    """One connection through the proxy. `lost`: what comes is thrown away, and neither end hears of the other's end."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.lost = False

    def cut(self) -> None:
        """Reset both ends, as a crash of the host between would."""
        self.client.transport.abort()
        self.server.transport.abort()

    def lose(self) -> None:
        """Drop everything from now on, as a cable that was pulled. Nothing is told but by `cut` in the end."""
        self.lost = True

    def inject(self, data: bytes) -> None:
        """Let the client believe that the server said this."""
        self.client.write(data)


class Proxy:
    """Listens on `port` of this machine and passes everything on to `target()`, a port of this machine too."""

    def __init__(self, target: Callable[[], int]) -> None:
        self.port = 0
        self.faults: dict[Way, Fault] = {"up": Fault(), "down": Fault()}
        self.refusing = False
        self.links: list[Link] = []
        self._target = target
        self._pumps: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """End every connection at once."""
        self.end(*self.links)

    def end(self, *links: Link) -> None:
        """Cut some connections, lost ones too."""
        for link in links:
            link.cut()
            if link in self.links:
                self.links.remove(link)

    def stall(self, *ways: Way) -> None:
        for way in ways or WAYS:
            self.faults[way].stall()

    def resume(self) -> None:
        for fault in self.faults.values():
            fault.resume()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target())
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, server_writer)
        self.links.append(link)
        up, down = self.faults["up"], self.faults["down"]
        for source, sink, fault in ((reader, server_writer, up), (server_reader, writer, down)):
            task = asyncio.create_task(self._pump(source, sink, fault, link))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, fault: Fault, link: Link) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await source.read(CHUNK):
                    await fault.open.wait()
                    if link.lost:
                        continue
                    if fault.delay:
                        await asyncio.sleep(fault.delay)
                    if fault.left is not None:
                        data, fault.left = data[: fault.left], fault.left - len(data[: fault.left])
                    fault.passed += len(data)
                    sink.write(data)
                    await sink.drain()
                    if fault.left == 0:
                        return
        finally:
            # Either end is gone: so is the other, once it has read what was passed on. Of a lost one nobody hears.
            if not link.lost:
                sink.close()
                if link in self.links:
                    self.links.remove(link)
                if sink is link.client:
                    link.server.close()

    async def close(self) -> None:
        self.cut()
        for task in self._pumps:
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


@contextlib.asynccontextmanager
async def running_proxy(target: Callable[[], int]) -> AsyncIterator[Proxy]:
    """A listening proxy, closed with all its connections in the end."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
