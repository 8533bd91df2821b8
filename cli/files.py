"""`parley files report|sweep`: what files take, and taking away what nobody wants any more.

`report` reads the ledger, the log of messages and the folder, and needs nothing that runs; `sweep` asks file_chunker.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from msgspec import Struct, structs

from cli.asking import ask
from cli.exits import FAILED, CommandError
from protocols.errors import Refusal
from protocols.files import SweepFiles
from settings import Paths, load
from storage import Reader
from storage.blobs import DirectoryBlobs, Stored
from storage.file_uploads import Total
from storage.files import FILES
from storage.router import ROUTER

WITHIN: Final = 120.0
"""Seconds that a sweep may take."""
PAGE: Final = 200
PEOPLE: Final = 20
MIB: Final = 1024 * 1024


class Kind(Struct, frozen=True):
    files: int
    bytes: int


class Report(Struct, frozen=True):
    """`unreferenced`: finished, and no message refers to them; None when the messages cannot be read.

    `strays`: on the disk, and unknown to the ledger or ended there. Both go with a sweep when they are a day old, but
    for strays that a message refers to and the ledger does not know.
    """

    by_state: list[Total]
    by_person: list[Total]
    unreferenced: Kind | None
    strays: Kind
    free: int


def add_parser(subparsers: Any) -> None:
    """Add `files` and what it does."""
    files = subparsers.add_parser("files", help="what files take: report, sweep")
    actions = files.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, act, text in (
        ("report", _report, "show how many files there are, in what state, whose, and what nobody needs"),
        ("sweep", _sweep, "take away now what is abandoned, unreferenced or unknown for a day"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--json", action="store_true", help="as JSON")
        action.set_defaults(run=run, act=act)


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 refused or nobody there to do it."""
    act: Callable[[argparse.Namespace], str] = args.act
    try:
        print(act(args))
    except Refusal as refusal:
        raise CommandError(f"{refusal.body.message} `parley status` shows what runs.", FAILED) from refusal
    return 0


def _report(args: argparse.Namespace) -> str:
    paths = Paths.of(load())
    if not paths.database(FILES.name).exists():
        raise CommandError("there are no files yet: file_chunker makes its database when it first runs, by `parley up`")
    report = asyncio.run(reported(paths))
    return json.dumps(_plain(report), ensure_ascii=False) if args.json else _written(report)


def _sweep(args: argparse.Namespace) -> str:
    swept = ask("file_chunker", SweepFiles(), WITHIN)
    if args.json:
        return json.dumps(structs.asdict(swept))
    return (
        f"{swept.expired} abandoned uploads, {swept.unreferenced} files that no message refers to and "
        f"{swept.strays} unknown files are gone; {_mib(swept.freed)} are free again"
    )


async def reported(paths: Paths) -> Report:
    """What there is now, read while others write."""
    ledger, router = Reader(FILES, paths.databases), Reader(ROUTER, paths.databases)
    blobs = DirectoryBlobs(paths.blobs)
    try:
        return Report(
            by_state=await ledger.read(lambda tx: tx.uploads.by_state()),
            by_person=await ledger.read(lambda tx: tx.uploads.by_person(PEOPLE)),
            unreferenced=await _unreferenced(ledger, router),
            strays=await _strays(ledger, blobs),
            free=await asyncio.to_thread(blobs.free),
        )
    finally:
        await ledger.close()
        await router.close()


async def _unreferenced(ledger: Reader[Any], router: Reader[Any]) -> Kind | None:
    count = size = 0
    after = ""
    while page := await ledger.read(lambda tx, after=after: tx.uploads.ready(after, PAGE)):  # type: ignore[misc]
        after = page[-1].id
        ids = [state.id for state in page]
        try:
            referred = await router.read(lambda tx, ids=ids: tx.messages.files_referred(ids))  # type: ignore[misc]
        except Refusal as refusal:
            print(f"parley: {refusal.body.message}", file=sys.stderr)
            return None
        alone = [state.size for state in page if state.id not in referred]
        count, size = count + len(alone), size + sum(alone)
    return Kind(count, size)


async def _strays(ledger: Reader[Any], blobs: DirectoryBlobs) -> Kind:
    count = size = 0
    stored = blobs.stored()
    while page := await asyncio.to_thread(_some, stored):
        ids = [one.id for one in page]
        living = await ledger.read(lambda tx, ids=ids: tx.uploads.living(ids))  # type: ignore[misc]
        alone = [one.bytes for one in page if one.id not in living]
        count, size = count + len(alone), size + sum(alone)
    return Kind(count, size)


def _some(stored: Iterator[Stored]) -> list[Stored]:
    return list(islice(stored, PAGE))


def _plain(report: Report) -> dict[str, Any]:
    return {
        "by_state": {one.kind: {"files": one.uploads, "bytes": one.bytes} for one in report.by_state},
        "by_person": [{"person": one.kind, "files": one.uploads, "bytes": one.bytes} for one in report.by_person],
        "unreferenced": report.unreferenced and structs.asdict(report.unreferenced),
        "strays": structs.asdict(report.strays),
        "free": report.free,
    }


def _written(report: Report) -> str:
    lines = [_line(one.kind, one.uploads, one.bytes) for one in report.by_state] or ["no files yet"]
    if report.unreferenced is None:
        lines.append(f"{'unreferenced':<34} unknown: the messages cannot be read")
    else:
        lines.append(_line("unreferenced", report.unreferenced.files, report.unreferenced.bytes))
    lines.append(_line("strays", report.strays.files, report.strays.bytes))
    lines.append(f"{'free on the disk':<34} {'':>8} {_mib(report.free):>14}")
    lines += ["", *(_line(one.kind, one.uploads, one.bytes) for one in report.by_person)]
    return "\n".join(lines).rstrip()


def _line(kind: str, files: int, size: int) -> str:
    return f"{kind:<34} {files:>8} {_mib(size):>14}"


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"
