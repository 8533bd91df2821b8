"""`make soak`: what docs/reliability.md promises, shown by killing real processes. Takes a while."""

import argparse
import os
import secrets
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from cli.exits import INTERRUPTED
from drill.installation import free_port
from settings import load
from tests.soak import delivery, doors, file_kills, files, killing, midwrite, noticing, overload, simulated, standins
from tests.soak.figures import Burden, Figure, Report, to_json, to_text, versions
from tests.soak.installation import make
from tests.soak.machine import burden, rabbitmq
from tests.support.fake_installation import Installation


class Numbers(Struct, frozen=True, kw_only=True):
    """How much of each is done; `loop` and `away` are in seconds, `flood` in MB."""

    seed: int
    kills: int
    broker_kills: int
    hangs: int
    supervisors: int
    restarts: int
    loop: float
    flood: int
    fronts: int
    messages: int
    delivery_kills: int
    seeds: int
    rate: float
    midwrites: int
    notifiers: int
    away: float
    unfollowed: int
    file_mib: int
    interruptions: int
    file_kills: int


Part = Callable[[Installation, Numbers, killing.Tell], list[Figure]]

PARTS: dict[str, tuple[bool, Part]] = {
    "recoveries": (True, lambda home, n, tell: killing.recoveries(home, n.seed, n.kills, n.broker_kills, tell)),
    "hangs": (True, lambda home, n, tell: [killing.hangs(home, n.seed, n.hangs, tell)]),
    "supervisors": (True, lambda home, n, tell: [killing.orphans(home, n.supervisors, tell)]),
    "doors": (True, lambda home, n, tell: [doors.doors(home, n.seed, n.fronts, n.rate, tell)]),
    "midwrite": (True, lambda home, n, tell: [midwrite.midwrite(home, n.seed, n.midwrites, tell)]),
    "delivery": (
        True,
        lambda home, n, tell: delivery.delivery(home.folder / "delivery", n.seed, n.messages, n.delivery_kills, tell),
    ),
    "notifier": (True, lambda home, n, tell: [noticing.noticing(home, n.seed, n.notifiers, tell)]),
    "overload": (
        True,
        lambda home, n, tell: overload.overload(
            home.folder / "overload", n.seed, overload.Numbers(n.away, n.unfollowed), tell
        ),
    ),
    "files": (
        True,
        lambda home, n, tell: [
            *files.files(home.folder / "interrupted", n.seed, n.file_mib, n.interruptions, tell),
            file_kills.file_kills(home.folder / "killed", n.seed, n.file_kills, tell),
        ],
    ),
    "restarts": (False, lambda home, n, tell: [standins.restarts(home, n.restarts, tell)]),
    "loops": (
        False,
        lambda home, n, tell: [
            standins.crash_loops(load(environ={}), n.seed, 1000),
            standins.crash_loop(home, n.loop, tell),
        ],
    ),
    "flood": (False, lambda home, n, tell: [standins.flood(home, n.flood, tell)]),
    "simulation": (False, lambda _, n, tell: [simulated.simulation(n.seeds, tell)]),
}
"""Each part with whether it needs whole actors and the broker; the others use stand-ins."""


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 every promise was kept, 1 one was not, 2 usage, 130 interrupted."""
    args = _parser().parse_args(arguments)
    # Whoever ends a soak wants its installation ended, too; in the background of a shell SIGINT would be ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(INTERRUPTED))
    numbers = Numbers(**{name: getattr(args, name) for name in Numbers.__struct_fields__})
    began, start = datetime.now(UTC), time.monotonic()
    figures: list[Figure] = []
    burdens: dict[str, Burden] = {}
    for name in args.parts or PARTS:
        so_far = burden()
        figures += _play(name, numbers)
        burdens[name] = so_far()
    report = Report(
        command=_command(args, numbers.seed),
        seed=numbers.seed,
        began=began.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(time.monotonic() - start, 1),
        versions=versions({"rabbitmq": rabbitmq(), "aiohttp": metadata.version("aiohttp")}),
        cores=os.cpu_count() or 1,
        burden=burdens,
        figures=figures,
    )
    sys.stdout.write(to_text(report) + "\n")
    if args.json is not None:
        args.json.write_bytes(to_json(report))
    return 0 if report.passed else 1


def _play(name: str, numbers: Numbers) -> list[Figure]:
    whole, part = PARTS[name]
    with tempfile.TemporaryDirectory(prefix="parley-soak-") as folder:
        home = make(Path(folder) / "data", free_port(), whole=whole)
        try:
            return part(home, numbers, lambda text: _tell(name, text))
        except (AssertionError, OSError) as error:
            # A wait that was too long is a promise that was broken, and the other parts have theirs to show.
            return [Figure(name=name, goal="comes to its end", measured=f"{type(error).__name__}: {error}", kept=False)]
        finally:
            home.clear()


def _tell(part: str, text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {part}: {text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (all)", choices=[[], *PARTS])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31), help="who is hit when (random)")
    for name, default, text in (
        ("kills", 20, "of each actor"),
        ("broker-kills", 20, "of the broker"),
        ("hangs", 20, "in all"),
        ("supervisors", 20, "kill -9 of the supervisor"),
        ("restarts", 1000, "of stand-ins"),
        ("flood", 1000, "MB that a child prints on one line"),
        ("fronts", 50, "kills of fronts"),
        ("seeds", 20_000, "lived by the simulation of delivery"),
        ("messages", 100_000, "acknowledged while everything is killed, frozen and cut"),
        ("delivery-kills", 500, "of everything meanwhile"),
        ("midwrites", 200, "kills of router in the middle of its writing"),
        ("notifiers", 50, "kills of notifier while people write"),
        ("unfollowed", 20_000, "messages while notifier is stopped"),
        ("file-mib", 100, "MiB of the file that is interrupted"),
        ("interruptions", 50, "of it"),
        ("file-kills", 200, "kills of file_chunker in the midst of its writing"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{text} ({default})")
    parser.add_argument("--rate", type=float, default=200.0, help="new connections a second (200)")
    parser.add_argument("--loop", type=float, default=300.0, help="seconds of a real crash loop (300)")
    parser.add_argument("--away", type=float, default=60.0, help="seconds without a broker while people write (60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, too")
    return parser


def _command(args: argparse.Namespace, seed: int) -> str:
    """What to type to have the same again."""
    given = [f"--{name.replace('_', '-')}={getattr(args, name):g}" for name in Numbers.__struct_fields__[1:]]
    return "make soak ARGS=" + shlex.quote(" ".join([*args.parts, f"--seed={seed}", *given]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
