"""`parley demo`: watch parts being killed, stopped and replaced while people chat, in an installation of its own."""

import argparse
import asyncio
import contextlib
import functools
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.exits import DONE, FAILED, INTERRUPTED, CommandError

if TYPE_CHECKING:
    from drill.demos import Demo
    from drill.report import Report
    from drill.show import Bill

_DEMOS = {
    "crash": "kill every actor, both fronts and the broker, again and again (this is the default)",
    "stop": "stop one actor after the other, and see what still works",
    "broker": "take the broker away and bring it back",
    "upgrade": "restart every actor in turn, as a new version would",
    "tour": "two minutes for everybody: what each actor does, and what happens without it",
}
_MOST_PAIRS = 100
_LEAST_MINUTES, _MOST_MINUTES = 0.3, 600.0


def add_parser(subparsers: Any) -> None:
    """Add demo."""
    listed = "\n".join(f"  {name:<9}{text}" for name, text in _DEMOS.items())
    parser = subparsers.add_parser(
        "demo",
        help="watch actors being killed while simulated people chat",
        description="Simulated people chat over real connections while their installation is killed. Every message\n"
        f"is accounted for. It runs in a directory and on ports of its own.\n\n{listed}",
        epilog="Exit codes: 0 the promise was kept, 1 it was broken, 130 interrupted with Ctrl-C and kept so far.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("demo", nargs="?", choices=_DEMOS, default="crash", metavar="DEMO", help=", ".join(_DEMOS))
    parser.add_argument("--minutes", type=_number(_LEAST_MINUTES, _MOST_MINUTES), help="how long crash kills (1)")
    parser.add_argument("--pairs", type=_number(1, _MOST_PAIRS, int), default=4, help="pairs of people (4)")
    parser.add_argument("--rate", type=_number(0.1, 5000), default=20.0, help="messages a second, of all of them (20)")
    parser.add_argument("--seed", type=_number(0, 2**63, int), help="who is hit when, and who types what (random)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="hit as a deeds.log of a kept crash says")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole report to a file")
    parser.add_argument("--keep", action="store_true", help="keep the installation's directory: logs, databases, deeds")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Exit codes: 0 kept, 1 broken or could not start, 2 wrong use, 130 interrupted."""
    # Here, because it takes a quarter of a second that no other command should pay.
    from drill.installation import DrillError  # noqa: PLC0415
    from drill.report import to_json, to_text  # noqa: PLC0415
    from drill.show import Bill  # noqa: PLC0415
    from drill.stage import Cast, InterruptedShowError  # noqa: PLC0415

    if args.demo != "crash" and (args.minutes or args.replay):
        parser.error(f"--minutes and --replay are for crash; {args.demo} takes the time it takes")
    cast = Cast(args.pairs, args.rate, secrets.randbelow(1 << 31) if args.seed is None else args.seed)
    bill = Bill(args.demo, _command(args, cast.seed), cast)
    demo = _demo(args)
    with _folder(keep=args.keep) as folder:
        try:
            report = asyncio.run(_perform(bill, demo, folder))
        except DrillError as error:
            raise CommandError(f"the demonstration cannot go on: {error}") from error
        except InterruptedShowError:
            return INTERRUPTED
    print(to_text(report))
    if not report.passed:
        print(f"  To see it again: {bill.command} --keep")
    if args.json is not None:
        _write(args.json, to_json(report))
    return _code(report)


def _code(report: "Report") -> int:
    if not report.passed:
        return FAILED
    return INTERRUPTED if report.interrupted else DONE


async def _perform(bill: "Bill", demo: "Demo", folder: Path) -> "Report":
    from drill.show import perform  # noqa: PLC0415  (as above)

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    playing = asyncio.ensure_future(perform(bill, demo, folder, sys.stdout, stop=stop))

    def asked() -> None:
        # Once: end with the account so far. Twice: end. Its installation is stopped in either case.
        if stop.is_set():
            playing.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked)
    try:
        return await playing
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _demo(args: argparse.Namespace) -> "Demo":
    from drill import demos, nemesis  # noqa: PLC0415  (as above)

    if args.demo != "crash":
        made: Demo = {"stop": demos.stop, "broker": demos.broker, "upgrade": demos.upgrade, "tour": demos.tour}[
            args.demo
        ]()
        return made
    deeds: tuple[nemesis.Deed, ...] = ()
    if args.replay is not None:
        try:
            deeds = nemesis.read(args.replay.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{args.replay} cannot be replayed: {error}") from error
        if not deeds:
            raise CommandError(f"{args.replay} cannot be replayed: it is empty")
    return demos.crash(60.0 * (args.minutes or 1.0), deeds)


def _command(args: argparse.Namespace, seed: int) -> str:
    """What to type to see the same again."""
    words = ["parley", "demo", args.demo, "--pairs", str(args.pairs), "--rate", f"{args.rate:g}", "--seed", str(seed)]
    if args.minutes:
        words += ["--minutes", f"{args.minutes:g}"]
    if args.replay is not None:
        words += ["--replay", str(args.replay)]
    return shlex.join(words)


@contextlib.contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """A directory of its own, away from any installation's data."""
    folder = Path(tempfile.mkdtemp(prefix="parley-demo-"))
    try:
        yield folder
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, text: bytes) -> None:
    try:
        path.write_bytes(text)
    except OSError as error:
        raise CommandError(f"the report cannot be written to {path}: {error.strerror}") from error


def _number(least: float, most: float, kind: type[int] | type[float] = float) -> Any:
    """A parser of numbers from `least` to `most`, with a sentence for the others."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least:g} to {most:g}")
        return value

    return parse
