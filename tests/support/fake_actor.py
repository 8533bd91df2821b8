"""A stand-in for an actor: speaks sd_notify, dies with its supervisor, and misbehaves as FAKE_<NAME> says.

FAKE_<ACTOR> is a comma-separated list: exit=N (at once), mute (never ready), hang (ready, then silent), stuck (its
signs of life count no progress), stubborn (ignores SIGTERM), deaf (ignores SIGABRT), loud=BYTES (prints them, without
a newline, before it is ready), once (only the first life misbehaves; a file in the data directory remembers).
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

BEAT = 0.1


def main(name: str) -> None:
    _die_with_the_supervisor()
    ways = _ways(name.partition(".")[0])
    if "exit" in ways:
        sys.exit(int(ways["exit"]))
    if "stubborn" in ways:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, _drain)
    if "deaf" in ways:
        signal.signal(signal.SIGABRT, signal.SIG_IGN)
    if "loud" in ways:
        _print_a_lot(int(ways["loud"]))
    sys.stdout.write(f"{name} is up as {os.getpid()}\n")
    sys.stdout.flush()
    listener = _listener()
    if "mute" not in ways:
        tell("READY=1\nSTATUS=serving\nX_DEPTH=3\nX_RATE=1.5")
    while True:
        if "hang" not in ways:
            tell("WATCHDOG=1\nX_PROGRESS=1" if "stuck" in ways else "WATCHDOG=1")
        if listener is None:
            time.sleep(BEAT)
        else:
            _serve(listener, name)


def tell(text: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        one.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])


def _die_with_the_supervisor() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(os.environ["PARLEY_SUPERVISOR_PID"]):
        sys.exit(75)


def _ways(actor: str) -> dict[str, str]:
    ways = dict(part.partition("=")[::2] for part in os.environ.get(f"FAKE_{actor.upper()}", "").split(",") if part)
    if "once" in ways:
        mark = Path(os.environ["PARLEY_DATA__DIR"], f"misbehaved-{actor}")
        if mark.exists():
            return {}
        mark.touch()
    return ways


def _print_a_lot(count: int) -> None:
    block = b"x" * 1_000_000
    for _ in range(count // len(block)):
        os.write(1, block)


def _listener() -> socket.socket | None:
    if "LISTEN_FDS" not in os.environ:
        return None
    assert int(os.environ["LISTEN_PID"]) == os.getpid(), "LISTEN_PID is another process's"
    listener = socket.socket(fileno=3)
    listener.settimeout(BEAT)
    return listener


def _serve(listener: socket.socket, name: str) -> None:
    with contextlib.suppress(TimeoutError):
        one, _ = listener.accept()
        with one:
            one.settimeout(1.0)
            one.recv(1000)
            body = name.encode()
            one.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def _drain(_number: int, _frame: FrameType | None) -> None:
    tell("STOPPING=1")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
