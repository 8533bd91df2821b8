"""`parley status`: a table at a glance, JSON for scripts, or the table again and again."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

from cli import colour
from settings import Paths, load
from supervision.client import ControlError, NothingRunningError, Request, ask, measure

_PERIOD = 1.0
_COLOURS = {"running": 32, "starting": 36, "stopping": 36, "stopped": 90, "backoff": 33, "failing": 31}
_HEADINGS = ("ACTOR", "STATE", "PID", "UPTIME", "RESTARTS", "LAST EXIT", "DEPTH", "MSG/S", "MEMORY")
_RIGHT = {2, 3, 4, 6, 7, 8}


def add_parser(subparsers: Any) -> None:
    """Add status."""
    parser = subparsers.add_parser("status", help="show every actor: state, uptime, restarts, mailbox, memory")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON for scripts")
    how.add_argument("--watch", action="store_true", help="show it again every second until Ctrl-C")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 done, 3 nothing is running."""
    paths = Paths.of(load())
    if args.watch:
        return _watch(paths)
    status = snapshot(paths)
    if args.json:
        print(json.dumps(status, indent=2))
    else:
        print(table(status, coloured=colour.wanted(), width=_width()))
    return 0


def snapshot(paths: Paths) -> dict[str, Any]:
    """The supervisor's answer with each process's memory in bytes. Raises NothingRunningError."""
    status: dict[str, Any] = measure(ask(paths, Request("status")))
    return status


def _watch(paths: Paths) -> int:
    print("\033[?25l\033[2J", end="")
    try:
        while True:
            try:
                text = table(snapshot(paths), coloured=colour.wanted(), width=_width())
            except NothingRunningError:
                text = "nothing is running: `parley up`"
            except TimeoutError:
                text = "the supervisor does not answer in time: `parley doctor` says what to do"
            except ControlError as error:
                text = str(error)
            # Over the old one, so that nothing flickers; what is left of longer lines and more of them is cleared.
            lines = "".join(f"{line}\033[K\n" for line in text.splitlines())
            print(f"\033[H{lines}\033[J", end="", flush=True)
            time.sleep(_PERIOD)
    finally:
        print("\033[?25h", end="", flush=True)


def table(status: dict[str, Any], *, coloured: bool, width: int) -> str:
    """The whole answer as text of at most `width` columns."""
    rows = [_row(actor) for actor in status["actors"]]
    widths = [max(len(row[column]) for row in (_HEADINGS, *rows)) for column in range(len(_HEADINGS))]
    lines = [_line(_HEADINGS, widths)[:width]]
    for actor, row in zip(status["actors"], rows, strict=True):
        line = _line(row, widths)[:width].rstrip()
        lines.append(f"\033[{_COLOURS[actor['state']]}m{line}\033[0m" if coloured else line)
    memories = [one["memory"] for one in (status["supervisor"], *status["actors"]) if one["memory"]]
    supervisor = status["supervisor"]
    life = f"supervisor {supervisor['pid']}, up {span(supervisor['uptime'])}"
    lines += ["", f"{supervisor['address']} · {life} · {size(sum(memories))} of memory in all"]
    if alarm := supervisor.get("alarm"):
        text = f"ALARM: {alarm}: `parley logs` may say what they have in common"[:width]
        lines.append(f"\033[{_COLOURS['failing']}m{text}\033[0m" if coloured else text)
    return "\n".join(lines)


def _row(actor: dict[str, Any]) -> tuple[str, ...]:
    return (
        actor["name"],
        actor["state"],
        _or_dash(actor["pid"]),
        "-" if actor["uptime"] is None else span(actor["uptime"]),
        str(actor["restarts"]),
        _or_dash(actor["last_exit"])[:40],
        _or_dash(actor["depth"]),
        "-" if actor["rate"] is None else f"{actor['rate']:.1f}",
        "-" if actor["memory"] is None else size(actor["memory"]),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = (
        cell.rjust(wide) if column in _RIGHT else cell.ljust(wide)
        for column, (cell, wide) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(parts)


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def span(seconds: float) -> str:
    """A duration in its two largest units: 42s, 3m07s, 5h12m, 2d03h."""
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if not minutes:
        return f"{whole}s"
    if not hours:
        return f"{minutes}m{whole % 60:02d}s"
    if not days:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{days}d{hours % 24:02d}h"


def size(count: int) -> str:
    """Bytes in whole MiB, as memory is talked about."""
    return f"{count / (1 << 20):.0f} MiB"


def _width() -> int:
    return shutil.get_terminal_size((120, 40)).columns if sys.stdout.isatty() else 1000
