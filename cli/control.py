"""`parley down|start|stop|restart|kill|scale`: one request to the supervisor each."""

import argparse
from typing import Any

from settings import Paths, Settings, load
from supervision.client import ask
from supervision.control import Operation, Request

_HELP: dict[Operation, str] = {
    "start": "start an actor that was stopped, or that failed for good",
    "stop": "stop an actor; it stays down until `start` or the supervisor's next start",
    "restart": "stop and start an actor; several copies one after the other",
    "kill": "end an actor with SIGKILL, to see what a crash does",
}


def add_parser(subparsers: Any) -> None:
    """Add down, start, stop, restart, kill and scale."""
    down = subparsers.add_parser("down", help="stop everything")
    down.set_defaults(run=run, op="down", name="", count=0)
    for op, text in _HELP.items():
        parser = subparsers.add_parser(op, help=text)
        parser.add_argument("name", metavar="ACTOR", help="auth, router, ..., front (all), front.2 (one), or broker")
        parser.set_defaults(run=run, op=op, count=0)
    scale = subparsers.add_parser("scale", help="run so many copies of front")
    scale.add_argument("name", metavar="ACTOR", help="front")
    scale.add_argument("count", metavar="N", type=int, help="how many")
    scale.set_defaults(run=run, op="scale")


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 refused or failed, 3 nothing is running."""
    settings = load()
    ask(Paths.of(settings), Request(args.op, args.name, args.count), _patience(settings))
    print(_done(args))
    return 0


def _patience(settings: Settings) -> float:
    """Seconds within which the slowest of these ends by itself: rolling every copy of the front."""
    one = settings.supervision.start_wait + settings.supervision.stop_timeout
    return one * (settings.web.fronts + 1) + 60.0


def _done(args: argparse.Namespace) -> str:
    match args.op:
        case "down":
            return "everything has stopped"
        case "scale":
            return f"{args.name} runs {args.count} times" if args.count > 1 else f"{args.name} runs once"
        case "stop":
            return f"{args.name} is stopped until `parley start {args.name}`"
        case "kill":
            return f"{args.name} was killed; `parley status` shows its return"
        case _:
            return f"{args.name} is running"
