"""What /proc tells about processes of this machine. Linux only; a process that ends meanwhile is simply not there."""

import contextlib
import ctypes
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Let orphans below this process become its children, so that it can end and reap them. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def session_members(leader: int) -> list[int]:
    """The processes of the session that `leader` began, zombies left out."""
    return [pid for pid in _pids() if _stat(pid)[:2] == (leader, True)]


def end_session(leader: int) -> None:
    """SIGKILL to all that is left of a session; its members cannot escape by changing their group."""
    for pid in session_members(leader):
        if pid != os.getpid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def own_memory(pid: int) -> int | None:
    """Proportional set size in bytes of one process; None when it is gone or not ours."""
    return _pss(pid)


def memory(leader: int) -> int | None:
    """Proportional set size in bytes of a process and all of its session; None when it is gone or not ours."""
    sizes = [size for pid in session_members(leader) if (size := _pss(pid)) is not None]
    return sum(sizes) if sizes else None


def marked(variable: str, value: str) -> list[int]:
    """Our user's processes that were started with `variable=value` in their environment."""
    wanted = f"{variable}={value}".encode()
    return [pid for pid in _pids() if pid != os.getpid() and wanted in _read(pid, "environ").split(b"\0")]


def end_and_wait(pids: Sequence[int], within: float) -> list[int]:
    """SIGKILL to each; returns those that are still there after `within` seconds. They need not be our children."""
    handles: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handles[os.pidfd_open(pid)] = pid
    poll, deadline = select.poll(), time.monotonic() + within
    for handle in handles:
        poll.register(handle, select.POLLIN)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    while handles and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            os.close(handle)
            del handles[handle]
    for handle in handles:
        os.close(handle)
    return list(handles.values())


def name(pid: int) -> str:
    """The program's short name, or "" when the process is gone."""
    return _read(pid, "comm").decode(errors="replace").strip()


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def _read(pid: int, file: str) -> bytes:
    try:
        return (_PROC / str(pid) / file).read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> tuple[int, bool]:
    """Session and whether the process still runs. The program's name may hold spaces and parentheses itself."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[3]), fields[0] not in {b"Z", b"X"}) if fields else (-1, False)


def _pss(pid: int) -> int | None:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return None
