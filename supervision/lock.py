"""One supervisor for one data directory: a lock that the kernel lets go of when its holder ends, however it ends."""

import fcntl
import os
from pathlib import Path


class HeldError(Exception):
    """Another process has the lock; `holder` is what it wrote about itself."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by {holder or 'another process'}")
        self.holder = holder


def take(data: Path) -> int:
    """Hold the lock until this process ends; the descriptor must stay open. Raises HeldError or OSError.

    The file is never removed: a second process that locked a removed file would hold another lock than a third.
    """
    path = data / "supervisor.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 200).decode(errors="replace").strip()
        os.close(descriptor)
        raise HeldError(path, holder) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0)
    return descriptor
