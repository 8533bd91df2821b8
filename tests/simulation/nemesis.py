"""What goes wrong, when, and to whom: drawn from the seed."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.plan import POINTS
from tests.simulation.processes import Process, RouterProcess, Wire
from tests.simulation.ways import Way

if TYPE_CHECKING:
    from tests.simulation.world import World

CLOCK_SHIFT = 3_600_000


class Nemesis:
    """`strike` does one fault of those that the plan names."""

    def __init__(self, world: "World", rng: Random) -> None:
        self._world = world
        self._rng = rng
        self._does: dict[str, Callable[[], None]] = {
            "kill router": lambda: self._kill(world.router),
            "kill front": lambda: self._kill(self._front()),
            "stop router": lambda: self._stop(world.router),
            "stop front": lambda: self._stop(self._front()),
            "kill router at": lambda: self._at(world.router, self._kill),
            "kill front at": lambda: self._at(self._front(), self._kill),
            "cut router at": lambda: self._at(world.router, self._cut),
            "cut front at": lambda: self._at(self._front(), self._cut),
            "cut link": lambda: self._cut(self._process()),
            "stall link": self._stall_link,
            "cut socket": lambda: self._wire(lambda wire: wire.cut()),
            "deafen socket": lambda: self._wire(self._deafen),
            "stall socket": lambda: self._wire(self._stall_socket),
            "reload": lambda: rng.choice(world.devices).reload(),
            "kill broker": lambda: self._broker(killed=True),
            "stop broker": lambda: self._broker(killed=False),
            "alarm": self._alarm,
            "refuse": self._refuse,
            "lose pushes": self._lose_pushes,
            "slow disk": self._slow_disk,
            "busy": lambda: self._trouble("busy"),
            "full": lambda: self._trouble("full"),
            "failing": lambda: self._trouble("failing"),
            "shift clock": self._shift_clock,
            "delete mailbox": self._delete_mailbox,
        }

    def strike(self) -> None:
        faults = self._world.plan.faults
        kind = self._rng.choices(list(faults), list(faults.values()))[0]
        self._world.note("nemesis", kind)
        self._does[kind]()

    # Processes.

    def _front(self) -> Process | None:
        return self._world.fronts[self._rng.choice(sorted(self._world.fronts))]

    def _process(self) -> Process | None:
        return self._world.router if self._rng.random() < 0.5 else self._front()

    def _kill(self, process: Process | None) -> None:
        if process is not None:
            process.crash()

    def _cut(self, process: Process | None) -> None:
        life = process.link.life if process and process.link else None
        if life is not None:
            self._world.node.cut(life)

    def _at(self, process: Process | None, act: Callable[[Process | None], None]) -> None:
        """At the next moment of a kind, and perhaps at the same of the next runs, too."""
        if process is None:
            return
        kind = "router" if isinstance(process, RouterProcess) else "front"
        point = self._rng.choice(POINTS[kind])
        self._world.set_trap(process.name, point, act, times=self._rng.choice((1, 1, 2, 3, 4)))

    def _stop(self, process: Process | None) -> None:
        if process is not None:
            process.stop()

    # Ways.

    def _stall_link(self) -> None:
        process = self._process()
        life = process.link.life if process and process.link else None
        if life is not None:
            ways: tuple[Way[Any], ...] = (
                life.publishing,
                life.confirms,
                life.acknowledging,
                life.deliveries,
                life.pushes,
            )
            for way in self._rng.sample(ways, self._rng.randint(1, len(ways))):
                way.stall(self._rng.uniform(0.1, 14.0))

    def _wire(self, act: Callable[[Wire], None]) -> None:
        wires = [device.wire for device in self._world.devices if device.wire is not None]
        if wires:
            act(self._rng.choice(wires))

    def _deafen(self, wire: Wire) -> None:
        wire.deaf = True

    def _stall_socket(self, wire: Wire) -> None:
        self._rng.choice((wire.up, wire.down)).stall(self._rng.uniform(0.1, 4.0))

    # The broker.

    def _broker(self, *, killed: bool) -> None:
        node = self._world.node
        if node.up:
            node.go_down(killed=killed)
            self._world.later(self._rng.uniform(0.05, 3.0), node.come_up)

    def _alarm(self) -> None:
        self._world.node.set_alarm(True)
        self._world.later(self._rng.uniform(0.1, 12.0), lambda: self._world.node.set_alarm(False))

    def _refuse(self) -> None:
        self._world.node.refusing = self._rng.randint(1, 5)

    def _lose_pushes(self) -> None:
        node = self._world.node
        node.lossy = self._rng.choice((0.1, 0.5, 1.0))
        self._world.later(self._rng.uniform(0.1, 3.0), lambda: setattr(node, "lossy", 0.0))

    def _delete_mailbox(self) -> None:
        router, node = self._world.router, self._world.node
        # Between its connection and its first look into the mailbox router cannot tell that it is another one.
        if router is None or router.link is None or router.link.life is None or node.declare("router").consumers:
            node.delete("router")

    # The disk and the clock.

    def _slow_disk(self) -> None:
        self._world.slowness = self._rng.uniform(0.05, 1.0)
        self._world.later(self._rng.uniform(0.1, 3.0), lambda: setattr(self._world, "slowness", 0.0))

    def _trouble(self, kind: str) -> None:
        process = self._process()
        if process is not None:
            process.troubles.extend([kind] * self._rng.randint(1, 4))  # type: ignore[list-item]  # (one of them)

    def _shift_clock(self) -> None:
        self._world.shift = self._rng.choice((-CLOCK_SHIFT, -500, 0, CLOCK_SHIFT))
