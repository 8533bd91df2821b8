"""What the machine can do at best: a WebSocket that echoes, and a database that commits. Measured in the same run."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from aiohttp import web
from websockets.asyncio.client import connect

from bench.figures import milliseconds
from drill.installation import free_port
from storage import Database, Schema, Unit


async def bare_socket(messages: int) -> dict[str, Any]:
    """Round trips of a chat message's size over one WebSocket to a handler that only sends it back."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    times: list[float] = []
    text = json.dumps({"type": "send", "id": "1", "client_id": "1", "to": "0" * 32, "body": "x" * 40})
    try:
        async with connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as client:
            for _ in range(messages):
                began = time.perf_counter()
                await client.send(text)
                await client.recv()
                times.append(time.perf_counter() - began)
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
