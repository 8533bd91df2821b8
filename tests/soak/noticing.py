"""Kill notifier again and again while people write to others who are away, and account for every notice."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from msgspec import Struct

from drill.ledger import Sent
from drill.person import Person
from drill.report import spread
from drill.waiting import end_all
from protocols.notifier import Decision, Notice
from protocols.values import conversation_of
from settings import Paths
from storage import Reader
from storage.notifier import NOTIFIER, NotifierUnit
from tests.soak.figures import Figure
from tests.soak.installation import Running, running
from tests.support.fake_installation import Installation
from tests.support.noticing import mistakes
from tests.support.waiting import eventually

PAIRS = 4
PAUSE = 0.05
LATEST = 10.0
"""Seconds after its return within which it is killed again: it decides about messages after six to eight."""

QUICK = {
    # So that it comes back at once, however often it was killed.
    "PARLEY_SUPERVISION__WINDOW": "0.05",
    "PARLEY_SUPERVISION__BACKOFF_BASE": "0.001",
    "PARLEY_SUPERVISION__BACKOFF_CAP": "0.01",
    "PARLEY_AUTH__BCRYPT_COST": "4",
}

Tell = Callable[[str], None]


class Pair(Struct):
    """One who writes all the while, and one who is away. `ticks`: seconds that each message waited for its own."""

    writer: Person
    away: Person
    ticks: list[float] = []

    @property
    def conversation(self) -> str:
        return conversation_of(self.writer.id, self.away.id)

    @property
    def last(self) -> int:
        """The place of the latest message that has its tick."""
        return max((one.seq for one in self.writer.sent.values()), default=0)


def noticing(home: Installation, seed: int, kills: int, tell: Tell) -> Figure:
    """Kill notifier so many times under continuous load, each time up to 10 s after its return."""
    dice = random.Random(seed)  # noqa: S311  (reproducible on purpose)
    with running(home, **QUICK) as one:
        found, pairs = asyncio.run(_under_load(one, dice, kills, tell))
    sent = [one for pair in pairs for one in pair.writer.sent.values()]
    return figure(found, sent, [tick for pair in pairs for tick in pair.ticks], kills)


def figure(found: Sequence[str], sent: Sequence[Sent], ticks: Sequence[float], kills: int) -> Figure:
    """What it came to."""
    unanswered = sum(1 for one in sent if not one.seq)
    return Figure(
        name=f"{kills} kill -9 of notifier",
        goal="no notice lost, none doubled, each message decided once; every message has its tick",
        measured=f"{len(found)} mistakes, {unanswered} of {len(sent)} messages without a tick"
        + (f"; such as: {found[0]}" if found else ""),
        kept=not found and not unanswered,
        spreads={"tick": spread(ticks)},
    )


async def _under_load(one: Running, dice: random.Random, kills: int, tell: Tell) -> tuple[list[str], list[Pair]]:
    async with _writing(f"http://127.0.0.1:{one.home.port}") as (pairs, stop):
        for number in range(1, kills + 1):
            await asyncio.sleep(dice.uniform(0.0, LATEST))
            os.kill(await asyncio.to_thread(one.pid, "notifier"), signal.SIGKILL)
            await eventually(partial(_runs, one), 30.0)
            if number % 10 == 0 or number == kills:
                tell(f"{number} of {kills} kills, {sum(pair.last for pair in pairs)} messages")
        await stop()
        for pair in pairs:
            await eventually(partial(_decided, one.home.paths, pair), 60.0)
        return [wrong for pair in pairs for wrong in await _wrong(one.home.paths, pair)], list(pairs)


async def _runs(one: Running) -> bool:
    rows = await asyncio.to_thread(one.rows)
    return bool(rows["notifier"]["state"] == "running")


@contextlib.asynccontextmanager
async def _writing(base: str) -> AsyncIterator[tuple[Sequence[Pair], Callable[[], Awaitable[None]]]]:
    """People who write to others who are away, until the second value is called and all have their ticks."""
    async with contextlib.AsyncExitStack() as stack:
        names = [f"{what}-{number}" for number in range(PAIRS) for what in ("writer", "away")]
        people = [await stack.enter_async_context(Person(base, name)) for name in names]
        for person in people:
            await person.register()
        pairs = [Pair(*two) for two in zip(people[::2], people[1::2], strict=True)]
        for pair in pairs:
            await pair.writer.befriend(pair.away)
        lines = [asyncio.create_task(pair.writer.run()) for pair in pairs]
        writing = [asyncio.create_task(_write(pair)) for pair in pairs]

        async def stop() -> None:
            await end_all(writing)
            await eventually(lambda: not any(pair.writer.unanswered for pair in pairs), 30.0)

        try:
            await eventually(lambda: all(pair.last for pair in pairs), 30.0)
            yield pairs, stop
        finally:
            await end_all([*writing, *lines])


async def _write(pair: Pair) -> None:
    for number in itertools.count(1):
        began = time.monotonic()
        pair.writer.say(pair.away.id, str(number))
        await pair.writer.until(lambda: not pair.writer.unanswered)
        pair.ticks.append(time.monotonic() - began)
        await asyncio.sleep(PAUSE)


async def _kept(paths: Paths, pair: Pair) -> tuple[list[Notice], list[Decision]]:
    def look(tx: NotifierUnit) -> tuple[list[Notice], list[Decision]]:
        notices, _, _ = tx.notices.since(pair.away.id, 0, 1_000)
        mine = [one for one in notices if one.kind == "messages"]
        return mine, [one for one in tx.decisions.of(pair.away.id, 1_000) if one.subject == pair.conversation]

    reader = Reader(NOTIFIER, paths.databases)
    try:
        return await reader.read(look)
    finally:
        await reader.close()


async def _decided(paths: Paths, pair: Pair) -> bool:
    _, decisions = await _kept(paths, pair)
    return any(one.last >= pair.last for one in decisions)


async def _wrong(paths: Paths, pair: Pair) -> list[str]:
    notices, decisions = await _kept(paths, pair)
    found = mistakes(notices, decisions, pair.last, read=False)
    return [f"{pair.away.username}: {one}" for one in found]
