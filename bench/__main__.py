"""`python -m bench [pair] [pairs] [--json FILE]`: measure a throw-away installation, each figure beside a bare loop."""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop

from bench.chat import Place, many_pairs, one_pair
from bench.fleet import running_fleet
from bench.guests import GuestBook
from bench.limits import bare_commit, bare_socket
from bench.processes import members
from drill.installation import Installation

UNLIMITED = {
    "PARLEY_LIMITS__MESSAGES_PER_SECOND": "0",
    "PARLEY_LIMITS__REQUESTS_PER_HOUR": "0",
    "PARLEY_LIMITS__LOGINS_WAITING": "10000",
}


def main() -> int:
    """Print a table, and write the same as JSON where that is wanted."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("what", nargs="*", choices=["pair", "pairs"])
    parser.add_argument("--messages", type=int, default=2000, help="messages of the single pair")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the many pairs type")
    parser.add_argument("--outstanding", type=int, nargs="+", default=[1, 20], help="unanswered messages of each")
    parser.add_argument("--workers", type=int, default=2, help="processes of the load generator")
    parser.add_argument("--json", type=Path, help="write the report here, too")
    args = parser.parse_args()
    report = uvloop.run(_measure(set(args.what) or {"pair", "pairs"}, args))
    _print(report)
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


async def _measure(what: set[str], args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        figures: dict[str, Any] = {
            "bare WebSocket echo": await bare_socket(args.messages),
            "bare commit with fsync": await bare_commit(Path(folder), args.messages),
        }
        installation = Installation(Path(folder, "data"), UNLIMITED)
        book = GuestBook()
        (alone,) = book.pairs(installation, 1)
        crowds = {outstanding: book.pairs(installation, 50) for outstanding in args.outstanding}
        await book.write(installation)
        try:
            await installation.start()
            async with running_fleet(args.workers) as fleet:
                place = Place(installation.port, lambda: members(installation, fleet.pids))
                if "pair" in what:
                    figures["one pair, closed loop"] = await one_pair(fleet, place, alone, args.messages)
                if "pairs" in what:
                    for outstanding, pairs in crowds.items():
                        name = f"50 pairs, {outstanding} outstanding"
                        figures[name] = await many_pairs(fleet, place, pairs, outstanding, args.seconds)
            figures["memory"] = await _memory(installation)
        finally:
            await installation.stop()
    return {
        "machine": {"processors": len(os.sched_getaffinity(0)), "kernel": platform.release()},
        "versions": {name: version(name) for name in ("aiohttp", "aiormq", "aiosqlite", "uvloop")},
        "command": " ".join(sys.argv),
        "figures": figures,
    }


async def _memory(installation: Installation) -> dict[str, float]:
    _, printed = await installation.parley("status", "--json")
    status = json.loads(printed)
    rows = {"supervisor": status["supervisor"], **{row["name"]: row for row in status["actors"]}}
    figures = {f"{name}_mib": round(row["memory"] / 2**20, 1) for name, row in rows.items()}
    return {**figures, "all_mib": round(sum(figures.values()), 1)}


def _print(report: dict[str, Any]) -> None:
    for name, figures in report["figures"].items():
        print(name)
        for key, value in figures.items():
            print(f"    {key:<28} {value}")


if __name__ == "__main__":
    # Nothing here is worth a traceback when somebody presses Ctrl-C.
    try:
        sys.exit(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
