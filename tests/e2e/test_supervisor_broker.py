"""The private broker as a child like the others: it comes back on its own data, and leaves nothing behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.installation import free_port
from settings.endpoint import endpoint_file
from supervision import broker, proc
from supervision.spec import MARK
from tests.support.fake_installation import Installation
from tests.support.waiting import SCALE, eventually_sync

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    if broker.program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(broker.MISSING)
        pytest.skip(broker.MISSING)
    installation = Installation(tmp_path / "data", free_port(), {"PARLEY_BROKER__URL": "managed"})
    yield installation
    assert not proc.marked(MARK, str(installation.paths.run)), "a test left processes behind"
    installation.clear()


def test_the_broker_is_killed_and_comes_back(home: Installation) -> None:
    with home.running() as supervisor:
        before = home.actors()
        assert next(iter(before)) == "broker"
        assert before["broker"]["state"] == "running"
        address = endpoint_file(home.paths).read_bytes()
        assert home.run("kill", "broker").returncode == 0
        eventually_sync(lambda: home.said("broker: ended (SIGKILL); starting again at once"), 2)
        after = eventually_sync(lambda: (a := home.actors())["broker"]["state"] == "running" and a, 40)
        assert endpoint_file(home.paths).read_bytes() == address
        assert after["broker"]["restarts"] == 1
        assert all(after[name]["pid"] == before[name]["pid"] for name in before if name != "broker")
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(20 * SCALE) == 0
    # It was asked to end, not killed, and it was the last.
    stopped = [
        line for line in home.paths.logs.joinpath("supervisor.log").read_text().splitlines() if "stopped (" in line
    ]
    assert stopped[-1].split()[2:] == ["broker:", "stopped", "(exit", "0)"]


def test_killing_the_supervisor_takes_the_broker_along(home: Installation) -> None:
    with home.running() as supervisor:
        assert len(proc.marked(MARK, str(home.paths.run))) >= 7
        supervisor.kill()
        supervisor.wait(5 * SCALE)
        eventually_sync(lambda: not proc.marked(MARK, str(home.paths.run)), 3)
