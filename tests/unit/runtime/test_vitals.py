"""Signs of life, at a real socket."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime.vitals import Notifier, Vitals
from tests.support.waiting import eventually


class Supervisor:
    """Whoever started us: collects what it is told."""

    def __init__(self, path: str) -> None:
        self.address = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self.told: list[list[str]] = []

    def hear(self) -> list[list[str]]:
        while True:
            try:
                self.told.append(self._socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return self.told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(str(tmp_path / "notify"))
    yield one
    one.close()


@pytest.fixture
def notifier(supervisor: Supervisor) -> Iterator[Notifier]:
    one = Notifier({"NOTIFY_SOCKET": supervisor.address, "WATCHDOG_USEC": "600000"})
    yield one
    one.close()


def test_ready_watchdog_and_stopping_are_said_in_sd_notifys_words(supervisor: Supervisor, notifier: Notifier) -> None:
    vitals = Vitals(notifier, 2.0)
    vitals.waiting("waiting for the database")
    vitals.ready()
    vitals.alive()
    vitals.stopping()
    assert supervisor.hear() == [
        ["STATUS=waiting for the database"],
        ["READY=1", "STATUS=running"],
        ["WATCHDOG=1", "X_PROGRESS=1"],
        ["STOPPING=1", "STATUS=stopping"],
    ]


def test_a_busy_loop_is_counted_each_time_and_tells_now_and_then(supervisor: Supervisor, notifier: Notifier) -> None:
    moment = 5.0
    vitals = Vitals(notifier, 2.0, monotonic=lambda: moment)
    for _ in range(3):
        vitals.alive()
    moment += vitals.interval
    vitals.alive()
    assert supervisor.hear() == [["WATCHDOG=1", "X_PROGRESS=1"], ["WATCHDOG=1", "X_PROGRESS=4"]]


def test_a_note_cannot_say_anything_in_the_actors_name(supervisor: Supervisor, notifier: Notifier) -> None:
    notifier.send("STATUS=bad\nREADY=1\nMAINPID=1")
    assert supervisor.hear() == [["STATUS=bad READY=1 MAINPID=1"]]


def test_an_abstract_socket_is_spoken_to_as_well() -> None:
    supervisor = Supervisor(f"@parley-test-{os.getpid()}")
    notifier = Notifier({"NOTIFY_SOCKET": supervisor.address})
    notifier.send("READY=1")
    assert supervisor.hear() == [["READY=1"]]
    notifier.close()
    supervisor.close()


def test_alone_or_with_a_supervisor_that_is_gone_or_deaf_nothing_is_raised(supervisor: Supervisor) -> None:
    nobody = Notifier({})
    nobody.send("READY=1")
    nobody.close()
    deaf = Notifier({"NOTIFY_SOCKET": supervisor.address})
    for _ in range(2_000):
        # More than the socket holds.
        deaf.send("WATCHDOG=1")
    supervisor.close()
    deaf.send("WATCHDOG=1")
    deaf.close()


def test_life_is_shown_three_times_within_the_watchdogs_patience(notifier: Notifier) -> None:
    assert Vitals(notifier, 2.0).interval == pytest.approx(0.2)
    assert Vitals(notifier, 0.1).interval == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_watchdog_meant_for_another_process_is_not_ours(environ: dict[str, str], expected: float) -> None:
    notifier = Notifier(environ)
    assert notifier.watchdog == expected
    notifier.close()


async def test_beats_come_at_once_when_the_state_changes_even_while_one_is_being_sent(notifier: Notifier) -> None:
    vitals = Vitals(notifier, 1_000.0)
    vitals.interval = 1_000.0
    beats: list[tuple[str, str, int]] = []

    async def depth() -> int:
        return 3

    async def beat(state: str, note: str, waiting: int) -> None:
        beats.append((state, note, waiting))
        if len(beats) == 1:
            vitals.degraded("during the beat")

    running = asyncio.create_task(vitals.beats(depth, beat))
    await eventually(lambda: len(beats) == 2)
    vitals.well()
    await eventually(lambda: len(beats) == 3)
    vitals.well()
    vitals.stopping()
    await eventually(lambda: len(beats) == 4)
    running.cancel()
    assert beats == [
        ("running", "", 3),
        ("degraded", "during the beat", 3),
        ("running", "", 3),
        ("stopping", "", 3),
    ]


async def test_depth_and_rate_are_told_to_the_supervisor(supervisor: Supervisor, notifier: Notifier) -> None:
    vitals = Vitals(notifier, 0.01)

    async def depth() -> int:
        return 5

    async def beat(*_: object) -> None:
        vitals.handled(10)

    running = asyncio.create_task(vitals.beats(depth, beat))
    await eventually(lambda: len(supervisor.hear()) >= 3)
    running.cancel()
    lines = dict(line.split("=", 1) for line in supervisor.told[-1])
    assert (lines["STATUS"], lines["X_DEPTH"]) == ("running", "5")
    assert float(lines["X_RATE"]) > 0


async def test_patience_shows_life_while_it_lasts_and_no_longer(supervisor: Supervisor, notifier: Notifier) -> None:
    vitals = Vitals(notifier, 0.01)
    with vitals.patience():
        await eventually(lambda: len(supervisor.hear()) >= 3)
    count = len(supervisor.hear())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.Event().wait()
    assert len(supervisor.hear()) == count
