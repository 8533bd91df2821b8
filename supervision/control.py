"""The control socket: one JSON line a request, one JSON line back. docs/supervision.md describes it for scripts."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from settings import Paths
from supervision.tree import RefusedError

LONGEST = 4096
"""Bytes of a request, its newline included."""
PATIENCE = 2.0
"""Seconds for a request to arrive, and for its answer to be taken."""
_MOST_CLIENTS = 16

log = logging.getLogger("parley.supervisor")

Operation = Literal["status", "start", "stop", "restart", "kill", "scale", "down"]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`name` is an actor, one copy of it, or the broker; `count` is for scale."""

    op: Operation
    name: str = ""
    count: int = 0


class Failure(msgspec.Struct, frozen=True):
    code: str
    message: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`ok` with a result (of status alone), or an error with a stable code."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None


Handler = Callable[[Request], Awaitable[Any]]


def socket_path(paths: Paths) -> Path:
    """Where the supervisor of this installation listens."""
    return paths.run / "control.sock"


class ControlServer:
    """Serves the owner of the installation, and root. Each connection carries one request."""

    def __init__(self, path: Path, handle: Handler) -> None:
        self._path = path
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    async def start(self) -> None:
        """Only the holder of the lock may call this: what lies at the path is a dead supervisor's. Raises OSError."""
        self._path.unlink(missing_ok=True)
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.bind(str(self._path))
        self._path.chmod(0o600)
        self._server = await asyncio.start_unix_server(self._accept, sock=one, limit=LONGEST)

    def close(self) -> None:
        """Take no more requests; those that are under way are answered."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def finish(self) -> None:
        """Answer those who asked for `down` by the end of their connection: all has stopped."""
        self._over.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._request(reader, writer)
            await _send(writer, await self._answer(request))
            if request.op == "down":
                await self._over.wait()
        except RefusedError as error:
            await _send(writer, _failure(error.code, str(error)))
        except (OSError, TimeoutError):
            pass  # the client is gone or does not take its answer; what it asked for was carried out
        finally:
            writer.close()

    async def _answer(self, request: Request) -> Answer:
        """Whoever asks is told of a fault of ours too: a connection that only ends looks as if nothing were running."""
        try:
            return _success(await self._handle(request))
        except RefusedError as error:
            return _failure(error.code, str(error))
        except Exception as error:
            log.exception("supervisor: %s %s failed", request.op, request.name)
            return _failure("failed", f"{request.op} failed ({error!r}): `parley logs supervisor`")

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
        if len(self._tasks) > _MOST_CLIENTS:
            raise RefusedError("busy", f"more than {_MOST_CLIENTS} requests at once; try again in a moment")
        if _peer(writer) not in {os.getuid(), 0}:
            raise RefusedError("forbidden", "only the owner of this installation may control it")
        try:
            line = await asyncio.wait_for(reader.readuntil(b"\n"), PATIENCE)
        except asyncio.LimitOverrunError as error:
            raise RefusedError("too_large", f"a request has at most {LONGEST} bytes") from error
        except asyncio.IncompleteReadError as error:
            raise RefusedError("bad_request", "a request is one JSON object and a newline") from error
        except TimeoutError as error:
            raise RefusedError("timed_out", f"no request arrived within {PATIENCE:g} s") from error
        try:
            return msgspec.json.decode(line, type=Request)
        except msgspec.DecodeError as error:
            raise RefusedError("bad_request", f"not a request: {error}") from error


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user id at the other end, as the kernel knows it."""
    credentials = writer.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    return int(struct.unpack("3i", credentials)[1])


def _success(result: Any) -> Answer:
    return Answer(ok=True, result=msgspec.Raw(msgspec.json.encode(result)))


def _failure(code: str, message: str) -> Answer:
    return Answer(ok=False, error=Failure(code, message))


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(msgspec.json.encode(answer) + b"\n")
        await asyncio.wait_for(writer.drain(), PATIENCE)
