"""Carries out a schedule: hits what a step names, and sees that what must be taken back is."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Callable, Mapping, Sequence

from drill.waiting import until
from tests.chaos import bad_network
from tests.chaos.fault import Fault, World
from tests.chaos.record import Did
from tests.chaos.schedule import BAD_NETWORK, SUPERVISOR, Step
from tests.support.waiting import SCALE

THERE_WITHIN = 60.0
"""Seconds for a victim to have a process: the broker needs some after a crash, more while others work."""
FAULT_WITHIN = 120.0
UNFELT = 5
"""So many steps in a row may fall into an outage; then messages are waited for, or a slow machine would lie still all
the while, and there would be nothing to lose."""
FELT_WITHIN = 30.0
RETRY = 0.05


class Nemesis:
    """`troubles` says what could not be done or taken back.

    `tell` takes records for the log, `clock` gives its seconds; `answered` is how many messages have their tick so far.
    """

    def __init__(
        self,
        world: World,
        faults: Sequence[Fault],
        *,
        tell: Callable[[Did], None],
        clock: Callable[[], float],
        answered: Callable[[], int],
    ) -> None:
        self.troubles: list[str] = []
        self._world = world
        self._faults: Mapping[str, Fault] = {fault.name: fault for fault in faults}
        self._tell = tell
        self._clock = clock
        self._answered = answered
        self._last_answered = 0
        self._unfelt = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, steps: Sequence[Step]) -> None:
        """All steps in their order; returns when everything was taken back."""
        due = self._clock()
        try:
            for number, step in enumerate(steps):
                # By the clock, but a step that had to wait for its victim does not make the next ones hurry.
                due = max(due + step.wait, self._clock())
                await asyncio.sleep(due - self._clock())
                await self._let_live()
                await self._do(number, step)
            await asyncio.gather(*self._under_way)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _let_live(self) -> None:
        now = self._answered()
        self._unfelt = self._unfelt + 1 if now == self._last_answered else 0
        if self._unfelt >= UNFELT:
            await until(lambda: self._answered() != now, FELT_WITHIN * SCALE)
            self._unfelt = 0
        self._last_answered = self._answered()

    async def _do(self, number: int, step: Step) -> None:
        try:
            match step.verb:
                case "kill" if step.target == SUPERVISOR:
                    await self._kill_supervisor(number)
                case "kill":
                    await self._signal(number, step, signal.SIGKILL)
                case "freeze":
                    await self._freeze(number, step)
                case "fault":
                    await self._fault(number, step)
                case verb if verb in BAD_NETWORK:
                    self._behind(self._bad_network(number, step))
        except (OSError, AssertionError, TimeoutError) as error:
            self.troubles.append(f"step {number}, {step.verb} {step.target}: {type(error).__name__}: {error}")

    def _begun(self, number: int, text: str) -> None:
        self._tell(Did(self._clock(), number, text))

    def _behind(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _signal(self, number: int, step: Step, what: signal.Signals) -> int:
        """Send a signal to whatever runs under the name; who is just away is waited for. Returns a handle of it."""
        async with asyncio.timeout(THERE_WITHIN * SCALE):
            while (handle := await self._hit(step, what)) is None:  # noqa: ASYNC110  (the supervisor starts it)
                await asyncio.sleep(RETRY)
        self._begun(number, f"{what.name} to {step.target}")
        if what is signal.SIGKILL:
            os.close(handle)
        return handle

    async def _hit(self, step: Step, what: signal.Signals) -> int | None:
        row = (await self._world.installation.actors()).get(step.target, {})
        pid = row.get("pid")
        if not pid or not (step.early or row["state"] == "running"):
            return None
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        try:
            signal.pidfd_send_signal(handle, what)
        except ProcessLookupError:
            os.close(handle)
            return None
        return handle

    async def _freeze(self, number: int, step: Step) -> None:
        handle = await self._signal(number, step, signal.SIGSTOP)

        async def thaw() -> None:
            try:
                await asyncio.sleep(step.length)
            finally:
                # The watchdog may have ended it meanwhile; a handle, unlike a pid, never names another process.
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGCONT)
                os.close(handle)
            self._tell(Did(self._clock(), number, f"SIGCONT to {step.target}", over=True))

        self._behind(thaw())

    async def _kill_supervisor(self, number: int) -> None:
        self._begun(number, "SIGKILL to the supervisor")
        await self._world.restart()
        self._tell(Did(self._clock(), number, "the supervisor is back", over=True))

    async def _bad_network(self, number: int, step: Step) -> None:
        proxy = self._world.doors if step.target == "doors" else self._world.wires
        self._begun(number, f"{step.verb} {step.target}")
        self._tell(Did(self._clock(), number, await bad_network.apply(step, proxy), over=True))

    async def _fault(self, number: int, step: Step) -> None:
        fault = self._faults[step.target]
        if why := fault.missing():
            self._tell(Did(self._clock(), number, f"{fault.name} left out: {why}", omitted=True))
            return
        self._begun(number, fault.name)
        async with asyncio.timeout(FAULT_WITHIN * SCALE):
            text = await fault.inject(self._world, random.Random(step.seed))  # noqa: S311  (reproducible on purpose)
        self._tell(Did(self._clock(), number, text, over=True))
