"""Who holds which TCP sockets on this machine."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

from supervision.proc import session_members

_LISTEN = "0A"


def holder(pids: Mapping[str, int], port: int) -> str | None:
    """Which of these processes is at the other end of the TCP connection whose near end is `port` of loopback."""
    wanted = {inode for _, peer, _, inode in _rows("tcp") if _address(peer)[1] == port}
    return next((name for name, pid in pids.items() if wanted.intersection(_sockets(pid))), None)


def listening_addresses(leader: int) -> set[tuple[str, int]]:
    """(address, port) of every TCP socket on which a process of the session listens."""
    inodes = {inode for pid in session_members(leader) for inode in _sockets(pid)}
    return {
        _address(own)
        for table in ("tcp", "tcp6")
        for own, _, state, inode in _rows(table)
        if state == _LISTEN and inode in inodes
    }


def _rows(table: str) -> Iterator[Sequence[str]]:
    """Of every socket: its own address, the peer's, its state and its inode."""
    for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        yield fields[1], fields[2], fields[3], fields[9]


def _sockets(pid: int) -> Iterator[str]:
    """Inodes of the sockets that a process has open; none when it is gone."""
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                link = str(entry.readlink())
                if link.startswith("socket:["):
                    yield link[8:-1]


def _address(field: str) -> tuple[str, int]:
    """`0100007F:1F90` is 127.0.0.1:8080: each 32-bit word of the address is in the machine's byte order."""
    host, _, port = field.partition(":")
    raw = bytes.fromhex(host)
    raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return str(ip_address(raw)), int(port, 16)
