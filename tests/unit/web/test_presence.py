"""What a front tells notifier of its people: over a clock that runs by itself, in no time."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.mail import Command
from protocols.notifier import Lease, Typing
from settings import Paths
from tests.support.node import installation
from tests.support.virtual_time import run_virtually, virtual_environment
from web.presence import Presence


@dataclass
class Wire:
    """What was signalled: when, what, by whom. `down`: notifier is known to hear nothing."""

    sent: list[tuple[float, Command[Any], str]] = field(default_factory=list)
    down: bool = False
    incarnation: str = "front.1:abc"

    def signal(self, to: str, command: Command[Any], *, person: str = "", within: float) -> None:
        assert (to, within > 0) == ("notifier", True)
        self.sent.append((asyncio.get_running_loop().time(), command, person))

    @property
    def leases(self) -> list[Lease]:
        return [command for _, command, _ in self.sent if isinstance(command, Lease)]

    @property
    def typing(self) -> list[tuple[str, str]]:
        return [(person, command.conversation) for _, command, person in self.sent if isinstance(command, Typing)]


def go(folder: Path, test: Callable[[Wire, Presence], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        settings = installation(folder)
        environment = virtual_environment(settings, Paths.of(settings))
        wire = Wire()
        presence = Presence(environment, wire, lambda: wire.down)
        running = asyncio.create_task(presence.run())
        try:
            await test(wire, presence)
        finally:
            running.cancel()

    run_virtually(whole())


def test_leases_are_sent_each_round_and_at_once_on_change(tmp_path: Path) -> None:
    async def test(wire: Wire, presence: Presence) -> None:
        await asyncio.sleep(11)
        assert [(lease.number, lease.whole) for lease in wire.leases] == [(1, True), (2, True), (3, True)]
        presence.attend(presence.enter("ann", "s1"), "k", visible=True)
        await asyncio.sleep(0.01)
        last = wire.leases[-1]
        assert (last.whole, [one.user for one in last.people]) == (False, ["ann"])

    go(tmp_path, test)


def test_an_impatient_window_costs_four_leases_a_second(tmp_path: Path) -> None:
    async def test(wire: Wire, presence: Presence) -> None:
        seat = presence.enter("ann", "s1")
        for step in range(500):
            presence.attend(seat, "", visible=bool(step % 2))
            await asyncio.sleep(0.01)
        assert 15 <= len(wire.leases) <= 22

    go(tmp_path, test)


def test_typing_is_passed_on_once_in_three_seconds_a_person_and_conversation(tmp_path: Path) -> None:
    async def test(wire: Wire, presence: Presence) -> None:
        for _ in range(29):
            presence.types("ann", "k")
            presence.types("ann", "l")
            presence.types("bob", "k")
            await asyncio.sleep(0.1)
        assert wire.typing == [("ann", "k"), ("ann", "l"), ("bob", "k")]
        await asyncio.sleep(0.11)
        presence.types("ann", "k")
        assert wire.typing[3:] == [("ann", "k")]

    go(tmp_path, test)


def test_while_notifier_is_down_nothing_is_sent_and_it_is_told_all_when_it_starts(tmp_path: Path) -> None:
    async def test(wire: Wire, presence: Presence) -> None:
        await asyncio.sleep(1)
        wire.down = True
        wire.sent.clear()
        presence.attend(presence.enter("ann", "s1"), "", visible=True)
        presence.types("ann", "k")
        await asyncio.sleep(20)
        presence.goodbye()
        assert wire.sent == []
        wire.down = False
        presence.started("router")
        await asyncio.sleep(0.3)
        assert wire.sent == []
        presence.started("notifier")
        await asyncio.sleep(0.3)
        (lease,) = wire.leases
        assert (lease.whole, [one.user for one in lease.people]) == (True, ["ann"])

    go(tmp_path, test)


def test_a_front_that_goes_away_says_so(tmp_path: Path) -> None:
    async def test(wire: Wire, presence: Presence) -> None:
        presence.attend(presence.enter("ann", "s1"), "", visible=True)
        await asyncio.sleep(1)
        presence.goodbye()
        assert (wire.leases[-1].whole, wire.leases[-1].people) == (True, [])
        assert wire.leases[-1].number == wire.leases[-2].number + 1

    go(tmp_path, test)
