"""What our figures are held against: programs that do the same hops and commits, and nothing else.

`python -m bench.bare ROLE`, started by bench.limits, with their arguments as JSON on standard input; they end with it.

echo: a socket server that answers and forwards by itself; shows what the load generator can do.
hop: takes from a queue, and tells how long each message was on its way.
files: takes bodies and writes them to disk, and gives them back.
front, store: client -> socket process -> broker -> one commit a batch -> broker -> socket process -> client. Batches
form by themselves, as ours do. No contacts, receipts, sessions, limits, nor any care for what fails.
"""

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Final

import aiormq
import msgspec
import uvloop
from aiohttp import WSMsgType, web
from aiormq.abc import AbstractChannel, DeliveredMessage
from msgspec import Struct
from pamqp.commands import Basic

from bench.wire import Wire, server
from protocols import frames
from protocols.files import PIECE_BYTES
from protocols.values import conversation_of, rfc3339

MAILBOX: Final = "parley.bench.store"
FRONTS: Final = "parley.bench.fronts"
HOP: Final = "parley.bench.hop"
PERSISTENT: Final = 2
TRANSIENT: Final = 1
PREFETCH: Final = 256

_SEND: Final = '{"type":"send"'
_PING: Final = '{"type":"ping"'
_HELLO: Final = b'{"type":"hello"}'
_PONG: Final = b'{"type":"pong"}'

_decode_send: Final = msgspec.json.Decoder(frames.Send).decode
_encode: Final = msgspec.json.Encoder().encode


class Arguments(Struct, frozen=True):
    """`url` is the broker's, password included; `file` the store's database; `count` how many messages to wait for."""

    port: int = 0
    url: str = ""
    file: str = ""
    name: str = ""
    count: int = 0


class Told(Struct, array_like=True):
    """A send on its way to the store. `origin` names the front whose socket it came by."""

    origin: str
    id: str
    sender: str
    client_id: str
    to: str
    body: str


class Stored(Struct, array_like=True):
    """A send on its way back: the answer for its sender's socket, the frame for the other one's."""

    origin: str
    sender: str
    to: str
    ok: bytes
    frame: bytes


_decode_told: Final = msgspec.msgpack.Decoder(list[Told]).decode
_decode_stored: Final = msgspec.msgpack.Decoder(list[Stored]).decode
_pack: Final = msgspec.msgpack.Encoder().encode


