"""The other end of the control socket: what the command line and scripts in Python use."""

import socket
from typing import Any

import msgspec

from settings import Paths
from supervision.control import Answer, Failure, Request, socket_path


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
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NothingRunningError from error
        one.sendall(msgspec.json.encode(request) + b"\n")
        with one.makefile("rb") as stream:
            line = stream.readline()
            if not line:
                raise NothingRunningError  # it ended while we asked
            answer = msgspec.json.decode(line, type=Answer)
            if answer.error is not None:
                raise ControlError(answer.error)
            if request.op == "down":
                stream.read()
    return msgspec.json.decode(answer.result)
