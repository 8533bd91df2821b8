"""A running installation with proxies before its fronts and before its broker, in a directory of its own."""

import asyncio
import contextlib
import json
import shutil
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drill.installation import Installation
from drill.stage import SETTINGS
from settings.endpoint import Endpoint, endpoint_file
from supervision import proc
from supervision.broker import replace_file
from supervision.children import ROOT
from supervision.spec import MARK
from tests.chaos.client import Client
from tests.chaos.fault import Fault, Ground
from tests.chaos.house import CHILDREN, behind
from tests.chaos.schedule import SUPERVISOR
from tests.support.proxy import Proxy, running_proxy
from tests.support.waiting import SCALE

SAMPLED_EVERY = 2.0
GONE_WITHIN = 5.0
ENVIRONMENT = {
    **SETTINGS,
    # Each kill meets a child with a clean past, as in the soak of supervision; otherwise its backoff would be measured.
    "PARLEY_SUPERVISION__WINDOW": "1",
    "PARLEY_SUPERVISION__BACKOFF_BASE": "0.01",
    # The broker notices a peer that was lost without a word after two of these, within the longest such loss.
    "PARLEY_BROKER__HEARTBEAT": "4",
}


class House(Installation):
    """The product under `tests.chaos.house`; its actors find the broker at `wires`."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground.folder, {**ENVIRONMENT, **ground.environment})
        self.wires = 0
        self._ground = ground

    async def start(self) -> None:
        config = self.folder / "config.toml"
        self.folder.mkdir(parents=True, exist_ok=True)
        config.touch()
        self.environment |= self._ground.environment
        self.environment |= {
            "PYTHONPATH": str(ROOT),
            "PARLEY_CONFIG": str(config),
            CHILDREN: json.dumps(self._ground.children),
        }
        self.paths.make()
        self.paths.broker.mkdir(mode=0o700, exist_ok=True)
        replace_file(endpoint_file(self.paths), msgspec.json.encode(Endpoint(port=self.wires)).decode())
        await super().start()

    def broker_port(self) -> int:
        """Where the node really is. Raises OSError before it was ever started."""
        return msgspec.json.decode(behind(self.paths).read_bytes(), type=Endpoint).port

    def _argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.chaos.house", *arguments]


class Arena:
    """What `fault.World` asks for. `memory` holds the most that each child was seen to hold, in bytes."""

    def __init__(self, ground: Ground, house: House, doors: Proxy, wires: Proxy, log: Callable[..., None]) -> None:
        self.ground = ground
        self.installation: Installation = house
        self.clients: Sequence[Client] = ()
        self.doors = doors
        self.wires = wires
        self.memory: dict[str, int] = defaultdict(int)
        self._log = log

    @property
    def base(self) -> str:
        """Where clients find the fronts: behind the proxy."""
        return f"http://127.0.0.1:{self.doors.port}"

    def log(self, what: str, **fields: Any) -> None:
        self._log(what, fields)

    async def pids(self) -> dict[str, int]:
        return {name: row["pid"] for name, row in (await self.installation.actors()).items() if row["pid"]}

    async def restart(self) -> None:
        await self.installation.kill()
        await self.installation.start()

    async def back(self, name: str, other_than: int = 0, within: float = 60.0) -> int:
        return await self.installation.running(name, other_than, within * SCALE)

    async def watch_memory(self) -> None:
        """Until cancelled."""
        while True:
            pids = {SUPERVISOR: self.installation.supervisor_pid, **(await self.pids())}
            for name, pid in pids.items():
                # The supervisor leads a session of its own as its children do.
                held = await asyncio.to_thread(proc.memory, pid)
                self.memory[name] = max(self.memory[name], held or 0)
            await asyncio.sleep(SAMPLED_EVERY)

    def survivors(self) -> list[int]:
        """Processes of the installation that live."""
        return proc.marked(MARK, str(self.installation.paths.run))


@contextlib.asynccontextmanager
async def running_world(
    folder: Path, faults: Sequence[Fault], log: Callable[..., None], **environment: str
) -> AsyncIterator[Arena]:
    """An installation whose every child runs; afterwards it is stopped, and what faults made ready is removed."""
    ground = Ground(folder, environment)
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240  (once, before anything runs)
    async with contextlib.AsyncExitStack() as exits:
        for fault in faults:
            exits.push_async_callback(fault.clear, ground)
            await fault.prepare(ground)
        house = House(ground)
        doors = await exits.enter_async_context(running_proxy(lambda: house.port))
        wires = await exits.enter_async_context(running_proxy(house.broker_port))
        house.wires = wires.port
        # It may lie outside of the folder.
        exits.callback(shutil.rmtree, house.paths.run, ignore_errors=True)
        exits.push_async_callback(house.stop)
        await house.start()
        yield Arena(ground, house, doors, wires, log)
