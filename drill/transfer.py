"""A plain client of the files' part of the API (tus 1.0): one connection, blocking, with a deadline for each step.

It is for threads: while bytes move, the interpreter is free for others. What the network does raises OSError, what the
installation refuses HttpError.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Self, TypeVar

from msgspec import Struct

from drill.person import HttpError

PIECE = 4 * 2**20
"""Bytes of one PATCH, as the page sends them: what may have to be sent again when something breaks."""
CHUNK = 256 * 1024
"""Bytes that are handed to the kernel, or taken from it, at a time."""
WITHIN = 30.0

FILES = "/api/v1/files"

AGAIN = frozenset(
    {
        HTTPStatus.CONFLICT,
        HTTPStatus.LOCKED,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.INSUFFICIENT_STORAGE,
    }
)
"""After these a client of tus asks how far it has come, and goes on from there."""
PAUSE = 0.05

Buffer = bytes | memoryview
T = TypeVar("T")


class Answer(Struct, frozen=True):
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def offset(self) -> int:
        """How many bytes of the upload count."""
        return int(self.headers["upload-offset"])


class Transfer:
    """Uploads and downloads of one person at the front that listens on `port`; used by one thread at a time.

    `within`: seconds that a step may take in which nothing moves.
    """

    def __init__(self, port: int, bearer: Mapping[str, str], within: float = WITHIN) -> None:
        self._port = port
        self._bearer = bearer
        self._within = within
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def leave(self) -> None:
        """Give up what another thread is waiting for here: it gets an OSError at once."""
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    # Uploads.

    def create(self, name: str, size: int, recipient: str, **more: str) -> str:
        """Announce a file; returns its id. `more` is metadata: filetype, promised, width, height."""
        told = {"filename": name, "recipient": recipient, **more}
        headers = {"Upload-Length": str(size), "Upload-Metadata": metadata(told)}
        answer = self.request("POST", FILES, headers)
        return answer.headers["location"].rpartition("/")[2]

    def offset(self, upload: str) -> int:
        """How many bytes of it count."""
        return self.request("HEAD", f"{FILES}/{upload}").offset

    def append(self, upload: str, offset: int, data: Buffer, check: str = "") -> int:
        """Send one piece; returns how many bytes count then. `check` names a checksum to send with it: sha1, sha256."""
        return self.append_from(
            upload, offset, len(data), chunks(data), {"Upload-Checksum": checksum(data, check)} if check else {}
        )

    def append_from(
        self, upload: str, offset: int, size: int, body: Iterable[Buffer], headers: Mapping[str, str] | None = None
    ) -> int:
        """As `append`, of a body that is made while it is sent, and has `size` bytes in all."""
        told = {
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size),
            "Upload-Offset": str(offset),
            **(headers or {}),
        }
        return self.request("PATCH", f"{FILES}/{upload}", told, body).offset

    def cancel(self, upload: str) -> None:
        self.request("DELETE", f"{FILES}/{upload}")

    def declare(self, upload: str, sha256: str) -> None:
        """Say what the whole file is to be, for an upload that promised so."""
        body = json.dumps({"sha256": sha256}).encode()
        self.request("PUT", f"{FILES}/{upload}/digest", {"Content-Type": "application/json"}, body)

    def state(self, upload: str) -> Mapping[str, Any] | None:
        """What everybody who may see it is told of it; None when this person may not."""
        found: list[dict[str, Any]] = json.loads(self.request("GET", f"{FILES}?ids={upload}").body)["files"]
        return found[0] if found else None

    # Downloads.

    def fetch(
        self, upload: str, take: Callable[[memoryview], object], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Download; `take` gets the bytes as they come, and must not keep the view. The answer has no body."""
        return self.fetch_from(f"{FILES}/{upload}", take, headers)

    def fetch_from(
        self, path: str, take: Callable[[memoryview], object], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """As `fetch`, of any path."""
        response = self._send("GET", path, headers or {}, None)
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refused(response.status, self._read(response))
        buffer = memoryview(bytearray(CHUNK))
        expected = int(response.headers["Content-Length"])
        came = 0
        try:
            while size := response.readinto(buffer):
                take(buffer[:size])
                came += size
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _broken(error) from error
        if came < expected:
            self.close()
            raise ConnectionError(f"the download ended after {came} of {expected} bytes")
        return Answer(response.status, _headers(response), b"")

    # Requests.

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[Buffer] | None = None,
    ) -> Answer:
        """One request. Raises HttpError for what is refused, OSError for everything else."""
        response = self._send(method, path, headers or {}, body)
        answer = Answer(response.status, _headers(response), self._read(response))
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refused(answer.status, answer.body)
        return answer

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | Iterable[Buffer] | None
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=self._within, blocksize=CHUNK
            )
        told = {**self._bearer, "Tus-Resumable": "1.0.0", **headers}
        try:
            # What was said before the body had an end is an answer, too.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.request(method, path, body=body, headers=told)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _broken(error) from error

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _broken(error) from error


def insist(step: Callable[[], T], within: float = WITHIN) -> T:
    """What a step comes to; it is made again while it is refused for now, or its connection breaks.

    Raises what it raised last when `within` seconds are over, and at once what is refused for good.
    """
    deadline, pause = time.monotonic() + within, threading.Event()
    while True:
        try:
            return step()
        except HttpError as error:
            if error.status not in AGAIN or time.monotonic() > deadline:
                raise
        except OSError:
            if time.monotonic() > deadline:
                raise
        pause.wait(PAUSE)


def chunks(data: Buffer) -> Iterable[memoryview]:
    """As they are handed to the kernel."""
    view = memoryview(data)
    return (view[at : at + CHUNK] for at in range(0, len(view), CHUNK))


def metadata(told: Mapping[str, str]) -> str:
    """Upload-Metadata of those values."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())


def checksum(data: Buffer, algorithm: str) -> str:
    """Upload-Checksum of a piece."""
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def _headers(response: http.client.HTTPResponse) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _refused(status: int, body: bytes) -> HttpError:
    code = message = ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        error = json.loads(body)["error"]
        code, message = error["code"], error["message"]
    return HttpError(status, code, message)


def _broken(error: Exception) -> OSError:
    """What a connection that broke raises, whichever layer noticed."""
    return error if isinstance(error, OSError) else ConnectionError(f"{type(error).__name__}: {error}")
