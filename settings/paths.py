"""Where things lie in an installation's data directory, and in its run directory."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from settings.errors import SettingsError
from settings.model import Settings

RUN_HOME = Path("/tmp")  # noqa: S108  (the folder in it is made 0700, and its owner checked)
"""For sockets whose path would be too long in the data directory, and for names that its own are no words for.

Not XDG_RUNTIME_DIR: that one goes when its owner logs out, and with it a detached supervisor's sockets.
"""

RUN_LONGEST = 80
"""Bytes of the run directory's path: a local socket's ends at 107, and its name takes up to 26 of them."""

_WORD = re.compile(rb"[A-Za-z0-9/._+@%:=,-]*")


def is_word(path: Path) -> bool:
    """Whether a shell takes the path as one word, and as itself, though nobody quotes it."""
    return _WORD.fullmatch(os.fsencode(path)) is not None


@dataclass(frozen=True)
class Paths:
    """The folders of one installation.

    `run` is short, because the path of a local socket ends at 108 bytes, and one word for a shell.
    """

    data: Path
    run: Path

    @classmethod
    def of(cls, settings: Settings) -> "Paths":
        data = Path(settings.base, settings.data.dir).expanduser().resolve()
        run = data / "run"
        if len(os.fsencode(run)) > RUN_LONGEST or not is_word(run):
            # Second choice, because whoever clears /tmp would cut a live supervisor off from its children.
            mark = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
            run = RUN_HOME / f"parley-{os.getuid()}-{mark}"
        return cls(data=data, run=run)

    @property
    def databases(self) -> Path:
        return self.data / "db"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def broker(self) -> Path:
        return self.data / "broker"

    @property
    def blobs(self) -> Path:
        return self.data / "blobs"

    def database(self, name: str) -> Path:
        return self.databases / f"{name}.db"

    def make(self) -> None:
        """Create every folder, readable by its owner alone. Raises SettingsError where that is not possible."""
        for folder in (self.data, self.databases, self.secrets, self.logs, self.blobs, self.run):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                status = folder.stat()
            except OSError as error:
                raise SettingsError("data.dir", f"{folder} cannot be made: {error.strerror}") from error
            # Another person may have made our well-known name in a shared /tmp before us.
            if status.st_uid != os.getuid():
                raise SettingsError("data.dir", f"{folder} belongs to another user (uid {status.st_uid})")
            if status.st_mode & 0o077 and folder != self.data:
                folder.chmod(0o700)
