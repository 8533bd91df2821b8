"""The other end of the control socket: what the command line, the operator's page and scripts in Python use."""

import asyncio
import contextlib
import socket
from typing import Any

import msgspec

from settings import Paths
from supervision import proc
from supervision.control import Answer, Failure, Operation, Request, socket_path

__all__ = ["ControlError", "NothingRunningError", "Operation", "Request", "ask", "ask_in_loop", "measure"]

_LONGEST_ANSWER = 1 << 20
"""Bytes of an answer; a status has some hundreds an actor."""

_PIECE = 1 << 16

_NOT_OURS = Failure(
    "forbidden", "only the owner of this installation may control it, and its folders are another user's"
)


class NothingRunningError(Exception):
    """No supervisor answers for this data directory."""


class ControlError(Exception):
    """The supervisor refused; `code` is stable, the text is for people."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.code = failure.code


def ask(paths: Paths, request: Request, within: float = 5.0) -> Any:
    """The answer's result. `within`: seconds for all of it; for `down`, until the supervisor has ended.

    Raises NothingRunningError, ControlError, or TimeoutError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(within)
        try:
            one.connect(str(socket_path(paths)))
            # One that has too much to do says so and hangs up before it reads: its answer is there all the same.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.sendall(msgspec.json.encode(request) + b"\n")
            with one.makefile("rb") as stream:
                result = _result(stream.readline())
                if request.op == "down":
                    stream.read()
        except (FileNotFoundError, ConnectionError) as error:
            raise NothingRunningError from error
        except PermissionError as error:
            raise ControlError(_NOT_OURS) from error
        except BlockingIOError as error:
            raise TimeoutError from error  # it hangs, and others wait for it already, as many as may
    return result


async def ask_in_loop(paths: Paths, request: Request, within: float = 5.0) -> Any:
    """As `ask`, for whoever has an event loop, which it does not block; not for `down`."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.setblocking(False)
        async with asyncio.timeout(within):
            try:
                # At once or not at all; the loop would take a full line of those who wait for a connection.
                one.connect(str(socket_path(paths)))
                # As in `ask`; a stream would lose what had come in when sending fails.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    await loop.sock_sendall(one, msgspec.json.encode(request) + b"\n")
                return _result(await _line(loop, one))
            except (FileNotFoundError, ConnectionError) as error:
                raise NothingRunningError from error
            except PermissionError as error:
                raise ControlError(_NOT_OURS) from error
            except BlockingIOError as error:
                raise TimeoutError from error


async def _line(loop: asyncio.AbstractEventLoop, one: socket.socket) -> bytes:
    """What comes until the end of a line, or of the connection, or of what an answer may hold."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_ANSWER:
        piece = await loop.sock_recv(one, _PIECE)
        if not piece:
            break
        line += piece
    return line


def measure(status: Any) -> Any:
    """The answer to `status` with each process's memory in bytes, or None.

    Measured by whoever asks, and on a thread where that must not wait: walking a large process's pages takes
    milliseconds, which the supervisor does not have.
    """
    status["supervisor"]["memory"] = proc.own_memory(status["supervisor"]["pid"])
    for actor in status["actors"]:
        actor["memory"] = None if actor["pid"] is None else proc.memory(actor["pid"])
    return status


def _result(line: bytes) -> Any:
    if not line.endswith(b"\n"):
        raise NothingRunningError  # it ended while we asked, perhaps in the middle of its answer
    answer = msgspec.json.decode(line, type=Answer)
    if answer.error is not None:
        raise ControlError(answer.error)
    return msgspec.json.decode(answer.result)
