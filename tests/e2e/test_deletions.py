"""Queues and the exchange are deleted under traffic: what was confirmed is gone, and everybody has to notice."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from drill.installation import Installation
from drill.ledger import settle
from drill.person import Person
from settings import Paths
from tests.support.deletions import delete_exchange, delete_mailbox, delete_push_queues
from tests.support.waiting import SCALE, eventually

pytestmark = pytest.mark.e2e

OUTSTANDING = 20
PAUSE = 0.05
"""Seconds after each so many messages: it is not about how fast they go, and what is waited for takes seconds."""
_numbers = itertools.count(1)


@contextlib.asynccontextmanager
async def writing(base: str) -> AsyncIterator[tuple[Person, Person]]:
    """Ann types all the while, and Bob reads; in the end he has everything, once and in order."""
    number = next(_numbers)
    async with Person(base, f"ann-deletes-{number}") as ann, Person(base, f"bob-deletes-{number}") as bob:
        await ann.register()
        await bob.register()
        await ann.befriend(bob)

        async def typing() -> None:
            for count in itertools.count(1):
                ann.say(bob.id, str(count))
                await ann.until(lambda: ann.unanswered < OUTSTANDING)
                if count % OUTSTANDING == 0:
                    await asyncio.sleep(PAUSE)

        lines = [asyncio.create_task(person.run()) for person in (ann, bob)]
        typist = asyncio.create_task(typing())
        try:
            async with asyncio.timeout(15 * SCALE):
                await ann.until(lambda: len(ann.screen.shown) > OUTSTANDING)
            yield ann, bob
            typist.cancel()
            await eventually(lambda: not ann.unanswered and len(bob.screen.shown) >= len(ann.sent), 30.0)
        finally:
            for task in (typist, *lines):
                task.cancel()
            await asyncio.gather(typist, *lines, return_exceptions=True)
    account = settle(list(ann.sent.values()), {bob.id: bob.screen.shown})
    assert account.kept, account
    assert not account.refused


async def goes_on(ann: Person) -> None:
    """Everything typed so far has its tick, and more."""
    typed = len(ann.sent)
    await eventually(lambda: sum(1 for sent in ann.sent.values() if sent.seq) > typed + OUTSTANDING, 30.0)


async def test_mail_that_was_confirmed_and_then_deleted_with_its_mailbox_is_sent_again(
    installation: Installation,
) -> None:
    async with writing(installation.base) as (ann, _):
        for _ in range(3):
            await delete_mailbox(installation.paths, "router")
            await goes_on(ann)


async def push_queues(paths: Paths) -> None:
    assert await delete_push_queues(paths) > 0


@pytest.mark.parametrize("delete", [push_queues, delete_exchange])
async def test_a_front_that_nothing_reaches_any_more_notices(
    installation: Installation, delete: Callable[[Paths], Awaitable[None]]
) -> None:
    async with writing(installation.base) as (ann, _):
        await delete(installation.paths)
        await goes_on(ann)
