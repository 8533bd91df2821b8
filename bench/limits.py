"""What the machine can do at best, measured in the same run: each figure of ours stands beside one of these."""

import asyncio
import contextlib
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiormq
import msgspec
from aiohttp import web
from pamqp.commands import Basic

from bench.bare import HOP, PERSISTENT, TRANSIENT, Arguments
from bench.chat import Place, many_pairs
from bench.figures import milliseconds
from bench.fleet import Fleet, end
from bench.orders import Guest
from bench.processes import GENERATOR
from bench.wire import connected
from drill.installation import ROOT, free_port
from protocols.frames import SUBPROTOCOL
from storage import Database, Schema, Unit
from supervision import proc

READY_WITHIN = 30.0
HOPS_WITHIN = 120.0


async def bare_socket(messages: int) -> dict[str, Any]:
    """Round trips of a chat message's size over one WebSocket to an aiohttp handler that only sends it back."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), compress=False)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/ws", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1).start()
    text = json.dumps({"type": "send", "id": "1", "client_id": "1", "to": "0" * 32, "body": "x" * 40}).encode()
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    times: list[float] = []
    began = 0.0

    def heard(_text: bytes | bytearray, _at: float) -> None:
        nonlocal began
        now = time.perf_counter()
        times.append(now - began)
        if len(times) < messages:
            began = now
            wire.send(text)
        elif not done.done():
            done.set_result(None)

    try:
        wire = await connected(port, "", heard)
        began = time.perf_counter()
        wire.send(text)
        wire.flush()
        async with asyncio.timeout(HOPS_WITHIN):
            await done
        wire.abort()
    finally:
        await runner.cleanup()
    return milliseconds(times)


async def bare_commit(folder: Path, messages: int) -> dict[str, Any]:
    """Transactions of one small write, synced to disk, through our own database."""
    database = await Database.open(Schema("bare", Unit, folder), folder)
    times: list[float] = []
    try:
        async with asyncio.timeout(300):
            for _ in range(messages):
                began = time.perf_counter()
                await database.run(lambda tx: tx.journal.next_change())
                times.append(time.perf_counter() - began)
    finally:
        await database.close()
    return milliseconds(times)


async def bare_hop(url: str, messages: int, *, durable: bool = True) -> dict[str, Any]:
    """Mail, published one after the other's confirm to a classic queue, until another process has it.

    Not durable: as pushes are. Nothing goes to disk then.
    """
    async with _program("hop", Arguments(url=url, count=messages)) as program:
        connection = aiormq.Connection(url)
        await connection.connect()
        try:
            channel = await connection.channel()
            async with asyncio.timeout(HOPS_WITHIN):
                for _ in range(messages):
                    body = repr(time.perf_counter()).encode().ljust(300)
                    properties = Basic.Properties(delivery_mode=PERSISTENT if durable else TRANSIENT)
                    await channel.basic_publish(body, routing_key=HOP, properties=properties, mandatory=True)
                times = json.loads(await _line(program))
        finally:
            await connection.close()
    return milliseconds(times)


async def generator_alone(fleet: Fleet, pairs: int, outstanding: int, seconds: float) -> dict[str, Any]:
    """The load generator against one process that answers and forwards, without broker or disk."""
    port = free_port()
    async with _program("echo", Arguments(port=port)) as program:
        place = Place(port, _members(fleet, echo=[program.pid]))
        return await many_pairs(fleet, place, strangers(pairs), outstanding, seconds)


@contextlib.asynccontextmanager
async def bare_loop(fleet: Fleet, url: str, folder: Path, broker: int, fronts: int) -> AsyncIterator[Place]:
    """Where pairs chat over the same hops and commits as ours, and nothing else. `broker`: the pid of the node."""
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        file = folder / f"bare-{port}.db"
        store = await stack.enter_async_context(_program("store", Arguments(url=url, file=str(file))))
        others = [
            await stack.enter_async_context(_program("front", Arguments(port=port, url=url, name=f"front.{number}")))
            for number in range(1, fronts + 1)
        ]
        pids = {f"front.{number}": [one.pid] for number, one in enumerate(others, 1)}
        yield Place(port, _members(fleet, broker=proc.session_members(broker), store=[store.pid], **pids))


@contextlib.asynccontextmanager
async def bare_files(folder: Path) -> AsyncIterator[tuple[int, int]]:
    """A plain handler that writes what it is sent into that folder: (port, pid)."""
    port = free_port()
    async with _program("files", Arguments(port=port, file=str(folder))) as program:
        yield port, program.pid


def strangers(pairs: int) -> list[tuple[Guest, Guest]]:
    """People of a bare program, which takes whatever token for a name."""
    mark = f"{time.time_ns():x}"
    return [(Guest(f"{mark}a{at}", f"{mark}a{at}"), Guest(f"{mark}b{at}", f"{mark}b{at}")) for at in range(pairs)]


def _members(fleet: Fleet, **pids: list[int]) -> Any:
    async def members() -> dict[str, list[int]]:
        return {**pids, GENERATOR: fleet.pids}

    return members


@contextlib.asynccontextmanager
async def _program(role: str, arguments: Arguments) -> AsyncIterator[Process]:
    """One of bench.bare's programs, ready, and ended in any case."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare", role), cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=2**26
    )
    if process.stdin is None:
        raise RuntimeError("a program without pipes")
    try:
        # Not on the command line, which others can see: there is a password in it.
        process.stdin.write(msgspec.json.encode(arguments) + b"\n")
        async with asyncio.timeout(READY_WITHIN):
            await _line(process)
        yield process
    finally:
        await end(process)


async def _line(process: Process) -> bytes:
    if process.stdout is None:
        raise RuntimeError("a program without pipes")
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a bare program has ended")
    return line
