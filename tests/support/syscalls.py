"""System calls of a running process, as strace tells them: `traced` records, `parse` reads. The parser does no I/O."""

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.needs import is_root, lacking, need_program
from tests.support.waiting import SCALE

READS = ("read", "recvfrom", "recvmsg", "readv")
WRITES = ("write", "writev", "sendto", "sendmsg")
SYNCS = ("fdatasync", "fsync")
PLACED_WRITE = "pwrite64"
PLACED_WRITES = (PLACED_WRITE, "pwritev", "pwritev2")
SHOWN = 256 * 1024
"""Bytes of each buffer that are recorded: all of it, so that what is looked for in it is found."""

_LINE = re.compile(r"(?P<thread>\d+) +\S+ (?P<rest>.*)")
_WHOLE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\w+)")
_BEGUN = re.compile(r"(?P<name>\w+)\((?P<arguments>.*) <unfinished \.\.\.>$")
_ENDED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<arguments>.*)\) += (?P<result>-?\w+)")
_FILE = re.compile(r"\d+<(?P<file>[^>]*(?:->[^>]*)?)>")


@dataclass(frozen=True)
class Call:
    """One call. `begun` and `ended` are its places in the order of all that happened; equal where nothing came between.

    `file` is the path, or the kind and the addresses of a socket, behind the descriptor it was about.
    """

    name: str
    file: str
    text: str
    begun: int
    ended: int
    result: int


def first(calls: Iterable[Call], names: Sequence[str], file: str, text: str = "", *, after: int = -1) -> Call | None:
    """Of the calls with one of these names that began after that place and did not fail, the one that began first.

    `file` and `text` are part of what the call was about.
    """
    fitting = (
        call
        for call in calls
        if call.begun > after and call.result >= 0 and call.name in names and file in call.file and text in call.text
    )
    return min(fitting, key=lambda call: call.begun, default=None)


def parse(lines: Iterable[str]) -> list[Call]:
    """The finished calls of a trace (strace -f -tt -yy), in the order of their end."""
    calls: list[Call] = []
    open_calls: dict[str, tuple[int, str]] = {}
    for place, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            continue
        thread, rest = found["thread"], found["rest"]
        if begun := _BEGUN.match(rest):
            open_calls[thread] = (place, begun["arguments"])
        elif ended := _ENDED.match(rest):
            start, arguments = open_calls.pop(thread, (place, ""))
            calls.append(_call(ended, arguments + ended["arguments"], start, place))
        elif whole := _WHOLE.match(rest):
            calls.append(_call(whole, whole["arguments"], place, place))
    return calls


def _call(found: re.Match[str], arguments: str, begun: int, ended: int) -> Call:
    file = _FILE.match(arguments)
    result = int(found["result"]) if found["result"].lstrip("-").isdecimal() else 0
    return Call(found["name"], file["file"] if file else "", arguments, begun, ended, result)


@contextlib.asynccontextmanager
async def traced(pid: int, record: Path) -> AsyncIterator[None]:
    """Record what every thread of a process reads, writes and syncs, from the first line of the body to its last.

    Skips the test where nobody may look into other processes.
    """
    strace = need_program("strace", "strace")
    names = ",".join((*READS, *WRITES, *SYNCS, *PLACED_WRITES))
    options = ("-f", "-tt", "-yy", "-s", str(SHOWN), "-e", f"trace={names}", "-o", str(record))
    process = await asyncio.create_subprocess_exec(
        strace, *options, "-p", str(pid), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(5 * SCALE):
            assert process.stderr is not None
            said = (await process.stderr.readline()).decode()
        if "attached" not in said:
            # A container without the right to trace, or a kernel that lets parents alone do it.
            lacking(f"processes cannot be traced here: {said.strip()}", excused=not is_root())
        yield
    finally:
        if process.returncode is None:
            # It lets go of the process and ends.
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(5 * SCALE):
            await process.communicate()
