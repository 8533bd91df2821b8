"""People who chat with a whole installation, as a closed loop: whoever's message is shown types the next."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

from bench.figures import milliseconds
from drill.installation import Installation
from drill.ledger import settle
from drill.person import Person

CONNECT_WITHIN = 60.0
SETTLE_WITHIN = 60.0


async def one_pair(installation: Installation, messages: int) -> dict[str, Any]:
    """One message at a time, from typing to the other person's socket."""
    async with AsyncExitStack() as stack:
        ((ann, bob),) = await _pairs(stack, installation, 1, "one")
        times: list[float] = []
        for number in range(messages):
            before = len(bob.screen.shown)
            began = time.perf_counter()
            ann.say(bob.id, f"message {number}")
            await bob.until(lambda: len(bob.screen.shown) > before)  # noqa: B023
            times.append(time.perf_counter() - began)
        return milliseconds(times)


async def many_pairs(installation: Installation, count: int, outstanding: int, seconds: float) -> dict[str, Any]:
    """Each first one of a pair keeps so many messages unanswered; delivered ones a second, and their times."""
    async with AsyncExitStack() as stack:
        pairs = await _pairs(stack, installation, count, f"p{outstanding}")
        began = time.monotonic()
        typing = [asyncio.create_task(_keep_typing(ann, bob, outstanding, began + seconds)) for ann, bob in pairs]
        await asyncio.gather(*typing)
        took = time.monotonic() - began
        async with asyncio.timeout(SETTLE_WITHIN):
            for ann, bob in pairs:
                await bob.until(lambda: len(bob.screen.shown) >= len(ann.sent))  # noqa: B023
        times: list[float] = []
        typed = 0
        for ann, bob in pairs:
            account = settle(list(ann.sent.values()), {bob.id: bob.screen.shown})
            if not account.kept:
                raise RuntimeError(f"the promise was broken: {account}")
            typed += account.shown
            times.extend(one.at - ann.sent[one.client_id].at for one in bob.screen.shown)
        return {"delivered_a_second": round(typed / took), **milliseconds(times)}


async def _keep_typing(ann: Person, bob: Person, outstanding: int, until: float) -> None:
    number = 0
    while time.monotonic() < until:
        while ann.unanswered < outstanding:
            ann.say(bob.id, f"message {number}")
            number += 1
        await ann.until(lambda: ann.unanswered < outstanding)
    await ann.until(lambda: not ann.unanswered)


async def _pairs(
    stack: AsyncExitStack, installation: Installation, count: int, tag: str
) -> list[tuple[Person, Person]]:
    pairs: list[tuple[Person, Person]] = []
    for number in range(count):
        ann = await stack.enter_async_context(Person(installation.base, f"{tag}-ann-{number}"))
        bob = await stack.enter_async_context(Person(installation.base, f"{tag}-bob-{number}"))
        await ann.register()
        await bob.register()
        await ann.befriend(bob)
        for person in (ann, bob):
            running = asyncio.create_task(person.run())
            stack.push_async_callback(_end, running)
            async with asyncio.timeout(CONNECT_WITHIN):
                await person.connected.wait()
        pairs.append((ann, bob))
    return pairs


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
