"""Files: how fast they come and go beside a plain handler, what they cost, and what text messages feel of them."""

import asyncio
import contextlib
import functools
import hashlib
import os
import random
import shutil
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.chat import one_pair
from bench.fleet import Fleet
from bench.guests import GuestBook
from bench.house import House, empty, running_house
from bench.limits import bare_files
from bench.orders import Guest
from bench.processes import GENERATOR, cpu, members, spent
from drill.installation import STEP
from drill.transfer import CHUNK, PIECE, Transfer, insist
from supervision import proc

MIB: Final = 2**20
AT_ONCE: Final = 4
LOOK_EVERY: Final = 0.2
READY_WITHIN: Final = 120.0
UNDER_WAY_WITHIN: Final = 30.0
ENDLESS: Final = 2048 * MIB
"""Bytes of a file that is sent for as long as people chat, which is never that long."""

BLOCK: Final = random.Random(0).randbytes(PIECE)  # noqa: S311  (the same in each run)
"""What files are made of, again and again."""

UNCAPPED: Final = {"PARLEY_FILES__RATE_MIB": "0", "PARLEY_FILES__QUOTA_MIB": "0", "PARLEY_FILES__LARGEST_MIB": "8192"}

Members = Callable[[], Awaitable[Mapping[str, Sequence[int]]]]


# The plain handler.


