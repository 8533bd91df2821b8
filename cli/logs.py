"""`parley logs`: what actors have written, merged, and with -f also what they write from now on."""

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from cli import colour
from cli.exits import CommandError
from settings import Paths, load

_TAIL = 20
_PERIOD = 0.2
_LONGEST_TAIL = 256 * 1024
# As ours begin, as those in JSON do, and as RabbitMQ's.
_TIME = re.compile(r'(?:\{"at": ?")?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d\.\d{3})')
_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


def add_parser(subparsers: Any) -> None:
    """Add logs."""
    parser = subparsers.add_parser("logs", help="show the newest lines of an actor's log, or of all")
    parser.add_argument("name", metavar="ACTOR", nargs="?", help="auth, front (all), front.2 (one), broker, supervisor")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is written, until Ctrl-C")
    parser.add_argument("-n", "--lines", type=int, default=_TAIL, metavar="N", help="how many lines of each (20)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 there is no such log. Works on the files, so it needs no supervisor."""
    paths = Paths.of(load())
    files = find(paths.logs, args.name)
    if not files:
        there = ", ".join(sorted({path.stem for path in paths.logs.glob("*.log")})) or "none; `parley up` writes them"
        raise CommandError(f"there is no log of {args.name or 'anything'} in {paths.logs}; there are: {there}")
    with contextlib.ExitStack() as stack:
        return _show(args, paths.logs, stack, files)


def _show(args: argparse.Namespace, folder: Path, stack: contextlib.ExitStack, files: Sequence[Path]) -> int:
    tails = [stack.enter_context(contextlib.closing(Tail(path))) for path in files]
    show = Printer([tail.name for tail in tails], coloured=colour.wanted())
    show.lines(merge({tail.name: tail.last(max(args.lines, 0)) for tail in tails}))
    while args.follow:
        known = {tail.path for tail in tails}
        tails += [
            stack.enter_context(contextlib.closing(Tail(path, from_start=True)))
            for path in find(folder, args.name)
            if path not in known
        ]
        show.lines(merge({tail.name: tail.new() for tail in tails}))
        # Files tell nobody that they grew; a fifth of a second is what a reader does not notice.
        time.sleep(_PERIOD)
    return 0


def find(folder: Path, name: str | None) -> list[Path]:
    """The current log files of an actor, or all."""
    logs = sorted(folder.glob("*.log"))
    return [path for path in logs if name is None or name in {path.stem, path.stem.partition(".")[0]}]


def merge(tails: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Lines of several logs in the order of their times. One without a time belongs to the line before it."""
    timed: list[tuple[str, str, str]] = []
    for name, lines in tails.items():
        at = ""
        for line in lines:
            if found := _TIME.match(line):
                at = f"{found[1]}T{found[2]}"
            timed.append((at, name, line))
    return [(name, line) for _, name, line in sorted(timed, key=lambda one: one[0])]


class Tail:
    """One log file's end, followed through its rotation."""

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        self.path = path
        self.name = path.stem
        self._file: BinaryIO | None = None
        self._rest = b""
        if from_start:
            self._open()

    def last(self, count: int) -> list[str]:
        """The newest `count` lines; reading goes on behind them."""
        self._open()
        if self._file is None:
            return []
        end = self._file.seek(0, 2)
        start = max(0, end - _LONGEST_TAIL)
        self._file.seek(start)
        lines = self._read()
        return lines[-count:] if count else []

    def new(self) -> list[str]:
        """Whole lines that were written since the last call."""
        lines = self._read()
        try:
            there = self.path.stat()
            if self._file is None or there.st_ino != _inode(self._file):
                # The old file was renamed: what it held is read, so go on with the one in its place.
                self._open()
                lines += self._read()
            elif there.st_size < self._file.tell():
                # It was emptied, and what came since stands at its beginning.
                self._rest = b""
                self._file.seek(0)
                lines += self._read()
        except FileNotFoundError:
            pass  # between the renaming of the old file and the creation of the new one
        return lines

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        self.close()
        try:
            self._file = self.path.open("rb")
        except FileNotFoundError:
            self._file = None

    def _read(self) -> list[str]:
        if self._file is None:
            return []
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [line.decode("utf-8", errors="replace") for line in whole]


class Printer:
    """Lines with their actor's name before them when there are several, each in a colour of its own."""

    def __init__(self, names: Sequence[str], *, coloured: bool) -> None:
        self._names = set(names)
        self._coloured = coloured

    def lines(self, lines: Sequence[tuple[str, str]]) -> None:
        """Print (actor, line) pairs as they come."""
        for name, line in lines:
            print(self._prefix(name) + line)
        if lines:
            sys.stdout.flush()

    def _prefix(self, name: str) -> str:
        # Actors may come while their logs are followed: `parley scale front 4`.
        self._names.add(name)
        if len(self._names) == 1:
            return ""
        prefix = f"{name.ljust(max(map(len, self._names)))} | "
        if not self._coloured:
            return prefix
        # By the name alone, so that an actor keeps its colour from one call to the next.
        return f"\033[{_COLOURS[sum(name.encode()) % len(_COLOURS)]}m{prefix}\033[0m"


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino
