"""`parley up`: supervise in the foreground, or start a supervisor that outlives this terminal."""

import argparse
import contextlib
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cli.exits import FAILED, CommandError
from settings import Paths, Settings, load
from supervision.main import run as supervise
from supervision.notify import parse

PROGRAM = (sys.executable, str(Path(__file__).resolve().parent.parent / "supervisor.py"))

_PATIENCE = 120.0
"""Seconds for a detached supervisor to be ready; it reports itself after 60 at the latest."""


def add_parser(subparsers: Any) -> None:
    """Add up."""
    parser = subparsers.add_parser("up", help="start everything, in the foreground unless -d is given")
    parser.add_argument("-d", "--detach", action="store_true", help="return when all is ready, and leave it running")
    # How `up -d` calls itself: no console, and no terminal to die with.
    parser.add_argument("--background", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 stopped as asked (or, detached, up), 1 could not start, 78 configuration."""
    settings = load()
    paths = Paths.of(settings)
    if args.detach:
        return _detached(settings, paths)
    return supervise(settings, paths, foreground=not args.background)


def _detached(settings: Settings, paths: Paths) -> int:
    paths.make()
    address = paths.run / f"up-{secrets.token_hex(4)}"
    output = paths.logs / "up.out"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener, output.open("wb") as file:
        listener.bind(str(address))
        try:
            process = subprocess.Popen(  # noqa: S603  (our own program)
                [*PROGRAM, "up", "--background"],
                env={**os.environ, "NOTIFY_SOCKET": str(address)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                cwd="/",
            )
            status = _wait_for_ready(listener, process)
        finally:
            address.unlink(missing_ok=True)
    if status is None:
        code = process.poll()
        said = output.read_text(encoding="utf-8", errors="replace").strip().removeprefix("parley: ")
        raise CommandError(said or "the supervisor did not get ready: `parley logs supervisor`", code or FAILED)
    print(f"Parley is at {settings.web.origin}" + ("" if status == "ready" else f" ({status}: `parley status`)"))
    print("`parley down` stops it, `parley status` shows its actors.")
    # It runs on without us; poll() of a process that is not waited for would warn at our end.
    process.returncode = 0
    return 0


def _wait_for_ready(listener: socket.socket, process: "subprocess.Popen[bytes]") -> str | None:
    """The supervisor's STATUS when it is READY; None when it ended or took too long."""
    ended = os.pidfd_open(process.pid)
    deadline = time.monotonic() + _PATIENCE
    try:
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([listener.fileno(), ended], [], [], left)
            if listener.fileno() in readable:
                message = parse(listener.recv(4096))
                if message.ready:
                    return message.status or "ready"
            elif readable:
                process.wait()
                return None
    finally:
        with contextlib.suppress(OSError):
            os.close(ended)
    return None
