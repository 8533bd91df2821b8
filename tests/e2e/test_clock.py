"""One process believes it an hour later or earlier: chat goes on, and all is well again when the clock is."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from drill.ledger import settle
from drill.person import HttpError, Person
from protocols.values import conversation_of
from tests.chaos.faults.clocks import SHIFT, BentClocks, clock_of
from tests.chaos.world import Arena, running_world
from tests.support.needs import lacking
from tests.support.patience import PATIENT
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.e2e

UNAUTHENTICATED = (401, "unauthenticated")
NEAR = 600.0
"""Seconds: far from an hour, and more than any test takes."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Arena]:
    fault = BentClocks()
    if reason := fault.missing():
        lacking(reason)
    async with running_world(tmp_path / "data", [fault], lambda *_: None, **PATIENT) as one:
        yield one


@contextlib.contextmanager
def shifted(world: Arena, seconds: int, *names: str) -> Iterator[None]:
    clocks = [clock_of(world.ground.folder, name) for name in names]
    for clock in clocks:
        clock.shift(seconds)
    try:
        yield
    finally:
        for clock in clocks:
            clock.shift(0)


async def refused(person: Person) -> tuple[int, str]:
    """How a request of somebody who is signed in is refused; (0, "") when it is not."""
    try:
        await person.call("GET", "/me")
    except HttpError as error:
        return error.status, error.code
    return 0, ""


async def test_an_hour_more_or_less_loses_nothing(world: Arena) -> None:
    async with Person(world.base, "ann") as ann, Person(world.base, "bob") as bob:
        await ann.register()
        await bob.register()
        await ann.befriend(bob)
        lines = [asyncio.create_task(person.run()) for person in (ann, bob)]
        try:
            await _router(world, ann, bob)
            await _fronts(world, ann, bob)
            await _auth(world, ann, bob)
        finally:
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)
        account = settle(list(ann.sent.values()), {bob.id: bob.screen.shown})
        assert account.kept, account
        assert account.stored == account.sent
    rows = (await world.installation.actors()).values()
    assert {row["name"]: row["last_exit"] for row in rows if row["restarts"]} == {}


async def _spoken(ann: Person, bob: Person) -> None:
    """Ann says something, and it arrives."""
    ann.say(bob.id, "what time is it")
    async with asyncio.timeout(20 * SCALE):
        await ann.until(lambda: not ann.unanswered)
        await bob.until(lambda: len(bob.screen.shown) == len(ann.sent))


async def _is(ann: Person, bob: Person, shift: int) -> bool:
    """Whether a new message bears a time that is so many seconds off."""
    await _spoken(ann, bob)
    page = await ann.call("GET", f"/conversations/{conversation_of(ann.id, bob.id)}/messages?limit=1")
    at = datetime.fromisoformat(page["messages"][0]["at"]).timestamp()
    return abs(at - time.time() - shift) < NEAR


async def _router(world: Arena, ann: Person, bob: Person) -> None:
    """Its messages bear the wrong time at their right place."""
    for shift in (SHIFT, -SHIFT):
        with shifted(world, shift, "router"):
            await eventually(lambda shift=shift: _is(ann, bob, shift), 10.0)  # type: ignore[misc]  # (lambda default)
    await eventually(lambda: _is(ann, bob, 0), 10.0)


async def _fronts(world: Arena, ann: Person, bob: Person) -> None:
    """They take tokens for run out, or for not valid yet; sockets that are open live as long as their session."""
    for shift in (SHIFT, -SHIFT):
        with shifted(world, shift, "front.1", "front.2"):
            await eventually(lambda: _is_refused(ann), 10.0)
            await _spoken(ann, bob)
        await eventually(lambda: _is_taken(ann), 10.0)


async def _is_refused(person: Person) -> bool:
    return await refused(person) == UNAUTHENTICATED


async def _is_taken(person: Person) -> bool:
    return await refused(person) == (0, "")


async def _auth(world: Arena, ann: Person, bob: Person) -> None:
    """Nobody signs in anew meanwhile; tokens that are had by the true time again are good.

    Ahead, it takes every question for one that nobody waits for any more. Behind, its tokens have run out before
    anybody sees them.
    """
    for shift, answer in ((SHIFT, (503, "unavailable")), (-SHIFT, UNAUTHENTICATED)):
        with shifted(world, shift, "auth"):
            await eventually(lambda answer=answer: _anew(bob, answer), 20.0)  # type: ignore[misc]  # (lambda default)
            await _spoken(ann, bob)
        await eventually(lambda: _anew(bob, (0, "")), 20.0)
    await _spoken(ann, bob)


async def _anew(person: Person, answer: tuple[int, str]) -> bool:
    """Whether somebody who refreshes a token, and then uses it, gets this answer."""
    try:
        await person.refresh()
    except HttpError as error:
        return (error.status, error.code) == answer
    return await refused(person) == answer
