"""What a killed actor leaves, before its successor can touch it."""

import contextlib
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.support.waiting import eventually_sync


@contextlib.contextmanager
def standing_still(supervisor: int) -> Iterator[None]:
    """Stop the supervisor meanwhile, so that it starts nobody."""
    os.kill(supervisor, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


def copied(source: Path, scratch: Path) -> Path:
    """A copy, in the folder `scratch`, of a database whose owner was just killed, with its write-ahead log."""
    with source.with_suffix(".lock").open("rb") as lock:

        def ours() -> bool:
            # The kernel lets go of a killed process's lock when it is gone altogether.
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            return False

        eventually_sync(ours, 10.0)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{source}{suffix}", scratch / f"{source.name}{suffix}")
    return scratch / source.name
