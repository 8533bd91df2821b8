"""A file system of a few MiB that can be filled to its last byte: in memory, and mounted for one test alone."""

import contextlib
import os
import sqlite3
import subprocess
from pathlib import Path

from tests.support.needs import is_root

BALLAST = "ballast"


def why_not() -> str:
    """Why there can be none on this machine; "" when there can."""
    return "" if is_root() else "only root may mount a small disk"


class SmallDisk:
    """`mount` before anything is in the folder, `unmount` when nobody has a file open there any more."""

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        self._mib = mib

    def mount(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = f"size={self._mib}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "parley-test", self.folder], check=True)  # noqa: S603, S607  (as root, a program of every Linux)

    def resize(self, mib: int) -> None:
        """Give it another size, at least as much as is in use."""
        subprocess.run(["mount", "-o", f"remount,size={mib}m", self.folder], check=True)  # noqa: S603, S607  (as above)

    def unmount(self) -> None:
        """Lazily, so that a file somebody has open still cannot keep the mount."""
        if os.path.ismount(self.folder):
            subprocess.run(["umount", "-l", self.folder], check=True)  # noqa: S603, S607  (as above)

    def fill(self) -> None:
        """Take every byte that is free. Again while the disk is to stay full: what is in use shrinks at times."""
        with (self.folder / BALLAST).open("ab") as ballast, contextlib.suppress(OSError):
            while free := self.free():
                os.posix_fallocate(ballast.fileno(), ballast.seek(0, os.SEEK_END), max(free, 1))

    def free_again(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)

    def free(self) -> int:
        """Bytes."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_bsize

    def shorten_logs(self) -> None:
        """Empty the write-ahead logs where nobody is in the way: they would be written over, which needs no space."""
        for file in self.folder.glob("*.db"):
            database = sqlite3.connect(file, timeout=1)
            with contextlib.closing(database), contextlib.suppress(sqlite3.OperationalError):
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
