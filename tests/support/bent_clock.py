"""Another time of day for single processes, by libfaketime; nobody else's clock is touched."""

import functools
from collections.abc import Mapping
from pathlib import Path

MISSING = "libfaketime is missing"
_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
_SHARED = Path("/dev/shm")  # noqa: S108  (where the library keeps what it shares between processes)


@functools.cache
def library() -> Path | None:
    """Where it is on this machine."""
    found = (file for place in _PLACES for file in sorted(Path(place).glob("**/faketime/libfaketimeMT.so.1")))
    return next(found, None)


class BentClock:
    """A clock that reads its shift from a file, at most a second after it was changed.

    Time that passes is not bent: timeouts, watchdogs and everything else on the monotonic clock go on as they are.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.shift(0)

    def shift(self, seconds: int) -> None:
        """So much later (or earlier) than it is; 0 for the true time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.rename(self._file)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to be given that is to see this clock."""
        return {
            "LD_PRELOAD": str(library() or ""),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def sweep() -> None:
    """Remove what the library leaves of processes that were killed."""
    for file in _SHARED.glob("*faketime_s*_*"):
        if not Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)
