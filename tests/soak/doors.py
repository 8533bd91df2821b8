"""People at the door while fronts are killed: new connections at a steady rate, each counted by its fate."""

import asyncio
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

from drill.report import spread
from tests.soak.figures import Figure, seconds
from tests.soak.installation import EACH_AS_THE_FIRST, running
from tests.support.fake_installation import Installation
from tests.support.waiting import eventually_sync

PATIENCE = 10.0
MOST_AT_ONCE = 2000
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

Tell = Callable[[str], None]


class Callers:
    """`rate` new connections a second, whatever becomes of those before; each asks once and goes.

    fates: served; refused (nobody listens); cut (accepted, and the front died with it); late (no answer in time).
    """

    def __init__(self, port: int, rate: float) -> None:
        self.fates: Counter[str] = Counter()
        self.waits: list[float] = []
        self._port = port
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(PATIENCE * 3)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        calls: set[asyncio.Task[None]] = set()
        due = loop.time()
        while not self._over.is_set():
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            if len(calls) >= MOST_AT_ONCE:
                self.fates["not tried"] += 1
                continue
            task = asyncio.create_task(self._call())
            calls.add(task)
            task.add_done_callback(calls.discard)
        await asyncio.gather(*calls)

    async def _call(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._ask()
        except ConnectionRefusedError:
            self.fates["refused"] += 1
        except TimeoutError:
            self.fates["late"] += 1
        except OSError:
            self.fates["cut"] += 1
        else:
            self.fates["served" if b" 200 " in answer[:20] else "cut"] += 1
            self.waits.append(time.monotonic() - began)

    async def _ask(self) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(_REQUEST)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


def doors(home: Installation, seed: int, kills: int, rate: float, tell: Tell) -> Figure:
    """Kill fronts so many times under so many new connections a second; every fifth time all of them together."""
    dice = random.Random(seed)  # noqa: S311  (reproducible on purpose)
    with running(home, **EACH_AS_THE_FIRST) as one:
        fronts = [name for name in one.rows() if name.startswith("front.")]
        with Callers(home.port, rate) as callers:
            eventually_sync(lambda: callers.fates["served"] >= rate, 20.0)
            struck = 0
            while struck < kills:
                for name in fronts:
                    one.settled(name)
                together = struck % 5 == 4 and struck + len(fronts) <= kills
                victims = fronts if together else [dice.choice(fronts)]
                at = time.time()
                for name in victims:
                    one.strike(name, signal.SIGKILL)
                for name in victims:
                    one.journal.wait(name, "ready", at, 30.0)
                struck += len(victims)
                tell(f"{struck} of {kills} fronts killed, {dict(callers.fates)}")
            count = callers.fates.total()
            eventually_sync(lambda: callers.fates.total() >= count + rate, 20.0)
    fates = callers.fates
    others = ", ".join(f"{fates[fate]} {fate}" for fate in ("refused", "cut", "late", "not tried"))
    return Figure(
        name=f"{struck} kills of fronts under {rate:g} new connections a second",
        goal="0 refused",
        measured=f"{fates['served']} served, {others}; the slowest waited {seconds(max(callers.waits))}",
        kept=not fates["refused"] and not fates["late"] and not fates["not tried"] and fates["served"] > 0,
        spreads={"answers": spread(callers.waits)},
    )
