"""Who may ask, and how many at once; what is wrong with requests is in the end-to-end tests."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from settings import Paths
from supervision import control
from supervision.client import ControlError, ask_in_loop
from supervision.control import ControlServer, Request, socket_path
from tests.support.waiting import eventually

Server = Callable[[Callable[[Request], Awaitable[Any]]], Awaitable[Paths]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Server]:
    servers: list[ControlServer] = []
    paths = Paths(data=tmp_path, run=tmp_path)

    async def begin(handle: Callable[[Request], Awaitable[Any]]) -> Paths:
        server = ControlServer(socket_path(paths), handle)
        await server.start()
        servers.append(server)
        return paths

    yield begin
    for server in servers:
        server.close()
        await server.finish()


async def code_of(paths: Paths, request: Request) -> str:
    with pytest.raises(ControlError) as caught:
        await ask_in_loop(paths, request)
    return caught.value.code


async def test_strangers_are_refused_though_they_got_at_the_socket(
    serve: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request] = []

    async def handle(request: Request) -> None:
        asked.append(request)

    paths = await serve(handle)
    await ask_in_loop(paths, Request("status"))
    monkeypatch.setattr(control, "_peer", lambda _writer: 65_534)
    monkeypatch.setattr("os.getuid", lambda: 1000)
    assert await code_of(paths, Request("kill", "router")) == "forbidden"
    assert [request.op for request in asked] == ["status"]


async def test_a_fault_of_its_own_is_told(serve: Server) -> None:
    async def handle(_request: Request) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    paths = await serve(handle)
    assert await code_of(paths, Request("scale", "front", 3)) == "failed"


async def test_more_than_it_takes_at_once_are_told_so_and_the_others_are_served(serve: Server) -> None:
    go_on = asyncio.Event()
    under_way: list[Request] = []

    async def handle(request: Request) -> None:
        under_way.append(request)
        await go_on.wait()

    paths = await serve(handle)
    many = [asyncio.create_task(ask_in_loop(paths, Request("stop", "router"))) for _ in range(16)]
    await eventually(lambda: len(under_way) == 16)
    assert await code_of(paths, Request("status")) == "busy"
    go_on.set()
    await asyncio.gather(*many)


async def test_a_client_that_leaves_does_not_undo_what_it_asked_for(serve: Server) -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(_request: Request) -> None:
        begun.set()
        await go_on.wait()
        done.set()

    paths = await serve(handle)
    asking = asyncio.create_task(ask_in_loop(paths, Request("restart", "router")))
    await asyncio.wait_for(begun.wait(), 5)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    go_on.set()
    await asyncio.wait_for(done.wait(), 5)
