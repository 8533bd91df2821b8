"""Kill router in the middle of its writing, again and again, and look at what lies on the disk each time."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from drill.ledger import Account, Logged, Sent, settle
from drill.person import Person
from drill.report import spread
from drill.waiting import end_all
from tests.soak.figures import Figure
from tests.soak.installation import Running, running
from tests.soak.remains import copied, standing_still
from tests.support.fake_installation import Installation
from tests.support.waiting import eventually

PEOPLE = 6
OUTSTANDING = 8
LATEST = 0.005
"""Seconds after a send within which the kill comes: a batch takes about as long."""

QUICK = {
    # So that router comes back at once, however often it was killed.
    "PARLEY_SUPERVISION__WINDOW": "0.05",
    "PARLEY_SUPERVISION__BACKOFF_BASE": "0.001",
    "PARLEY_SUPERVISION__BACKOFF_CAP": "0.01",
    "PARLEY_LIMITS__MESSAGES_PER_SECOND": "0",
    "PARLEY_AUTH__BCRYPT_COST": "4",
}
_BROKEN = ("lost", "duplicated", "reordered", "gap", "unexpected", "unlogged", "refused", "unanswered")

Tell = Callable[[str], None]


class Look(Struct, frozen=True):
    """What lay on the disk after a kill. `missing`: acknowledged, and not there as it was.

    `untold` counts messages that were stored and had no tick yet, `unstored` those that were typed and not stored.
    """

    damage: str
    missing: Sequence[str]
    untold: int
    unstored: int


def midwrite(home: Installation, seed: int, kills: int, tell: Tell) -> Figure:
    """Kill router so many times under continuous load, each time up to 5 ms after a send."""
    dice = random.Random(seed)  # noqa: S311  (reproducible on purpose)
    with running(home, **QUICK) as one, tempfile.TemporaryDirectory(prefix="parley-midwrite-") as scratch:
        looks, back, account = asyncio.run(_under_load(one, dice, kills, Path(scratch), tell))
    return figure(looks, back, account, kills)


def figure(looks: Sequence[Look], back: Sequence[float], account: Account, kills: int) -> Figure:
    """What the looks and the account at the end come to."""
    damaged = [one.damage for one in looks if one.damage]
    missing = [client_id for one in looks for client_id in one.missing]
    broken = [f"{len(found)} {word}" for word in _BROKEN if (found := getattr(account, word))]
    return Figure(
        name=f"{len(looks)} kill -9 of router in the middle of its writing",
        goal="integrity_check passes and every acknowledged message is there, each time",
        measured=f"{len(damaged)} damaged, {len(missing)} missing, of {account.stored} acknowledged; "
        f"{sum(1 for one in looks if one.unstored)} kills with messages that were not stored yet, "
        f"{sum(1 for one in looks if one.untold)} with some that were stored and not told; "
        f"in the end {', '.join(broken) or 'nothing lost, doubled or out of order'}"
        + (f"; such as: {damaged[0]}" if damaged else ""),
        kept=len(looks) == kills and not damaged and not missing and not broken,
        spreads={"all is told": spread(back)},
    )


def look(copy: Path, sent: Sequence[Sent]) -> Look:
    """Open what was left, as the next router will, and hold it against what has its tick."""
    with contextlib.closing(sqlite3.connect(copy)) as database:
        try:
            checked = [str(row[0]) for row in database.execute("PRAGMA integrity_check")]
            logged = set(_logged(database))
        except sqlite3.DatabaseError as error:
            return Look(str(error), [one.client_id for one in sent if one.seq], 0, 0)
    stored = {one.client_id for one in logged}
    waiting = [one.client_id in stored for one in sent if not one.seq]
    return Look(
        damage="" if checked == ["ok"] else "; ".join(checked),
        missing=[
            one.client_id
            for one in sent
            if one.seq and Logged(one.seq, one.client_id, one.sender, one.body) not in logged
        ],
        untold=sum(waiting),
        unstored=len(waiting) - sum(waiting),
    )


def _logged(database: sqlite3.Connection) -> Iterator[Logged]:
    for row in database.execute("SELECT seq, client_id, sender, body FROM message ORDER BY conversation, seq"):
        yield Logged(*row)


async def _under_load(
    one: Running, dice: random.Random, kills: int, scratch: Path, tell: Tell
) -> tuple[list[Look], list[float], Account]:
    looks: list[Look] = []
    back: list[float] = []
    async with _chatting(f"http://127.0.0.1:{one.home.port}") as people:
        for number in range(1, kills + 1):
            await _kill(one, dice, people, scratch)
            at = time.monotonic()
            sent = _sent(people)
            looks.append(await asyncio.to_thread(look, scratch / "router.db", sent))
            # A message that has its turn at three deaths is set aside as poison; that is shown elsewhere.
            unanswered = [entry.client_id for entry in sent if not entry.seq]
            await eventually(partial(_all_answered, people, unanswered), 30.0)
            back.append(time.monotonic() - at)
            if number % 10 == 0 or number == kills:
                tell(f"{number} of {kills} kills, {len(sent)} messages")
    with contextlib.closing(sqlite3.connect(one.home.paths.database("router"))) as database:
        log = list(_logged(database))
    return looks, back, settle(_sent(people), {each.id: each.screen.shown for each in people}, log)


async def _kill(one: Running, dice: random.Random, people: Sequence[Person], scratch: Path) -> None:
    """Kill router just after a send, and copy what it leaves before its successor can touch it."""
    source = one.home.paths.database("router")
    pid = await asyncio.to_thread(one.pid, "router")
    with standing_still(one.process.pid):
        writer = dice.choice(people)
        writer.say(_other(people, writer).id, "the last words")
        await asyncio.sleep(dice.uniform(0, LATEST))
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(copied, source, scratch)


@contextlib.asynccontextmanager
async def _chatting(base: str) -> AsyncIterator[Sequence[Person]]:
    """People in pairs who type all the while; in the end everything that was typed is on the other's screen."""
    async with contextlib.AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Person(base, f"writer-{place}")) for place in range(PEOPLE)]
        for person in people:
            await person.register()
        for person in people[::2]:
            await person.befriend(_other(people, person))
        lines = [asyncio.create_task(person.run()) for person in people]
        typing = [asyncio.create_task(_type(person, _other(people, person).id)) for person in people]
        try:
            await eventually(lambda: all(len(person.sent) > OUTSTANDING for person in people), 30.0)
            yield people
            await end_all(typing)
            await eventually(lambda: all(_arrived(person, _other(people, person)) for person in people), 30.0)
        finally:
            await end_all([*typing, *lines])


def _other(people: Sequence[Person], person: Person) -> Person:
    return people[people.index(person) ^ 1]


async def _type(person: Person, to: str) -> None:
    """A few at a time, for as long as it takes."""
    for number in itertools.count(1):
        person.say(to, f"{person.username} says {number}")
        await person.until(lambda: person.unanswered < OUTSTANDING)


def _sent(people: Sequence[Person]) -> list[Sent]:
    return [sent for person in people for sent in person.sent.values()]


def _all_answered(people: Sequence[Person], client_ids: Sequence[str]) -> bool:
    everything = {client_id: sent for person in people for client_id, sent in person.sent.items()}
    return all(everything[client_id].seq or everything[client_id].refused for client_id in client_ids)


def _arrived(person: Person, other: Person) -> bool:
    shown = sum(1 for one in other.screen.shown if one.sender == person.id)
    return not person.unanswered and shown >= sum(1 for sent in person.sent.values() if sent.seq)
