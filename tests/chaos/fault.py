"""What a fault of the chaos harness is, and what it may lay its hands on.

A fault is a class with a name. The harness calls `prepare` once before the installation's first start, `inject` as
often as the schedule says, never two faults at a time, and `clear` in any case once everything has ended. Kills and
freezes of the schedule may come in between; clients type all the while.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from drill.installation import Installation
from tests.chaos.client import Client
from tests.support.proxy import Proxy


@dataclass
class Ground:
    """Where an installation is about to be started. `folder` is its data directory, there and empty.

    `environment` is the supervisor's, and so everybody's; `children` is what single children get besides, by their
    names: `ground.children["router"]["LD_PRELOAD"] = ...`. Both are read at each start of the supervisor.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    children: dict[str, dict[str, str]] = field(default_factory=dict)


class World(Protocol):
    """A running installation, its clients, and the proxies between.

    `doors` stands between clients and the fronts' port, `wires` between all actors and the broker. Everything that
    goes through either may be cut, stalled or delayed, by whoever takes it back again.
    """

    ground: Ground
    installation: Installation
    clients: Sequence[Client]
    doors: Proxy
    wires: Proxy

    def log(self, what: str, **fields: object) -> None:
        """Write one record into the run's log; `fields` are JSON values."""

    async def pids(self) -> dict[str, int]:
        """The process of every child that has one now, by name."""

    async def restart(self) -> None:
        """SIGKILL to the supervisor, then another one on the same data; returns when all children run."""

    async def back(self, name: str, other_than: int = 0, within: float = 60.0) -> int:
        """Wait until a child runs, as another process than `other_than`; its pid. Raises TimeoutError."""


class Fault:
    """Subclass it, and list an instance in `tests/chaos/faults/__init__.py`."""

    name = ""

    def missing(self) -> str:
        """Why this machine cannot have the fault, in words; "" when it can."""
        return ""

    async def prepare(self, ground: Ground) -> None:
        """Make ready what must be there before the first start."""

    async def inject(self, world: World, dice: random.Random) -> str:
        """Do it, hold it for a while, and take it back; returns what was done, in words. Bounded in time.

        Whatever it draws comes from `dice`, so that a schedule can be replayed. What was taken back must be so however
        this ends, by an exception too.
        """
        raise NotImplementedError

    async def clear(self, ground: Ground) -> None:
        """Remove what `prepare` has made."""
