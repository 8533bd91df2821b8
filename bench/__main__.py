"""`python -m bench [PART ...]`: measure throw-away installations, each figure beside what the machine can do at best.

Parts: limits, pair, pairs, sockets, offline, files; and growth, which takes minutes and is done only when it is named.
"""

import argparse
import asyncio
import json
import resource
import sys
from pathlib import Path

import uvloop

from bench.report import lines, load, report
from bench.run import PARTS, USUAL, Wanted, measure


def main() -> int:
    """Print a table, and write the same as JSON where that is wanted. 0, whatever the figures are."""
    args = _parser().parse_args()
    # A descriptor a socket, in the workers that are started from here.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = Wanted(
        parts=frozenset(args.parts or USUAL),
        messages=args.messages,
        pairs=args.pairs,
        outstanding=args.outstanding,
        seconds=args.seconds,
        sockets=args.sockets,
        calm=args.calm,
        waiting=args.waiting,
        history=args.history,
        contacts=args.contacts,
        workers=args.workers,
        file_mib=args.file_mib,
        bare=args.bare,
        together=args.together,
        profile=args.profile,
    )
    before = load()
    runs = [uvloop.run(measure(wanted)) for _ in range(args.repeat)]
    whole = report(runs, before=before, after=load())
    for line in lines(whole):
        print(line)
    if args.json:
        args.json.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", choices=[[], *PARTS], metavar="PART", help="all but growth if none is named"
    )
    parser.add_argument("--repeat", type=int, default=1, help="so many runs, and the medians of them")
    parser.add_argument("--messages", type=int, default=2000, help="messages of the single pair, and of each limit")
    parser.add_argument("--pairs", type=int, default=50, help="pairs who type at the same time")
    parser.add_argument("--outstanding", type=_numbers, default=(1, 20), help="unanswered messages of each pair")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the pairs type, after a warm-up")
    parser.add_argument(
        "--no-bare", dest="bare", action="store_false", help="do without the bare loop beside the chats"
    )
    parser.add_argument("--sockets", type=int, default=5000, help="idle sockets")
    parser.add_argument("--calm", type=float, default=4.0, help="seconds of silence before sockets are looked at")
    parser.add_argument("--waiting", type=_numbers, default=(1_000, 20_000), help="messages for who was offline")
    parser.add_argument("--history", type=_numbers, default=(10_000, 1_000_000, 5_000_000), help="stored messages")
    parser.add_argument("--contacts", type=_numbers, default=(10, 1_000), help="contacts of each person of the pairs")
    parser.add_argument("--file-mib", type=int, default=256, help="MiB of a file; 2048 for what memory it takes")
    parser.add_argument("--workers", type=int, default=2, help="processes of the load generator")
    parser.add_argument("--together", action="store_true", help="sockets and chats on one installation: quicker")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="look where the actors' time goes, by py-spy")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here, too")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


if __name__ == "__main__":
    # Nothing here is worth a traceback when somebody presses Ctrl-C.
    try:
        sys.exit(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
