"""`make chaos`: kill, freeze and cut everything while people chat, and account for every message."""

import argparse
import asyncio
import os
import secrets
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import msgspec
from msgspec import structs

from cli.exits import INTERRUPTED
from tests.chaos import delivery, run
from tests.chaos.delivery import Wanted
from tests.chaos.faults import FAULTS
from tests.chaos.record import Begun, read
from tests.chaos.report import ROUTER, Outcome, figures, outcome
from tests.soak.figures import Burden, Report, to_json, to_text, versions
from tests.soak.machine import burden, rabbitmq

KINDS = {"small": delivery.SMALL, "release": delivery.RELEASE, "recovery": delivery.RECOVERY}
COUNTS = ("kills", "broker-kills", "supervisor-kills", "freezes", "network", "faults")


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 every promise was kept, 1 one was not, 2 usage, 130 interrupted."""
    args = _parser().parse_args(arguments)
    # Whoever ends it wants its installation ended, too; in the background of a shell SIGINT would be ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(INTERRUPTED))
    if args.judge:
        outcomes = [outcome(read(log)) for log in args.judge]
        return _report(args, outcomes, f"--judge {shlex.join(map(str, args.judge))}", outcomes[0].seed, {})
    wanted = _wanted(args)
    every = [again(args.replay)] if args.replay else _orders(args.kind, wanted)
    so_far = burden()
    with tempfile.TemporaryDirectory(prefix="parley-chaos-") as spare:
        outcomes = asyncio.run(delivery.carry_out(every, args.folder or Path(spare), FAULTS, _tell))
    command = f"--replay {args.replay}" if args.replay else _command(args.kind, wanted)
    return _report(args, outcomes, command, every[0].seed if args.replay else wanted.seed, {args.kind: so_far()})


def _orders(kind: str, wanted: Wanted) -> list[Begun]:
    names = [fault.name for fault in FAULTS]
    return delivery.orders(wanted, names, (ROUTER,) if kind == "recovery" else run.ACTORS)


def again(log: Path) -> Begun:
    """The very same schedule, people and rates as in a log."""
    first = next(iter(read(log)))
    if not isinstance(first, Begun):
        raise SystemExit(f"{log} is not the log of a run")
    return structs.replace(first, began="")


def _wanted(args: argparse.Namespace) -> Wanted:
    default = KINDS[args.kind]
    given = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in (*COUNTS, "pace", "longest")}
    size = structs.replace(default.size, **{name: value for name, value in given.items() if value is not None})
    more = {name: getattr(args, name) for name in ("messages", "pairs", "rate", "pieces")}
    return structs.replace(
        default, seed=args.seed, size=size, **{name: value for name, value in more.items() if value is not None}
    )


def _command(kind: str, wanted: Wanted) -> str:
    """What to type to have the same again."""
    size = msgspec.to_builtins(wanted.size)
    given = [f"--{name.replace('_', '-')} {value:g}" for name, value in size.items()]
    given += [f"--{name} {getattr(wanted, name):g}" for name in ("messages", "pairs", "rate", "pieces")]
    return "make chaos ARGS=" + shlex.quote(f"{kind} --seed {wanted.seed} {' '.join(given)}")


def _report(
    args: argparse.Namespace, outcomes: Sequence[Outcome], command: str, seed: int, burdens: dict[str, Burden]
) -> int:
    report = Report(
        command=command,
        seed=seed,
        began=outcomes[0].began,
        seconds=round(sum(one.seconds for one in outcomes), 1),
        versions=versions({name: metadata.version(name) for name in ("aiohttp", "aiormq")} | {"rabbitmq": rabbitmq()}),
        cores=os.cpu_count() or 1,
        burden=burdens,
        figures=figures(outcomes, alone=args.kind == "recovery" and not args.replay),
    )
    sys.stdout.write(to_text(report) + "\n")
    if args.json is not None:
        args.json.write_bytes(to_json(report))
    return 0 if report.passed else 1


def _tell(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("kind", nargs="?", choices=KINDS, default="small", help="how much of it (small)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 20), help="what is done when (random)")
    for name, text in zip(
        COUNTS,
        (
            "SIGKILL to actors",
            "SIGKILL to the broker",
            "SIGKILL to the supervisor",
            "SIGSTOP for a while",
            "times a bad network",
            "rounds of all special faults",
        ),
        strict=True,
    ):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=text)
    parser.add_argument("--pace", type=float, metavar="SECONDS", help="mean between two steps")
    parser.add_argument("--longest", type=float, metavar="SECONDS", help="of a freeze")
    parser.add_argument("--messages", type=int, metavar="N", help="to be acknowledged at least")
    parser.add_argument("--pairs", type=int, metavar="N", help="of people")
    parser.add_argument("--rate", type=float, metavar="N", help="messages a second of all")
    parser.add_argument("--pieces", type=int, metavar="N", help="installations, one after the other")
    parser.add_argument("--folder", type=Path, help="keep logs there, and go on where they end")
    parser.add_argument("--replay", type=Path, metavar="LOG", help="carry out the schedule of a log again")
    parser.add_argument("--judge", type=Path, metavar="LOG", action="append", help="only judge logs that are there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, too")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
