"""One run: the parts that are wanted, each figure beside the limits that are measured in the same run."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.chat import Pairs, many_pairs, one_pair
from bench.figures import BARE
from bench.files import AT_ONCE, MIB, bare_transfers, beside_text, transfers, uncapped
from bench.fleet import Fleet, running_fleet
from bench.growth import grown
from bench.guests import GuestBook
from bench.house import House, empty, running_house
from bench.limits import bare_commit, bare_hop, bare_loop, bare_socket, generator_alone, strangers
from bench.offline import absent, come_back
from bench.orders import Guest
from bench.sockets import idle_sockets

PARTS = ("limits", "pair", "pairs", "sockets", "offline", "files", "growth")
CHATS = frozenset({"limits", "pair", "pairs", "files"})
WAITS = frozenset({"sockets", "offline"})
USUAL = ("limits", "pair", "pairs", "sockets", "offline", "files")
ALONE_SECONDS = 4.0


class Wanted(Struct, frozen=True, kw_only=True):
    """What to measure. `bare`: whether the chats are held against a bare loop of the same hops and commits.

    `together`: all on one installation, which is quicker: what comes first leaves its traces, and files come in under
    the cap that an installation has by default.
    `profile`: the folder for what py-spy sees of the actors while many pairs type, a folder for each number of
    outstanding messages; it takes processor time of its own.
    """

    parts: frozenset[str]
    messages: int
    pairs: int
    outstanding: tuple[int, ...]
    seconds: float
    sockets: int
    calm: float
    waiting: tuple[int, ...]
    history: tuple[int, ...]
    contacts: tuple[int, ...]
    workers: int
    file_mib: int
    bare: bool = True
    together: bool = False
    profile: Path | None = None


class _Cast(Struct, frozen=True):
    """Who chats: one pair by itself, and many for each number of outstanding messages.

    Two pairs chat without and with others beside them who send files.
    """

    pair: tuple[Guest, Guest]
    crowds: Mapping[int, Pairs]
    talkers: tuple[tuple[Guest, Guest], tuple[Guest, Guest]]
    senders: Pairs


async def measure(wanted: Wanted) -> dict[str, Any]:
    """All figures by name."""
    figures: dict[str, Any] = {}
    # Sockets in an installation of their own: memory that the chats have freed would hide what sockets take.
    groups = [WAITS | CHATS] if wanted.together else [CHATS, WAITS]
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        for number, group in enumerate(groups):
            if parts := wanted.parts & group:
                figures |= await _measure(Path(folder, str(number)), wanted, parts)
        if "files" in wanted.parts:
            figures |= await bare_transfers(Path(folder, "bare"), wanted.file_mib * MIB)
            if not wanted.together:
                figures |= await uncapped(Path(folder, "uncapped"), wanted.file_mib * MIB)
    if "growth" in wanted.parts:
        figures |= await _growth(wanted)
    return figures


async def _measure(folder: Path, wanted: Wanted, parts: frozenset[str]) -> dict[str, Any]:
    """These parts, on one installation."""
    installation, book = empty(folder), GuestBook()
    cast = _Cast(
        book.pairs(installation, 1)[0],
        {outstanding: book.pairs(installation, wanted.pairs) for outstanding in wanted.outstanding},
        (book.pairs(installation, 1)[0], book.pairs(installation, 1)[0]),
        book.pairs(installation, AT_ONCE),
    )
    guests = book.invite(installation, wanted.sockets) if "sockets" in parts else []
    away = [await absent(installation, book, waiting) for waiting in wanted.waiting if "offline" in parts]
    async with running_house(installation, book) as house, running_fleet(wanted.workers) as fleet:
        figures: dict[str, Any] = {}
        if "sockets" in parts:
            figures[f"{wanted.sockets} idle sockets"] = await idle_sockets(fleet, house, guests, wanted.calm)
            await house.sockets(0)
        for one in away:
            figures[f"offline, {one.waiting} waiting"] = await come_back(fleet, house, one)
        if parts & CHATS:
            figures |= await _chats(folder, house, fleet, wanted, cast)
        return figures


async def _chats(folder: Path, house: House, fleet: Fleet, wanted: Wanted, cast: _Cast) -> dict[str, Any]:
    figures: dict[str, Any] = {"start": {"seconds_to_ready": round(house.seconds_to_ready, 2), **await house.memory()}}
    if "limits" in wanted.parts:
        figures |= await _limits(folder, house, fleet, wanted)
    if wanted.bare and wanted.parts & {"pair", "pairs"}:
        figures |= await _bare_chats(folder, house, fleet, wanted)
    if "pair" in wanted.parts:
        figures["one pair"] = await one_pair(fleet, house.place(fleet), cast.pair, wanted.messages)
    if "pairs" in wanted.parts:
        for outstanding, crowd in cast.crowds.items():
            name = f"{wanted.pairs} pairs x {outstanding}"
            place = house.place(fleet, profile=wanted.profile and wanted.profile / str(outstanding))
            figures[name] = await many_pairs(fleet, place, crowd, outstanding, wanted.seconds)
    if "files" in wanted.parts:
        figures["text beside four uploads"] = await beside_text(
            fleet, house, cast.talkers, cast.senders, wanted.messages
        )
        if wanted.together:
            figures |= await transfers(house, cast.senders, wanted.file_mib * MIB)
    return {**figures, "after the chats": await house.memory()}


async def _limits(folder: Path, house: House, fleet: Fleet, wanted: Wanted) -> dict[str, Any]:
    most = max(wanted.outstanding)
    return {
        "bare WebSocket echo": await bare_socket(wanted.messages),
        "bare AMQP hop": await bare_hop(house.broker_url, wanted.messages),
        "bare AMQP hop, transient": await bare_hop(house.broker_url, wanted.messages, durable=False),
        "bare commit with fsync": await bare_commit(folder, wanted.messages),
        f"load generator alone: {wanted.pairs} pairs x {most}": await generator_alone(
            fleet, wanted.pairs, most, min(wanted.seconds, ALONE_SECONDS)
        ),
    }


async def _bare_chats(folder: Path, house: House, fleet: Fleet, wanted: Wanted) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    fronts = len(await house.fronts())
    async with bare_loop(fleet, house.broker_url, folder, await house.pid("broker"), fronts) as place:
        if "pair" in wanted.parts:
            figures[f"{BARE}one pair"] = await one_pair(fleet, place, strangers(1)[0], wanted.messages)
        if "pairs" in wanted.parts:
            for outstanding in wanted.outstanding:
                crowd = strangers(wanted.pairs)
                name = f"{BARE}{wanted.pairs} pairs x {outstanding}"
                figures[name] = await many_pairs(fleet, place, crowd, outstanding, wanted.seconds)
    return figures


async def _growth(wanted: Wanted) -> dict[str, Any]:
    few, shortest = wanted.contacts[0], wanted.history[0]
    cases = [(history, few) for history in wanted.history] + [(shortest, many) for many in wanted.contacts[1:]]
    return {
        f"growth: {history} stored, {contacts} contacts": await grown(
            history=history,
            contacts=contacts,
            pairs=wanted.pairs,
            outstanding=max(wanted.outstanding),
            seconds=wanted.seconds,
            workers=wanted.workers,
        )
        for history, contacts in cases
    }
