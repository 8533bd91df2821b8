"""Does to an installation what a schedule says, and times how long each victim is away."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence

from msgspec import structs

from drill.installation import DrillError, Installation
from drill.nemesis import Deed, Verb
from drill.report import Blow
from drill.watch import Watch
from supervision.client import ControlError, NothingRunningError
from supervision.control import Request

AWAKE_WITHIN = 40.0
"""Seconds for a victim to have a process that can be hit: longer than the supervisor's longest backoff."""
BACK_WITHIN = 90.0
OPERATION_WITHIN = 150.0
RETRY = 0.1


class Executor:
    """`blows` holds what was really done, with times of `clock`. `told` hears each in a line."""

    def __init__(
        self, installation: Installation, watch: Watch, clock: Callable[[], float], told: Callable[[str], None]
    ) -> None:
        self.blows: list[Blow] = []
        self.failures: list[str] = []
        self._installation = installation
        self._watch = watch
        self._clock = clock
        self._told = told
        self._waiting: set[asyncio.Task[None]] = set()

    async def run(self, deeds: Sequence[Deed], *, stop: asyncio.Event) -> None:
        """Carry out a schedule whose time begins now, until its end or until somebody says stop.

        Kills are not waited for; stop, start and restart are, one after the other.
        """
        began = self._clock()
        for deed in deeds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, began + deed.at - self._clock())):
                    await stop.wait()
            if stop.is_set():
                return
            await self.do(deed.verb, deed.name)

    async def do(self, verb: Verb, name: str) -> bool:
        """One deed now; whether it was done. What cannot be done goes to `failures`."""
        try:
            match verb:
                case "kill" | "freeze":
                    await self._strike(verb, name)
                case "stop" | "start" | "restart":
                    await self._operate(verb, name)
        except (DrillError, ControlError, NothingRunningError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            self.failures.append(f"{verb} {name}: {why}")
            self._told(f"could not {verb} {name}: {why}")
            return False
        return True

    async def recovered(self) -> None:
        """Wait until it is known of each victim whether it came back."""
        await asyncio.gather(*self._waiting)

    async def close(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _strike(self, verb: Verb, name: str) -> None:
        """SIGKILL or SIGSTOP to whatever runs under the name; a victim that is just away is waited for."""
        async with asyncio.timeout(AWAKE_WITHIN):
            while (hit := await self._hit(verb, name)) is None:  # noqa: ASYNC110  (the supervisor starts it)
                await asyncio.sleep(RETRY)
        at, pid = hit
        self._told(f"{'kill -9' if verb == 'kill' else 'freeze'} {name}")
        self.blows.append(Blow(verb=verb, name=name, at=at))
        task = asyncio.create_task(self._time(len(self.blows) - 1, pid))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _hit(self, verb: Verb, name: str) -> tuple[float, int] | None:
        """When, and which process; None when there is none now."""
        row = (await self._installation.actors()).get(name)
        if row is None:
            raise DrillError(f"there is no {name}")
        pid = row["pid"]
        if pid is None:
            return None
        at = self._clock()
        try:
            if verb == "freeze":
                return at, await self._installation.signal(name, signal.SIGSTOP)
            await self._installation.ask(Request("kill", name))
        except ControlError as error:
            if error.code == "not_running":
                return None  # it ended between the two requests
            raise
        return at, pid

    async def _operate(self, verb: Verb, name: str) -> None:
        self._told(f"{verb} {name}")
        at = self._clock()
        await self._installation.ask(Request(verb, name), OPERATION_WITHIN)  # type: ignore[arg-type]  # never freeze
        took = self._clock() - at
        self.blows.append(Blow(verb=verb, name=name, at=at, ready=None if verb == "stop" else took))
        await self._watch.look()

    async def _time(self, place: int, pid: int) -> None:
        blow = self.blows[place]
        if await self._watch.running(blow.name, BACK_WITHIN, other_than=pid):
            took = self._clock() - blow.at
            self.blows[place] = structs.replace(blow, ready=took)
            self._told(f"{blow.name} is back after {took:.1f} s")
        else:
            self.failures.append(f"{blow.name} did not come back within {BACK_WITHIN:g} s")
