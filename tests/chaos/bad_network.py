"""What a bad network does to connections through a proxy, and how it becomes a good one again."""

import asyncio
import random
from collections.abc import Callable, Sequence

from tests.chaos.schedule import Step
from tests.support.proxy import WAYS, Fault, Proxy, Way


async def apply(step: Step, proxy: Proxy) -> str:
    """Do what a step says for as long as it says, take it back, and say what was done."""
    ways: tuple[Way, ...] = tuple(way for way in WAYS if step.way in {way, "both"})
    match step.verb:
        case "cut":
            return _cut(step, proxy)
        case "lose":
            return await _lose(step, proxy)
        case "stall":
            proxy.stall(*ways)
            await _hold(step.length, proxy.resume)
        case "delay":
            await _set(step.length, [proxy.faults[way] for way in ways], delay=(step.amount, 0.0))
        case "trim":
            await _set(step.length, [proxy.faults[way] for way in ways], left=(int(step.amount), None))
        case "refuse":
            proxy.refusing = True
            proxy.cut()
            await _hold(step.length, lambda: setattr(proxy, "refusing", False))
        case _:
            raise ValueError(f"{step.verb} is nothing that a network does")
    return f"{step.verb} {step.target} {step.way} {step.amount:g} for {step.length:g} s"


def _some(step: Step, proxy: Proxy) -> int:
    """How many connections are hit: one to all."""
    return random.Random(step.seed).randint(1, max(len(proxy.links), 1))  # noqa: S311  (reproducible on purpose)


def _cut(step: Step, proxy: Proxy) -> str:
    links = proxy.links[: _some(step, proxy)]
    proxy.end(*links)
    return f"cut {len(links)} connections of {step.target}"


async def _lose(step: Step, proxy: Proxy) -> str:
    links = proxy.links[: _some(step, proxy)]
    for link in links:
        link.lose()
    # What was lost on the way cannot be made good: the connection must end in the end, as with any network.
    await _hold(step.length, lambda: proxy.end(*links))
    return f"lost {len(links)} connections of {step.target} for {step.length:g} s"


async def _set(length: float, faults: Sequence[Fault], **fields: tuple[float | None, float | None]) -> None:
    """Give fields of faults the first value for so long, and then the second."""

    def put(which: int) -> None:
        for fault in faults:
            for name, values in fields.items():
                setattr(fault, name, values[which])

    put(0)
    await _hold(length, lambda: put(1))


async def _hold(length: float, take_back: Callable[[], None]) -> None:
    try:
        await asyncio.sleep(length)
    finally:
        take_back()
