"""Wait until something is so, with a deadline; end what runs beside."""

import asyncio
from collections.abc import Callable, Sequence

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


async def end_all(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel them, and return when all have ended, however they did."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
