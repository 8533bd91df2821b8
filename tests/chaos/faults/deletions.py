"""Somebody deletes at the broker what the installation has made there, mail that was confirmed included."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator

from tests.chaos.fault import Fault, World
from tests.chaos.faults.insisting import insist
from tests.support.deletions import delete_exchange, delete_mailbox, delete_push_queues

OWNERS = ("router", "router", "router", "contacts", "auth")
GATHER = 2.0
"""Seconds at most for which the owner stands still, so that there is mail in what is deleted."""


class DeletedMailbox(Fault):
    """Of router most of the time; with mail in it or, when the owner has it all in hand, without."""

    name = "mailbox deleted"

    async def inject(self, world: World, dice: random.Random) -> str:
        owner, gather = dice.choice(OWNERS), dice.uniform(0.0, GATHER)
        async with _standing_still(world, owner):
            await asyncio.sleep(gather)
            await insist(lambda: delete_mailbox(world.installation.paths, owner))
        return f"the mailbox of {owner} was deleted, {gather:.1f} s of mail in it"


class DeletedPushQueues(Fault):
    """Those of all fronts."""

    name = "push queues deleted"

    async def inject(self, world: World, dice: random.Random) -> str:
        del dice

        async def some() -> int:
            count = await delete_push_queues(world.installation.paths)
            assert count, "no front is connected"
            return count

        return f"{await insist(some)} push queues were deleted"


class DeletedExchange(Fault):
    """The one through which owners reach the fronts."""

    name = "exchange deleted"

    async def inject(self, world: World, dice: random.Random) -> str:
        del dice
        await insist(lambda: delete_exchange(world.installation.paths))
        return "the fronts' exchange was deleted"


@contextlib.asynccontextmanager
async def _standing_still(world: World, name: str) -> AsyncIterator[None]:
    """Keep a child from working, if it has a process that lives so long."""
    pid = (await world.pids()).get(name)
    handle: int | None = None
    with contextlib.suppress(ProcessLookupError):
        if pid:
            handle = os.pidfd_open(pid)
            signal.pidfd_send_signal(handle, signal.SIGSTOP)
    try:
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGCONT)
            os.close(handle)
