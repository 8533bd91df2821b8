"""Wait until something is so, with a deadline."""

import asyncio
from collections.abc import Callable

STEP = 0.05


async def until(predicate: Callable[[], bool], within: float) -> bool:
    """Whether the predicate became true within so many seconds."""
    try:
        async with asyncio.timeout(within):
            while not predicate():  # noqa: ASYNC110  (what is waited for lies in other processes)
                await asyncio.sleep(STEP)
    except TimeoutError:
        return predicate()
    return True
