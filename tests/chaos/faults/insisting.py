"""Do something to a broker that may be killed or away just now."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.support.waiting import SCALE

WITHIN = 60.0
PAUSE = 0.5

T = TypeVar("T")


async def insist(deed: Callable[[], Awaitable[T]]) -> T:
    """What the deed gives once it succeeds. Raises what it raised last when it has failed for 60 s."""
    deadline = asyncio.get_running_loop().time() + WITHIN * SCALE
    while True:
        try:
            return await deed()
        except (AssertionError, OSError, TimeoutError):
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(PAUSE)
