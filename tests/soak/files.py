"""One big file that is interrupted again and again, in the midst of a body each time, and what becomes of it."""

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from drill.installation import Installation, running_installation
from drill.person import HttpError, Person
from drill.report import Spread, spread
from drill.transfer import PIECE, Transfer, insist
from drill.waiting import end_all
from tests.chaos import evidence
from tests.soak.figures import Figure, within
from tests.soak.killing import Tell
from tests.support.connections import holder
from tests.support.proxy import Link, Proxy, running_proxy
from tests.support.uploading import CHUNK, Disk, Uploader, noise
from tests.support.waiting import SCALE, eventually

Kind = Literal[
    "file_chunker killed",
    "front killed",
    "broker killed",
    "cut",
    "cut within bytes",
    "lost",
    "other front",
    "two at once",
]
OTHERS: Final[Sequence[Kind]] = ("cut", "cut within bytes", "lost", "other front", "two at once")
SILENT: Final[Sequence[Kind]] = ("lost", "other front")
"""After these the earlier request stands there as if it were alive, and a later one has to take over."""

TAKEN_OVER = 2.0
BROKERS_EACH = 50
EACH_WITHIN = 30.0
"""Seconds that each interruption may cost at most, before the file is given up."""
FROZEN_AT_MOST = 5.0
READY_WITHIN = 30.0
RIVAL_TRIES = 5
MIB = 2**20

QUICK = {
    # So that whoever was killed comes back at once, however often.
    "PARLEY_SUPERVISION__WINDOW": "0.05",
    "PARLEY_SUPERVISION__BACKOFF_BASE": "0.001",
    "PARLEY_SUPERVISION__BACKOFF_CAP": "0.01",
    "PARLEY_AUTH__ACCESS_TTL": "86400",
    "PARLEY_LIMITS__MESSAGES_PER_SECOND": "0",
}


class Break(Struct, frozen=True):
    """Something breaks when so many bytes were handed out."""

    at: int
    kind: Kind


class Outcome(Struct, frozen=True, kw_only=True):
    """`back`: seconds from each break, by kind, until more bytes counted than before. `troubles` in words."""

    size: int
    piece: int
    breaks: Sequence[Break]
    back: dict[str, list[float]]
    resent: Sequence[int]
    answers: dict[str, int]
    troubles: Sequence[str]