async def bare_transfers(folder: Path, size: int) -> dict[str, Any]:
    """A file of so many bytes, to and from a plain handler in another process, which writes into that folder."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    figures: dict[str, Any] = {}
    async with bare_files(folder) as (port, pid):
        for sync, name in (("end", "fsync at the end"), ("piece", "fdatasync of each piece")):
            figures[f"bare handler, {name}: one upload"] = await _bare_upload(port, pid, sync, size)
        figures["bare handler, sendfile: one download"] = await _bare_download(port, pid, size)
    await asyncio.to_thread(shutil.rmtree, folder)
    return figures


async def _bare_upload(port: int, pid: int, sync: str, size: int) -> dict[str, Any]:
    with Transfer(port, {}) as transfer:

        def append(at: int, end: int) -> None:
            told = {"Upload-Offset": str(at), "Content-Length": str(end - at)}
            transfer.request("PATCH", f"/{sync}/big.bin", told, _body(at, end))

        return await _timed(_pids(handler=[pid]), [lambda: _sent(append, size, size)], size)


async def _bare_download(port: int, pid: int, size: int) -> dict[str, Any]:
    with Transfer(port, {}) as transfer:
        return await _timed(_pids(handler=[pid]), [lambda: transfer.fetch_from("/end/big.bin", _nothing)], size)


# Ours.


async def uncapped(folder: Path, size: int) -> dict[str, Any]:
    """`transfers` in an installation of its own without a cap."""
    installation, book = empty(folder, UNCAPPED), GuestBook()
    pairs = book.pairs(installation, AT_ONCE)
    async with running_house(installation, book) as house:
        return await transfers(house, pairs, size)


async def transfers(house: House, pairs: Sequence[tuple[Guest, Guest]], size: int) -> dict[str, Any]:
    """Files of so many bytes, and what they cost. Four at once have that size together."""
    everybody = functools.partial(members, house.installation, [os.getpid()])
    figures: dict[str, Any] = {}
    async with _watched(await everybody()) as memory:
        figures["one upload"], upload = await _upload(house, everybody, pairs[0], size, size)
    figures["one upload"] |= memory()
    figures["one download"] = await _download(house, everybody, pairs[0], upload, size)
    await _cancel(house, pairs[0][0], upload)
    figures["one upload in pieces of 4 MiB"], upload = await _upload(house, everybody, pairs[0], size, PIECE)
    await _cancel(house, pairs[0][0], upload)
    figures["four uploads at once"] = await _uploads(house, everybody, pairs, size // AT_ONCE)
    return figures


async def _upload(
    house: House, everybody: Members, pair: tuple[Guest, Guest], size: int, piece: int
) -> tuple[dict[str, Any], str]:
    """(figures, the upload's id). `ready_after_ms` is from the last answer until it is ready."""
    ann, bob = pair
    with _transfer(house, ann) as transfer:
        upload = await asyncio.to_thread(_created, transfer, size, bob)
        figures = await _timed(everybody, [lambda: _sent(_appending(transfer, upload), size, piece)], size)
        began = time.perf_counter()
        await _ready(transfer, upload, size)
        return {**figures, "ready_after_ms": round((time.perf_counter() - began) * 1000)}, upload


async def _uploads(house: House, everybody: Members, pairs: Sequence[tuple[Guest, Guest]], size: int) -> dict[str, Any]:
    """Each by another person, all at once, as the page sends them."""
    with contextlib.ExitStack() as stack:
        sendings = []
        for ann, bob in pairs:
            transfer = stack.enter_context(_transfer(house, ann))
            upload = await asyncio.to_thread(_created, transfer, size, bob)
            sendings.append((transfer, upload))
        work = [functools.partial(_sent, _appending(*sending), size, PIECE) for sending in sendings]
        figures = await _timed(everybody, work, size * len(pairs))
        for transfer, upload in sendings:
            await _ready(transfer, upload, size)
        return figures


async def _download(
    house: House, everybody: Members, pair: tuple[Guest, Guest], upload: str, size: int
) -> dict[str, Any]:
    """By its recipient: once to compare it with what was sent, and once for the figures."""
    with _transfer(house, pair[1]) as transfer:
        found = hashlib.sha256()
        await asyncio.to_thread(transfer.fetch, upload, found.update)
        _same(found.hexdigest(), size)
        return await _timed(everybody, [lambda: transfer.fetch(upload, _nothing)], size)


async def _ready(transfer: Transfer, upload: str, size: int) -> None:
    async with asyncio.timeout(READY_WITHIN):
        while True:
            state = await asyncio.to_thread(insist, lambda: transfer.state(upload))
            if state is not None and state["state"] == "ready":
                _same(state["sha256"], size)
                return
            await asyncio.sleep(STEP)


async def _cancel(house: House, guest: Guest, upload: str) -> None:
    with _transfer(house, guest) as transfer:
        await asyncio.to_thread(insist, lambda: transfer.cancel(upload))


# Text beside files.


async def beside_text(
    fleet: Fleet,
    house: House,
    talkers: tuple[tuple[Guest, Guest], tuple[Guest, Guest]],
    senders: Sequence[tuple[Guest, Guest]],
    messages: int,
) -> dict[str, Any]:
    """One pair by itself, and another one while files come in, as fast as the installation lets them."""
    alone = await one_pair(fleet, house.place(fleet), talkers[0], messages)
    # From the first byte on: only whole pieces count, and few messages take less time than one of them.
    began = time.perf_counter()
    async with _sending(house, senders) as counted:
        beside = await one_pair(fleet, house.place(fleet), talkers[1], messages)
        rate = counted() / (time.perf_counter() - began)
    return {
        "alone": alone,
        "beside": beside,
        "mb_a_second": round(rate / 1e6, 1),
        "p50_of_alone": round(beside["p50_ms"] / alone["p50_ms"], 2),
        "p99_of_alone": round(beside["p99_ms"] / alone["p99_ms"], 2),
    }


@contextlib.asynccontextmanager
async def _sending(house: House, pairs: Sequence[tuple[Guest, Guest]]) -> AsyncIterator[Callable[[], int]]:
    """Files that are being sent meanwhile; what is yielded tells how many bytes of them count."""
    stop = threading.Event()
    offsets = dict.fromkeys(range(len(pairs)), 0)

    def send(number: int, ann: Guest, bob: Guest) -> None:
        with _transfer(house, ann) as transfer:
            upload = _created(transfer, ENDLESS, bob)
            append = _appending(transfer, upload)
            while not stop.is_set() and offsets[number] < ENDLESS:
                append(offsets[number], offsets[number] + PIECE)
                offsets[number] += PIECE
            insist(lambda: transfer.cancel(upload))

    tasks = [asyncio.create_task(asyncio.to_thread(send, number, *pair)) for number, pair in enumerate(pairs)]
    try:
        async with asyncio.timeout(UNDER_WAY_WITHIN):
            while not all(offsets.values()):
                if failed := [task for task in tasks if task.done()]:
                    await failed[0]
                await asyncio.sleep(STEP)
        yield lambda: sum(offsets.values())
    finally:
        stop.set()
        await asyncio.gather(*tasks)


# For all.


def _transfer(house: House, guest: Guest) -> Transfer:
    return Transfer(house.installation.port, {"Authorization": f"Bearer {guest.token}"})


def _appending(transfer: Transfer, upload: str) -> Callable[[int, int], object]:
    def append(at: int, end: int) -> None:
        """As any client does it: what is refused for now, or cut, goes on from where it has come to."""
        tried = False

        def go_on() -> None:
            nonlocal at, tried
            if tried:
                at = transfer.offset(upload)
            tried = True
            if at < end:
                transfer.append_from(upload, at, end - at, _body(at, end))

        insist(go_on)

    return append


def _created(transfer: Transfer, size: int, recipient: Guest) -> str:
    return insist(lambda: transfer.create("big.bin", size, recipient.id))


def _sent(append: Callable[[int, int], object], size: int, piece: int) -> None:
    for at in range(0, size, piece):
        append(at, min(at + piece, size))


def _body(at: int, end: int) -> Iterator[memoryview]:
    view = memoryview(BLOCK)
    while at < end:
        begin = at % PIECE
        some = view[begin : begin + min(CHUNK, end - at)]
        yield some
        at += len(some)


@functools.cache
def _digest(size: int) -> str:
    digest = hashlib.sha256()
    for part in _body(0, size):
        digest.update(part)
    return digest.hexdigest()


def _same(found: str, size: int) -> None:
    if found != _digest(size):
        raise RuntimeError(f"the file that arrived is another than was sent: {found}")


def _nothing(_bytes: memoryview) -> None:
    """Nobody looks at these bytes: they were compared before."""


def _pids(**pids: list[int]) -> Members:
    async def known() -> Mapping[str, Sequence[int]]:
        return {**pids, GENERATOR: [os.getpid()]}

    return known


async def _timed(everybody: Members, work: Sequence[Callable[[], object]], size: int) -> dict[str, Any]:
    """What so many bytes took: 10^6 bytes a second, and seconds of processor time a GiB of each process.

    `cpu_allows_mb_a_second` is what that would allow if all processors were busy with it.
    """
    pids = await everybody()
    before, began = cpu(pids), time.perf_counter()
    await asyncio.gather(*(asyncio.to_thread(one) for one in work))
    seconds = time.perf_counter() - began
    costs = {name: cost for name, cost in spent(before, cpu(pids)).items() if cost}
    return {
        "mb_a_second": round(size / seconds / 1e6, 1),
        "cpu_seconds_a_gib": {name: round(cost * 2**30 / size, 2) for name, cost in costs.items()},
        "cpu_allows_mb_a_second": round(size / max(1e-3, sum(costs.values())) * len(os.sched_getaffinity(0)) / 1e6),
    }


@contextlib.asynccontextmanager
async def _watched(pids: Mapping[str, Sequence[int]]) -> AsyncIterator[Callable[[], dict[str, Any]]]:
    """Look at the memory of each process all the while; what is yielded tells of it, in MiB, by proportional set size.

    `memory_growth_mib` is that of the one that grew most over what it had at the beginning.
    """
    watched = {name: some for name, some in pids.items() if name != GENERATOR}

    def look() -> dict[str, float]:
        return {name: sum(proc.own_memory(pid) or 0 for pid in some) / MIB for name, some in watched.items()}

    idle = await asyncio.to_thread(look)
    most = dict(idle)

    async def watch() -> None:
        while True:
            now = await asyncio.to_thread(look)
            most.update({name: max(most[name], now[name]) for name in most})
            await asyncio.sleep(LOOK_EVERY)

    def told() -> dict[str, Any]:
        grown = {name: most[name] - idle[name] for name in idle}
        return {
            "idle_mib": {name: round(value, 1) for name, value in idle.items()},
            "peak_mib": {name: round(value, 1) for name, value in most.items()},
            "memory_growth_mib": round(max(grown.values()), 1),
        }

    watching = asyncio.create_task(watch())
    try:
        yield told
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
