"""What the work loop does about errands, for an actor that a test runs without a mailbox."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from actors.runtime import Effect
from actors.runtime.errands import Errand, Errands
from protocols.errors import Refusal
from storage import Database, Unit

U = TypeVar("U", bound=Unit)


async def run_errands(
    errands: Errands[U], database: Database[U], now: Callable[[], int], let_out: Callable[[Sequence[Effect]], None]
) -> None:
    """Have each written in a transaction of its own, and its effects let out, until cancelled. `now`: Unix ms."""
    wanted = asyncio.Event()
    errands.wake = wanted.set
    # What was wanted before.
    wanted.set()
    while True:
        await wanted.wait()
        wanted.clear()
        for errand in errands.take():
            let_out(await _done(errand, database, now()))


async def _done(errand: Errand[U], database: Database[U], now: int) -> Sequence[Effect]:
    result: Any
    try:
        result, effects = await database.run(lambda tx: errand.work(tx, now))
    except Refusal as refusal:
        errand.done.set_exception(refusal)
        return []
    errand.done.set_result(result)
    return effects