def plan(seed: int, size: int, count: int) -> list[Break]:
    """`count` breaks over the whole file: a fifth are kills of file_chunker and fronts, one in 50 of the broker."""
    dice = random.Random(seed)  # noqa: S311  (reproducible on purpose)
    kills = max(2, count // 5)
    kinds: list[Kind] = [*["file_chunker killed"] * (kills - kills // 2), *["front killed"] * (kills // 2)]  # type: ignore[list-item]  # literals
    kinds += ["broker killed"] * (count // BROKERS_EACH)
    kinds += [OTHERS[number % len(OTHERS)] for number in range(count - len(kinds))]
    dice.shuffle(kinds)
    return [
        # Not closer together than a piece, so that each is by itself.
        Break(max(1, round(size * (place + dice.random() / 2) / count)), kind)
        for place, kind in enumerate(kinds)
    ]  # fmt: skip


def piece_of(size: int, count: int) -> int:
    """Bytes of a piece: as the page's, or half of what lies between two breaks."""
    return min(PIECE, max(CHUNK, size // count // 2))


def files(folder: Path, seed: int, mib: int, interruptions: int, tell: Tell) -> list[Figure]:
    """A file of so many MiB, interrupted so many times, in an installation of its own."""
    return asyncio.run(_files(folder, seed, mib, interruptions, tell))


async def _files(folder: Path, seed: int, mib: int, interruptions: int, tell: Tell) -> list[Figure]:
    async with running_installation(folder, **QUICK) as one:
        return figures(await interrupted(one, seed, mib * MIB, interruptions, tell))


def figures(outcome: Outcome) -> list[Figure]:
    """What it came to."""
    kinds: Counter[str] = Counter(one.kind for one in outcome.breaks)
    most = max(outcome.resent, default=0)
    spreads: dict[str, Spread] = {kind: spread(times) for kind, times in sorted(outcome.back.items())}
    troubles = list(outcome.troubles)
    missing = sorted((kinds - Counter({kind: len(times) for kind, times in outcome.back.items()})).elements())
    silent: dict[str, Spread] = {kind: spreads[kind] for kind in SILENT if kind in spreads}
    return [
        Figure(
            name=f"{outcome.size / MIB:g} MiB with {len(outcome.breaks)} interruptions",
            goal="the same SHA-256 at both ends, nothing left behind, no byte told to count that is not on disk, "
            f"at most a piece of {outcome.piece / MIB:.2g} MiB sent again for each",
            measured=", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
            + f"; at most {most / MIB:.2f} MiB sent again, {sum(outcome.resent) / MIB:.1f} in all"
            + f"; refusals: {', '.join(f'{code} {count}' for code, count in sorted(outcome.answers.items())) or 'none'}"
            + (f"; {len(troubles)} troubles, such as: {troubles[0]}" if troubles else "; nothing wrong")
            + (f"; without effect: {', '.join(missing)}" if missing else ""),
            kept=not troubles and most <= outcome.piece and not missing,
            spreads=spreads,
        ),
        *([within("a later request has taken over", TAKEN_OVER, silent, worst=True)] if silent else []),
    ]


async def interrupted(one: Installation, seed: int, size: int, count: int, tell: Tell) -> Outcome:
    """Send a file of so many bytes through all of it, and look at what arrived."""
    async with _pair(one, seed) as (ann, bob), running_proxy(lambda: one.port) as proxy:
        data = noise(seed, size)
        breaks = plan(seed, size, count)
        with Transfer(proxy.port, ann.bearer) as transfer:
            upload = await asyncio.to_thread(transfer.create, "big.bin", size, bob.id, promised="1")
            sender = Uploader(transfer, upload, data, lambda: Disk(one.paths))
            sender.piece = piece_of(size, count)
            breaker = Breaker(one, proxy, sender, ann.bearer, tell)
            try:
                await _sent(sender, breaker, breaks)
            finally:
                await breaker.end()
            troubles = sender.wrong + breaker.troubles + await _looked_at(one, upload, data, ann, bob)
    return Outcome(
        size=size,
        piece=sender.piece,
        breaks=breaks,
        back=breaker.back,
        resent=sender.resent,
        answers=dict(sender.answers),
        troubles=troubles,
    )


async def _sent(sender: Uploader, breaker: "Breaker", breaks: Sequence[Break]) -> None:
    """Send, and let each break come where it is due: the body waits there until it has been made."""
    loop = asyncio.get_running_loop()
    due = list(breaks)

    def passing(handed: int) -> None:
        while due and handed >= due[0].at:
            asyncio.run_coroutine_threadsafe(breaker.strike(due.pop(0).kind), loop).result(EACH_WITHIN * SCALE)

    sender.passing = passing
    sender.on_confirmed = lambda _offset: loop.call_soon_threadsafe(breaker.confirmed)
    await asyncio.to_thread(sender.run, 60.0 + EACH_WITHIN * len(breaks))


@dataclass
class Breaker:
    """Breaks things around a sender whose connections lead through a proxy."""

    one: Installation
    proxy: Proxy
    sender: Uploader
    bearer: dict[str, str]
    tell: Tell
    back: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    troubles: list[str] = field(default_factory=list)
    _struck: list[tuple[str, float]] = field(default_factory=list)
    _beside: list[asyncio.Task[None]] = field(default_factory=list)
    _count: int = 0

    async def strike(self, kind: Kind) -> None:
        """Make one break. Whoever is to be hit runs first: what was broken before is given the time to come back."""
        await self._ways()[kind]()
        self._struck.append((kind, time.monotonic()))
        self._count += 1
        if self._count % 10 == 0:
            self.tell(f"{self._count} interruptions, {self.sender.confirmed / MIB:.1f} MiB count")

    def _ways(self) -> Mapping[Kind, Callable[[], Awaitable[None]]]:
        return {
            "file_chunker killed": lambda: self._kill("file_chunker"),
            "broker killed": lambda: self._kill("broker"),
            "front killed": self._front_killed,
            "cut": self._cut,
            "cut within bytes": self._torn,
            "lost": self._lost,
            "other front": self._frozen,
            "two at once": self._two_at_once,
        }

    def confirmed(self) -> None:
        """More bytes count than ever before."""
        now = time.monotonic()
        for kind, at in self._struck:
            self.back[kind].append(now - at)
        self._struck.clear()

    async def end(self) -> None:
        """Nobody stays frozen, and the second sender comes to an end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EACH_WITHIN):
                await asyncio.gather(*self._beside, return_exceptions=True)
        await end_all(self._beside)

    def _links(self) -> list[Link]:
        return [link for link in self.proxy.links if not link.lost]

    async def _kill(self, name: str) -> None:
        await self.one.running(name, within=EACH_WITHIN)
        await self.one.signal(name, signal.SIGKILL)

    async def _front_killed(self) -> None:
        await self._kill(await self._front())

    async def _cut(self) -> None:
        self.proxy.end(*self._links())

    async def _lost(self) -> None:
        """The front goes on waiting for who has gone away, and hears nothing."""
        for link in self._links():
            link.lose()
        self.sender.transfer.leave()

    async def _two_at_once(self) -> None:
        self._beside.append(asyncio.create_task(asyncio.to_thread(self._rival)))

    async def _front(self) -> str:
        """The one that has the sender's connection, which may be between two."""
        rows = await self.one.actors()
        pids = {name: int(row["pid"]) for name, row in rows.items() if name.startswith("front") and row["pid"]}
        for link in self._links():
            name = await asyncio.to_thread(holder, pids, link.server.get_extra_info("sockname")[1])
            if name is not None:
                return name
        return next(iter(pids), "front.1")

    async def _torn(self) -> None:
        """Cut after a few more bytes: in the midst of whatever is on its way."""
        up = self.proxy.faults["up"]
        links = self._links()
        up.left = CHUNK // 3
        self._beside.append(asyncio.create_task(self._healed(links)))

    async def _healed(self, links: Sequence[Link]) -> None:
        try:
            await eventually(lambda: not any(link in self.proxy.links for link in links), FROZEN_AT_MOST)
        finally:
            self.proxy.faults["up"].left = None

    async def _frozen(self) -> None:
        """Stop the front, go away, and come back through the other one; then let the first one go on where it was."""
        for name in await self.one.actors():
            # One that was killed a moment ago could not take over.
            await self.one.running(name, within=EACH_WITHIN)
        pid = await self.one.signal(await self._front(), signal.SIGSTOP)
        self.sender.transfer.leave()
        self._beside.append(asyncio.create_task(self._thawed(pid, self.sender.confirmed)))

    async def _thawed(self, pid: int, confirmed: int) -> None:
        try:
            await eventually(lambda: self.sender.confirmed > confirmed, FROZEN_AT_MOST)
        except AssertionError:
            self.troubles.append(f"nothing went on through another front within {FROZEN_AT_MOST * SCALE:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _rival(self) -> None:
        """Somebody sends the same at the same time: a little, from where it is said to go on."""
        disk = Disk(self.one.paths)
        with Transfer(self.one.port, self.bearer) as transfer:
            rival = Uploader(transfer, self.sender.upload, self.sender.data, lambda: disk)
            # Little, so that it takes nothing over behind which another break is due.
            rival.piece = CHUNK
            try:
                for _ in range(RIVAL_TRIES):
                    before = rival.confirmed
                    rival.attempt(disk, most=1)
                    if rival.confirmed > before:
                        break
            except HttpError as error:
                self.troubles.append(f"the second sender was refused: {error}")
            finally:
                disk.close()
            self.troubles += rival.wrong


async def _looked_at(one: Installation, upload: str, data: bytes, ann: Person, bob: Person) -> list[str]:
    """What is wrong with what arrived, and with what was left behind."""
    wanted = hashlib.sha256(data)
    troubles: list[str] = []

    def settled() -> bool:
        with Transfer(one.port, ann.bearer) as transfer:
            insist(lambda: transfer.declare(upload, wanted.hexdigest()))
            state = insist(lambda: transfer.state(upload))
        return state is not None and bool(state["verified"]) and state["state"] == "ready"

    def fetch() -> tuple[str, str]:
        found = hashlib.sha256()
        with Transfer(one.port, bob.bearer) as transfer:
            answer = transfer.fetch(upload, found.update)
        return found.hexdigest(), answer.headers.get("repr-digest", "")

    try:
        await eventually(lambda: asyncio.to_thread(settled), READY_WITHIN)
        found, told = await asyncio.to_thread(fetch)
    except (AssertionError, OSError, HttpError) as error:
        return [f"it was not ready in the end: {error}"]
    if found != wanted.hexdigest():
        troubles.append(f"another SHA-256 at the other end: {found}")
    if not told:
        troubles.append("the download names no digest")
    troubles += [f"left behind: {path.name}" for path in (one.paths.blobs / "uploading").glob(f"{upload}*")]
    troubles += [f"zombie: {name}" for name in evidence.zombies(one.supervisor_pid)]
    return troubles + list(evidence.damaged(one.paths.databases))


@contextlib.asynccontextmanager
async def _pair(one: Installation, seed: int) -> AsyncIterator[tuple[Person, Person]]:
    async with Person(one.base, f"sender-{seed}") as ann, Person(one.base, f"receiver-{seed}") as bob:
        await ann.register()
        await bob.register()
        await ann.befriend(bob)
        yield ann, bob
