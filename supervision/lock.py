"""One supervisor for one data directory: a lock that the kernel lets go of when its holder ends, however it ends."""

import contextlib
import fcntl
import os
from pathlib import Path

NAME = "supervisor.lock"


class HeldError(Exception):
    """Another process has the lock; `holder` is what it wrote about itself."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by {holder or 'another process'}")
        self.holder = holder


def holder(data: Path) -> str:
    """What the last process that took the lock wrote about itself: "process 4711"; "" when that is not known."""
    try:
        return (data / NAME).read_text(errors="replace").strip()
    except OSError:
        return ""


def take(data: Path) -> int:
    """Hold the lock until this process ends; the descriptor must stay open. Raises HeldError or OSError.

    The file is never removed: a second process that locked a removed file would hold another lock than a third.
    """
    path = data / NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise HeldError(path, holder(data)) from error
    # For people to read; on a full disk it is held all the same.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0))
    return descriptor
