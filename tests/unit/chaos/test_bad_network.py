"""Each thing that a bad network does is felt by who talks through the proxy, and is over afterwards."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chaos.bad_network import apply
from tests.chaos.schedule import BAD_NETWORK, Step
from tests.support.proxy import Proxy, running_proxy
from tests.support.waiting import SCALE, eventually

LENGTH = 0.3
WITHIN = 5.0 * SCALE


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Before a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1024):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running_proxy(lambda: port) as one:
        yield one


class Talker:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def says(self, text: bytes) -> bytes:
        """What comes back; b"" when the connection is gone."""
        try:
            self.writer.write(text)
            await self.writer.drain()
            async with asyncio.timeout(WITHIN):
                return await self.reader.readexactly(len(text))
        except asyncio.IncompleteReadError as error:
            return error.partial
        except ConnectionError:
            return b""

    def hang_up(self) -> None:
        self.writer.transport.abort()


async def talker(proxy: Proxy) -> Talker:
    return Talker(*await asyncio.open_connection("127.0.0.1", proxy.port))


def step(verb: str, amount: float = 0.0, way: str = "both") -> Step:
    return Step(0.0, verb, "doors", length=LENGTH, way=way, amount=amount, seed=1)  # type: ignore[arg-type]  # a literal


@pytest.mark.parametrize("verb", BAD_NETWORK)
async def test_afterwards_the_network_is_good_again(proxy: Proxy, verb: str) -> None:
    one = await talker(proxy)
    assert await one.says(b"hello") == b"hello"
    assert "doors" in await apply(step(verb, 3), proxy)
    one.hang_up()
    again = await talker(proxy)
    assert await again.says(b"hello again") == b"hello again"
    again.hang_up()
    await eventually(lambda: not proxy.links)


@pytest.mark.parametrize("verb", ["cut", "refuse", "lose"])
async def test_connections_end(proxy: Proxy, verb: str) -> None:
    one = await talker(proxy)
    assert await one.says(b"hello") == b"hello"
    await apply(step(verb), proxy)
    assert await one.says(b"hello") == b""
    one.hang_up()


async def test_a_connection_is_trimmed_in_the_middle_of_what_is_said(proxy: Proxy) -> None:
    one = await talker(proxy)
    assert await one.says(b"hello") == b"hello"
    trimming = asyncio.create_task(apply(step("trim", 3, "down"), proxy))
    await eventually(lambda: proxy.faults["down"].left == 3)
    assert await one.says(b"hello") == b"hel"
    await trimming
    one.hang_up()


@pytest.mark.parametrize(("verb", "amount"), [("stall", 0.0), ("delay", LENGTH)])
async def test_what_is_held_up_comes_in_the_end(proxy: Proxy, verb: str, amount: float) -> None:
    one = await talker(proxy)
    assert await one.says(b"hello") == b"hello"
    trouble = asyncio.create_task(apply(step(verb, amount, "down"), proxy))
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    assert await one.says(b"hello") == b"hello"
    assert asyncio.get_running_loop().time() - began >= 0.9 * LENGTH
    await trouble
    one.hang_up()


async def test_nobody_hears_of_what_is_lost_until_the_end(proxy: Proxy) -> None:
    one = await talker(proxy)
    assert await one.says(b"hello") == b"hello"
    losing = asyncio.create_task(apply(step("lose"), proxy))
    await eventually(lambda: proxy.links[0].lost)
    answer = asyncio.create_task(one.says(b"hello"))
    assert await losing
    # It was given up, and nothing of it had come through.
    assert await answer == b""
    one.hang_up()


async def test_nobody_gets_in_while_connections_are_refused(proxy: Proxy) -> None:
    refusing = asyncio.create_task(apply(step("refuse"), proxy))
    await eventually(lambda: proxy.refusing)
    stranger = await talker(proxy)
    assert await stranger.says(b"hello") == b""
    await refusing
    stranger.hang_up()


async def test_nothing_else_is_done_by_a_network(proxy: Proxy) -> None:
    with pytest.raises(ValueError, match="kill"):
        await apply(step("kill"), proxy)
