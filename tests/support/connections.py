"""Who holds the other end of a connection on this machine."""

import contextlib
from collections.abc import Mapping
from pathlib import Path


def holder(pids: Mapping[str, int], port: int) -> str | None:
    """Which of these processes is at the other end of the TCP connection whose near end is `port` of loopback."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for name, pid in pids.items():
        with contextlib.suppress(OSError):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(entry.readlink()) in wanted:
                        return name
    return None


def _inodes(peer: int) -> list[str]:
    """Of the sockets that are connected to port `peer`."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return [row[9] for row in rows if int(row[2].rpartition(":")[2], 16) == peer]
