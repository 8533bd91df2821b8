"""The load generator: several processes, started and told what to do from here."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from bench.orders import LENGTH, Answer, Close, Closed, Failed, Order, decode_answer, framed
from drill.installation import ROOT

A = TypeVar("A")

END_WITHIN = 10.0


class FleetError(Exception):
    """A worker could not do what it was told."""


class Fleet:
    """`size` worker processes."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes

    @property
    def size(self) -> int:
        return len(self._processes)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    async def all(self, orders: Sequence[Order], kind: type[A], within: float) -> list[A]:
        """Give each worker its order at the same time. Raises FleetError, also when one is late."""
        try:
            async with asyncio.timeout(within):
                return await asyncio.gather(
                    *(self._ask(at, order, kind) for at, order in enumerate(orders)),
                )
        except TimeoutError as error:
            raise FleetError(f"no answer within {within:.0f} s") from error

    async def close(self, within: float = 30.0) -> None:
        """Close every socket."""
        await self.all([Close()] * self.size, Closed, within)

    async def _ask(self, at: int, order: Order, kind: type[A]) -> A:
        process = self._processes[at]
        if process.stdin is None or process.stdout is None:
            raise FleetError("a worker without pipes")
        process.stdin.write(framed(order))
        await process.stdin.drain()
        try:
            head = await process.stdout.readexactly(LENGTH)
            answer: Answer = decode_answer(await process.stdout.readexactly(int.from_bytes(head, "big")))
        except asyncio.IncompleteReadError as error:
            raise FleetError(f"worker {at} has ended") from error
        if isinstance(answer, Failed):
            raise FleetError(answer.reason)
        if not isinstance(answer, kind):
            raise FleetError(f"worker {at} answered {type(answer).__name__}")
        return answer


@contextlib.asynccontextmanager
async def running_fleet(size: int) -> AsyncIterator[Fleet]:
    """Started workers, ended in any case: they end with their standard input."""
    async with contextlib.AsyncExitStack() as stack:
        processes = []
        for _ in range(size):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.worker"), cwd=ROOT, stdin=PIPE, stdout=PIPE
            )
            stack.push_async_callback(end, process)
            processes.append(process)
        yield Fleet(processes)


async def end(process: Process) -> None:
    """Close the standard input of one that ends with it; one that does not in time is killed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