class Counting:
    """Gives each message its place, and makes the two frames of it, in the shapes that ours have."""

    def __init__(self) -> None:
        self._seqs: dict[str, int] = defaultdict(int)
        self._conversations: dict[tuple[str, str], str] = {}

    def stored(self, told: Told) -> tuple[Stored, tuple[str, int, str, str, str]]:
        """(what goes back, the row)."""
        pair = told.sender, told.to
        conversation = self._conversations.get(pair) or self._conversations.setdefault(pair, conversation_of(*pair))
        seq = self._seqs[conversation] = self._seqs[conversation] + 1
        message_id, at = f"{conversation}-{seq}", rfc3339(time.time_ns() // 1_000_000)
        ok = frames.StoredOk(id=told.id, conversation=conversation, seq=seq, version=seq, message_id=message_id, at=at)
        frame = frames.Message(
            conversation=conversation,
            seq=seq,
            version=seq,
            message_id=message_id,
            client_id=told.client_id,
            sender=told.sender,
            at=at,
            body=told.body,
        )
        row = conversation, seq, told.sender, told.client_id, told.body
        return Stored(told.origin, told.sender, told.to, _encode(ok), _encode(frame)), row


def told(origin: str, sender: str, text: str | bytes | bytearray) -> Told:
    """What a client's frame says."""
    send = _decode_send(text)
    return Told(origin, send.id, sender, send.client_id, send.to, send.body)


# The one that needs nobody.


async def echo(arguments: Arguments) -> None:
    """Answer each send, and forward it to the other one's socket; one process."""
    counting = Counting()
    people: dict[str, Wire] = {}
    ping, send = _PING.encode(), _SEND.encode()

    def fresh() -> Wire:
        name = ""

        def greeted(token: str) -> None:
            nonlocal name
            name = token
            people[name] = wire
            wire.send(_HELLO)

        def heard(text: bytes | bytearray, _at: float) -> None:
            if text.startswith(send):
                stored, _ = counting.stored(told("", name, text))
                wire.send(stored.ok)
                other = people[stored.to]
                other.send(stored.frame)
                other.flush_soon()
            elif text.startswith(ping):
                wire.send(_PONG)

        wire = server(heard, greeted)
        return wire

    listening = await asyncio.get_running_loop().create_server(fresh, "127.0.0.1", arguments.port)
    await _until_told_to_end()
    listening.close()


# One hop.


async def hop(arguments: Arguments) -> None:
    """Take so many messages, whose body is the time of their publication; print the seconds each was on its way."""
    async with _channel(arguments.url) as channel:
        await channel.basic_qos(prefetch_count=PREFETCH)
        done = asyncio.Event()
        times: list[float] = []

        async def arrived(message: DeliveredMessage) -> None:
            times.append(time.perf_counter() - float(message.body))
            await channel.basic_ack(message.delivery_tag or 0, wait=False)
            if len(times) >= arguments.count:
                done.set()

        await channel.queue_declare(HOP, durable=True)
        await channel.basic_consume(HOP, arrived)
        _say("ready")
        await done.wait()
        _say(json.dumps(times))


# The loop.


class Gathering:
    """Publishes what was put in, whatever is there at once, one publish after the other."""

    def __init__(self, publish: Callable[[bytes], Any]) -> None:
        self._publish = publish
        self._some = asyncio.Event()
        self._queue: list[Any] = []

    def put(self, item: Any) -> None:
        self._queue.append(item)
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            batch, self._queue = self._queue, []
            if batch:
                await self._publish(_pack(batch))


async def front(arguments: Arguments) -> None:
    """Sockets on one side, the broker on the other."""
    people: dict[str, web.WebSocketResponse] = {}
    async with _channel(arguments.url) as outgoing, _channel(arguments.url) as incoming:

        async def publish(body: bytes) -> None:
            properties = Basic.Properties(delivery_mode=PERSISTENT)
            await outgoing.basic_publish(body, routing_key=MAILBOX, properties=properties, mandatory=True)

        async def pushed(message: DeliveredMessage) -> None:
            for stored in _decode_stored(message.body):
                if stored.origin == arguments.name and (socket := people.get(stored.sender)):
                    await socket.send_frame(stored.ok, WSMsgType.TEXT)
                if socket := people.get(stored.to):
                    await socket.send_frame(stored.frame, WSMsgType.TEXT)

        async def serve(request: web.Request) -> web.WebSocketResponse:
            user = request.headers["Authorization"].removeprefix("Bearer ")
            socket = web.WebSocketResponse(protocols=(frames.SUBPROTOCOL,), compress=False)
            await socket.prepare(request)
            people[user] = socket
            await socket.send_frame(_HELLO, WSMsgType.TEXT)
            async for message in socket:
                if message.data.startswith(_SEND):
                    gathering.put(told(arguments.name, user, message.data))
                elif message.data.startswith(_PING):
                    await socket.send_frame(_PONG, WSMsgType.TEXT)
            del people[user]
            return socket

        gathering = Gathering(publish)
        await outgoing.queue_declare(MAILBOX, durable=True)
        await incoming.exchange_declare(FRONTS, exchange_type="fanout", durable=True)
        queue = str((await incoming.queue_declare(exclusive=True)).queue)
        await incoming.queue_bind(queue, FRONTS)
        await incoming.basic_consume(queue, pushed, no_ack=True)
        app = web.Application()
        app.router.add_get("/ws", serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", arguments.port, reuse_port=True, shutdown_timeout=1).start()
        running = asyncio.create_task(gathering.run())
        await _until_told_to_end()
        running.cancel()
        await runner.cleanup()


async def store(arguments: Arguments) -> None:
    """Commit what has gathered, synced to disk, then push all of it at once."""
    counting = Counting()
    arrived: list[DeliveredMessage] = []
    some = asyncio.Event()

    async def delivered(message: DeliveredMessage) -> None:
        arrived.append(message)
        some.set()

    with ThreadPoolExecutor(1) as thread:
        loop = asyncio.get_running_loop()
        database = await loop.run_in_executor(thread, _database, Path(arguments.file))
        async with _channel(arguments.url) as outgoing, _channel(arguments.url) as incoming:
            await incoming.queue_declare(MAILBOX, durable=True)
            await incoming.exchange_declare(FRONTS, exchange_type="fanout", durable=True)
            await incoming.basic_qos(prefetch_count=PREFETCH)
            await incoming.basic_consume(MAILBOX, delivered)

            async def run() -> None:
                while True:
                    await some.wait()
                    some.clear()
                    batch = arrived.copy()
                    arrived.clear()
                    made = [counting.stored(one) for message in batch for one in _decode_told(message.body)]
                    await loop.run_in_executor(thread, _commit, database, [row for _, row in made])
                    properties = Basic.Properties(delivery_mode=TRANSIENT)
                    await outgoing.basic_publish(
                        _pack([stored for stored, _ in made]), exchange=FRONTS, routing_key="", properties=properties
                    )
                    await incoming.basic_ack(batch[-1].delivery_tag or 0, multiple=True, wait=False)

            running = asyncio.create_task(run())
            await _until_told_to_end()
            running.cancel()
        await loop.run_in_executor(thread, database.close)


def _database(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(
        "CREATE TABLE message (born INTEGER PRIMARY KEY, conversation TEXT, seq INTEGER, sender TEXT, client_id TEXT, "
        "body TEXT)"
    )
    return database


def _commit(database: sqlite3.Connection, rows: list[tuple[str, int, str, str, str]]) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO message VALUES (NULL, ?, ?, ?, ?, ?)", rows)
    database.execute("COMMIT")


# The one for files.


async def files(arguments: Arguments) -> None:
    """PATCH /SYNC/NAME writes a body at Upload-Offset, GET gives the file back; `file` names the folder.

    SYNC is "end" for one fsync of each body, "piece" for one fdatasync of each 256 KiB.
    """
    folder = Path(arguments.file)

    async def take(request: web.Request) -> web.Response:
        with (folder / request.match_info["name"]).open("ab") as file:
            file.truncate(int(request.headers["Upload-Offset"]))
            request.content.set_read_chunk_size(PIECE_BYTES)
            if request.match_info["sync"] == "end":
                async for some in request.content.iter_any():
                    file.write(some)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            else:
                piece = bytearray()
                async for some in request.content.iter_any():
                    piece += some
                    if len(piece) >= PIECE_BYTES:
                        await asyncio.to_thread(_synced, file, piece)
                        piece = bytearray()
                await asyncio.to_thread(_synced, file, piece)
            return web.Response(status=204, headers={"Upload-Offset": str(file.tell())})

    async def give(request: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / request.match_info["name"])

    app = web.Application()
    app.router.add_patch("/{sync}/{name}", take)
    app.router.add_get("/{sync}/{name}", give)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", arguments.port, shutdown_timeout=1).start()
    await _until_told_to_end()
    await runner.cleanup()


def _synced(file: BinaryIO, piece: bytearray) -> None:
    file.write(piece)
    file.flush()
    os.fdatasync(file.fileno())


# For all.


@contextlib.asynccontextmanager
async def _channel(url: str) -> Any:
    connection = aiormq.Connection(url)
    await connection.connect()
    try:
        channel: AbstractChannel = await connection.channel()
        yield channel
    finally:
        await connection.close()


async def _until_told_to_end() -> None:
    """Say that all is ready, and wait for the end of standard input."""
    _say("ready")
    await asyncio.to_thread(sys.stdin.read)


def _say(line: str) -> None:
    print(line, flush=True)


ROLES: Final = {"echo": echo, "hop": hop, "files": files, "front": front, "store": store}


def main() -> None:
    """Play the role that the command line names."""
    arguments = msgspec.json.decode(sys.stdin.readline(), type=Arguments)
    uvloop.run(ROLES[sys.argv[1]](arguments))


if __name__ == "__main__":
    main()
