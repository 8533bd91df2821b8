"""All children: started in order, stopped in reverse, and told by name what to do."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from supervision import proc
from supervision.broker import NAME as BROKER
from supervision.child import Around, Child
from supervision.spec import ChildSpec, validate

_BROKER_RESERVE = 5.0
"""Seconds of the time to stop that are kept for the broker, so that slow actors do not cost it its clean end."""
_SLOW_START = 60.0
"""Seconds that somebody who starts a child by hand waits for it, when the start of all does not wait for it."""
MOST_COPIES = 32


class RefusedError(Exception):
    """A request that cannot be carried out. `code` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Tree:
    """The children of one supervisor. Operations on the same actor follow one another; others run beside them."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        around: Around,
        *,
        start_wait: float,
        stop_timeout: float,
        renew: Mapping[str, Callable[[], ChildSpec]] = MappingProxyType({}),
    ) -> None:
        """Times in seconds: longest wait for one child's READY, and for all children to stop.

        `renew` makes a child's spec afresh before each of its starts. Raises SpecError.
        """
        self._around = around
        self._start_wait = start_wait
        self._stop_timeout = stop_timeout
        self._children = {spec.name: Child(spec, around, renew.get(spec.name)) for spec in validate(specs)}
        self._locks: dict[str, asyncio.Lock] = {}
        self._stopping = False

    @property
    def children(self) -> list[Child]:
        """In the order of their start."""
        return sorted(self._children.values(), key=lambda child: (child.spec.order, _number(child.name)))

    async def start_all(self) -> None:
        """Start everything in order, waiting a while for each group that is to be waited for."""
        for _, group in groupby(self.children, key=lambda child: child.spec.order):
            children = list(group)
            for child in children:
                child.start()
            awaited = [child for child in children if child.spec.waited_for]
            await asyncio.gather(*(child.settle(self._start_wait) for child in awaited))

    async def settle(self, within: float) -> bool:
        """Whether every child is ready, after waiting for those that may still become so."""
        deadline = asyncio.get_running_loop().time() + within
        for child in self.children:
            left = deadline - asyncio.get_running_loop().time()
            await child.settle(left)
        return all(child.state == "running" for child in self._children.values())

    async def stop_all(self) -> None:
        """Stop in reverse order, equals together, all within the time to stop."""
        # From here on nothing starts: a restart that is under way would bring back what was just stopped.
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._stop_timeout
        for _, group in groupby(reversed(self.children), key=lambda child: child.spec.order):
            children = list(group)
            reserve = 0.0 if children[0].name == BROKER or BROKER not in self._children else _BROKER_RESERVE
            left = max(deadline - loop.time() - min(reserve, self._stop_timeout / 4), 0.1)
            await asyncio.gather(*(child.stop(min(child.spec.stop_timeout, left)) for child in children))

    def kill_all(self) -> None:
        """The fast stop: everything ends now. What matters is on disk or will be sent again."""
        for child in self._children.values():
            child.end()

    async def start(self, name: str) -> None:
        """Start an actor's stopped children. Raises RefusedError."""
        for child in self._named(name):
            async with self._alone(child):
                await self._start_one(child)

    async def stop(self, name: str) -> None:
        """Stop an actor, all copies at once, until it is started again. Raises RefusedError."""
        await asyncio.gather(*(self._stop_one(child) for child in self._named(name)))

    async def restart(self, name: str) -> None:
        """Stop and start, copies one after the other, so that one of several always serves. Raises RefusedError."""
        for child in self._named(name):
            async with self._alone(child):
                await child.stop(child.spec.stop_timeout)
                # A copy that does not come back ends the roll: the others still run what worked.
                await self._start_one(child)

    def kill(self, name: str) -> None:
        """Send SIGKILL, as a demonstration. Raises RefusedError."""
        children = [child for child in self._named(name) if child.pid is not None]
        if not children:
            raise RefusedError("not_running", f"{name} is not running: `parley start {name}`")
        for child in children:
            child.kill()

    async def scale(self, actor: str, copies: int) -> None:
        """Run so many copies of an actor that has numbered ones. Raises RefusedError."""
        running = [child for child in self._named(actor) if child.name.startswith(f"{actor}.")]
        if not running:
            raise RefusedError("not_scalable", f"{actor} runs once; only front can be scaled: `parley scale front 2`")
        if not 1 <= copies <= MOST_COPIES:
            raise RefusedError("bad_request", f"{actor} can run 1 to {MOST_COPIES} times, not {copies}")
        for number in range(1, copies + 1):
            spec = running[0].spec.copy(number)
            if spec.name not in self._children:
                child = self._children[spec.name] = Child(spec, self._around)
                async with self._alone(child):
                    await self._start_one(child)
        await asyncio.gather(*(self._remove_one(child) for child in running if _number(child.name) > copies))

    def reap(self) -> None:
        """Collect every ended process, also orphans below us. For SIGCHLD, which may stand for several ends."""
        owners = {child.pid: child for child in self._children.values() if child.pid is not None}
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = owners.pop(ended.si_pid, None)
            if child is not None:
                # Before it is reaped: until then no new process can get its number, which is its session's too.
                proc.end_session(ended.si_pid)
            _, status = os.waitpid(ended.si_pid, 0)
            if child is not None:
                child.exited(os.waitstatus_to_exitcode(status))

    def close(self) -> None:
        for child in self._children.values():
            child.close()

    async def _start_one(self, child: Child) -> None:
        if self._stopping:
            raise RefusedError("shutting_down", "the supervisor is shutting down")
        child.start()
        within = self._start_wait if child.spec.waited_for else _SLOW_START
        await child.settle(within)
        if child.state in {"failing", "backoff"}:
            text = f"{child.name} does not start ({child.last_exit}): `parley logs {child.name}` says why"
            raise RefusedError("not_ready", text)
        if child.state == "starting":
            text = f"{child.name} was started and is not ready after {within:g} s: `parley status` tells when it is"
            raise RefusedError("not_ready", text)

    async def _stop_one(self, child: Child) -> None:
        async with self._alone(child):
            await child.stop(child.spec.stop_timeout)

    async def _remove_one(self, child: Child) -> None:
        # Refused when somebody else has removed it meanwhile, which is as well.
        with contextlib.suppress(RefusedError):
            async with self._alone(child):
                await child.stop(child.spec.stop_timeout)
                # Before anybody else has it alone: a start or a roll that waits here would bring it back, and nobody
                # would look after it. One that cannot be ended, not even with SIGKILL, stays and is looked after.
                if child.pid is None:
                    self._children.pop(child.name).close()

    @contextlib.asynccontextmanager
    async def _alone(self, child: Child) -> AsyncIterator[None]:
        async with self._locks.setdefault(child.name, asyncio.Lock()):
            if self._children.get(child.name) is not child:
                raise RefusedError("unknown_actor", f"{child.name} was removed meanwhile: `parley status`")
            yield

    def _named(self, name: str) -> list[Child]:
        found = [child for child in self.children if name in {child.name, child.spec.actor}]
        if not found:
            known = ", ".join(dict.fromkeys(_names(self.children)))
            raise RefusedError("unknown_actor", f"there is no {name!r}; there are {known}")
        return found


def _names(children: Sequence[Child]) -> Iterator[str]:
    for child in children:
        yield child.spec.actor
        yield child.name


def _number(name: str) -> int:
    number = name.partition(".")[2]
    return int(number) if number else 0
