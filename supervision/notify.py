"""The sd_notify protocol, both ends: what children tell the supervisor, and the supervisor its own parent."""

import contextlib
import os
import re
import socket
from pathlib import Path

from msgspec import Struct

_LONGEST = 4096
_MOST_AT_ONCE = 64
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


class Message(Struct, frozen=True, kw_only=True):
    """One datagram. None: not mentioned. `depth` is a mailbox's, `rate` is in messages a second.

    `progress` counts the signs of life of a work loop: one that repeats the last count is none.
    """

    ready: bool = False
    stopping: bool = False
    alive: bool = False
    status: str | None = None
    main_pid: int | None = None
    depth: int | None = None
    rate: float | None = None
    progress: int | None = None


def parse(datagram: bytes) -> Message:
    """Read a datagram of NAME=value lines. What is unknown or malformed is passed over, as the protocol wants it."""
    fields: dict[str, str] = {}
    for line in datagram[:_LONGEST].decode("utf-8", errors="replace").split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            fields[key] = value
    status = fields.get("STATUS")
    return Message(
        ready=fields.get("READY") == "1",
        stopping=fields.get("STOPPING") == "1",
        alive=fields.get("WATCHDOG") == "1",
        # It is shown on terminals: no control characters, and not without end.
        status=None if status is None else _UNPRINTABLE.sub(" ", status)[:200],
        main_pid=_whole(fields.get("MAINPID")),
        depth=_whole(fields.get("X_DEPTH")),
        rate=_decimal(fields.get("X_RATE")),
        progress=_whole(fields.get("X_PROGRESS")),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,15}", text, re.ASCII) else None


def _decimal(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text, re.ASCII) else None


class Inbox:
    """The socket at which one child is heard.

    `renew` it before each start, so that a dead child's words are not taken for its successor's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket: socket.socket | None = None

    def renew(self) -> int:
        """Begin anew; returns the descriptor to watch. Raises OSError."""
        self.close()
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            one.setblocking(False)
            one.bind(str(self.path))
        except OSError:
            one.close()
            raise
        self._socket = one
        return one.fileno()

    @property
    def descriptor(self) -> int | None:
        return None if self._socket is None else self._socket.fileno()

    def receive(self) -> list[Message]:
        """What has arrived, at most so much that one talkative child cannot hold up the others."""
        found: list[Message] = []
        while self._socket is not None and len(found) < _MOST_AT_ONCE:
            try:
                found.append(parse(self._socket.recv(_LONGEST)))
            except (BlockingIOError, ConnectionError):
                break
        return found

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        # Also what a supervisor that was killed has left; only the holder of the lock comes here.
        self.path.unlink(missing_ok=True)


def tell_parent(**fields: str) -> None:
    """Send NAME=value lines to whoever started the supervisor (systemd, `parley up -d`), if they listen."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    text = "\n".join(f"{key}={value}" for key, value in fields.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        # A full or vanished parent must not hold the supervisor up.
        one.setblocking(False)
        one.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)
