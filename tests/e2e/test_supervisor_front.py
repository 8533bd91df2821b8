"""The listening socket outlives the fronts: killing and rolling them refuses nobody."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from drill.installation import free_port
from settings.owners import OWNERS
from tests.e2e.test_supervisor import served_by
from tests.support.fake_installation import Installation
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e


class Visitors:
    """Somebody who connects again and again, and counts answers, refusals and connections cut off in the middle."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.served: list[str] = []
        self.refused = 0
        self.cut = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10 * SCALE)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.served.append(served_by(self._port))
            except ConnectionRefusedError:
                self.refused += 1
            except OSError:
                self.cut += 1


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data", free_port())
    with installation.running(PARLEY_SUPERVISION__BURST="50", PARLEY_SUPERVISION__BACKOFF_CAP="0.05"):
        yield installation
    installation.clear()


def test_killed_fronts_refuse_no_connection(home: Installation) -> None:
    with Visitors(home.port) as visitors:
        for number in range(8):
            assert home.run("kill", f"front.{number % 2 + 1}").returncode == 0
        eventually_sync(lambda: sum(a["restarts"] for a in home.actors().values()) == 8, 10)
        count = len(visitors.served)
        eventually_sync(lambda: len(visitors.served) > count + 20, 10)
    assert visitors.refused == 0
    assert {"front.1", "front.2"} <= set(visitors.served)


def test_a_rolling_restart_and_scaling_are_not_noticed(home: Installation) -> None:
    with Visitors(home.port) as visitors:
        before = home.actors()
        assert home.run("restart", "front").returncode == 0
        assert home.run("scale", "front", "4").returncode == 0
        assert [name for name in home.actors() if name.startswith("front")] == [f"front.{n}" for n in range(1, 5)]
        assert home.run("scale", "front", "1").returncode == 0
        after = home.actors()
        eventually_sync(lambda: visitors.served[-20:] == ["front.1"] * 20, 10)
    assert list(after) == [*OWNERS, "front.1"]
    assert after["front.1"]["pid"] != before["front.1"]["pid"]
    assert visitors.refused == 0
    for name, count in (("router", "2"), ("front", "0"), ("front", "33")):
        assert home.run("scale", name, count).returncode == 1


def test_the_listener_is_not_reachable_after_down(home: Installation) -> None:
    assert home.run("down").returncode == 0
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", home.port), timeout=2 * SCALE):
        pass
