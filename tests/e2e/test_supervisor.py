"""The supervisor as a real process over stand-ins for the actors: crashes, hangs, stops, and bad company."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.installation import free_port
from settings.owners import OWNERS
from supervision import proc
from supervision.client import ask
from supervision.control import Request
from supervision.spec import MARK
from tests.support.fake_installation import Installation
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

NAMES = [*OWNERS, "front.1", "front.2"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data", free_port())
    yield installation
    assert not proc.marked(MARK, str(installation.paths.run)), "a test left processes behind"
    installation.clear()


def served_by(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5 * SCALE) as one:
        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: one.recv(1000), b""))
    return answer.rpartition(b"\r\n")[2].decode()


def test_all_start_in_order_and_stop_in_reverse(home: Installation) -> None:
    with home.running() as supervisor:
        told = home.run("status", "--json")
        assert told.returncode == 0, told.stderr
        actors = {actor["name"]: actor for actor in json.loads(told.stdout)["actors"]}
        assert list(actors) == NAMES
        assert {actor["state"] for actor in actors.values()} == {"running"}
        assert actors["router"]["depth"] == 3
        assert actors["router"]["memory"] > 1 << 20
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(10 * SCALE) == 0
    lines = (home.paths.logs / "supervisor.log").read_text().splitlines()
    ready = [line.split()[2].strip(":") for line in lines if "ready after" in line]
    stopped = [line.split()[2].strip(":") for line in lines if "stopped (exit 0)" in line]
    assert ready[:-2] == list(OWNERS)
    assert stopped[2:] == list(reversed(OWNERS))
    assert set(ready[-2:]) == set(stopped[:2]) == {"front.1", "front.2"}


def test_a_crash_is_noticed_at_once_and_touches_nobody_else(home: Installation) -> None:
    with home.running():
        before = home.actors()
        killed = time.monotonic()
        os.kill(before["router"]["pid"], signal.SIGKILL)
        eventually_sync(lambda: home.said("router: ended (SIGKILL); starting again at once"), 2)
        assert time.monotonic() - killed < 1.0 * SCALE
        after = eventually_sync(lambda: (a := home.actors())["router"]["state"] == "running" and a, 5)
    assert after["router"]["restarts"] == 1
    assert after["router"]["last_exit"] == "SIGKILL"
    assert all(after[name]["pid"] == before[name]["pid"] for name in NAMES if name != "router")


def test_a_hang_is_found_and_replaced(home: Installation) -> None:
    with home.running(PARLEY_SUPERVISION__WATCHDOG="0.5"):
        before = home.actors()
        os.kill(before["contacts"]["pid"], signal.SIGSTOP)
        after = eventually_sync(lambda: (a := home.actors())["contacts"]["restarts"] == 1 and a, 10)
    # It was made to go on just for that: a stopped process cannot say where it is.
    assert after["contacts"]["last_exit"] == "no sign of life for 0.5 s, SIGABRT"
    assert "fake_actor.py" in (home.paths.logs / "contacts.log").read_text()
    assert after["auth"]["restarts"] == 0


def test_a_hung_python_process_leaves_its_stacks_in_the_log(home: Installation) -> None:
    with home.running(PARLEY_SUPERVISION__WATCHDOG="0.5", FAKE_AUTH="hang,once"):
        eventually_sync(lambda: home.actors()["auth"]["last_exit"] == "no sign of life for 0.5 s, SIGABRT", 10)
    log = (home.paths.logs / "auth.log").read_text()
    assert "Fatal Python error: Aborted" in log
    assert "fake_actor.py" in log


def test_signs_of_life_without_progress_are_none(home: Installation) -> None:
    with home.running(PARLEY_SUPERVISION__WATCHDOG="0.5", FAKE_AUTH="stuck,once"):
        eventually_sync(lambda: home.actors()["auth"]["last_exit"] == "no sign of life for 0.5 s, SIGABRT", 10)


def test_a_hung_process_that_ignores_everything_is_killed(home: Installation) -> None:
    with home.running(PARLEY_SUPERVISION__WATCHDOG="0.5", FAKE_AUTH="hang,deaf,once"):
        eventually_sync(lambda: home.actors()["auth"]["last_exit"] == "no sign of life for 0.5 s, SIGKILL", 15)


def test_many_restarts_of_many_children_raise_the_alarm(home: Installation) -> None:
    with home.running(PARLEY_SUPERVISION__TREE_BURST="3"):
        assert home.status()["supervisor"]["alarm"] is None
        before = home.actors()
        for name in ("auth", "contacts", "router", "notifier", "front.1"):
            os.kill(before[name]["pid"], signal.SIGKILL)
        eventually_sync(lambda: home.said("more than 3 restarts in 60 s"), 5)
        assert "ALARM: more than 3 restarts in 60 s (" in home.run("status").stdout
        # No child is failing, and each came back: it is a matter of all of them together.
        eventually_sync(lambda: {actor["state"] for actor in home.actors().values()} == {"running"}, 5)


def test_a_child_that_keeps_failing_is_marked_and_the_others_serve(home: Installation) -> None:
    fast = {"PARLEY_SUPERVISION__BACKOFF_BASE": "0.01", "PARLEY_SUPERVISION__START_WAIT": "1"}
    with home.running(FAKE_CONTACTS="exit=1", **fast):
        actors = eventually_sync(lambda: (a := home.actors())["contacts"]["state"] == "failing" and a, 10)
        assert actors["contacts"]["restarts"] == 5
        assert actors["contacts"]["last_exit"] == "exit 1"
        assert {actors[name]["restarts"] for name in NAMES if name != "contacts"} == {0}
        assert served_by(home.port).startswith("front.")


def test_a_wrong_configuration_waits_for_somebody(home: Installation) -> None:
    with home.running(FAKE_ROUTER="exit=78,once"):
        router = home.actors()["router"]
        assert (router["state"], router["restarts"], router["last_exit"]) == ("failing", 0, "exit 78")
        assert home.run("start", "router").returncode == 0
        assert home.actors()["router"]["state"] == "running"


def test_stop_lasts_until_start(home: Installation) -> None:
    with home.running():
        assert home.run("stop", "front").returncode == 0
        actors = home.actors()
        assert [actors[name]["state"] for name in ("front.1", "front.2")] == ["stopped", "stopped"]
        assert home.run("kill", "front.1").returncode == 1
        assert home.run("start", "front.1").returncode == 0
        assert served_by(home.port) == "front.1"


def test_a_stubborn_child_is_gone_at_its_timeout(home: Installation) -> None:
    with home.running(FAKE_AUTH="stubborn"):
        began = time.monotonic()
        assert home.run("stop", "auth").returncode == 0
        assert 1.0 <= time.monotonic() - began < 6.0 * SCALE
        auth = home.actors()["auth"]
        assert (auth["state"], auth["last_exit"]) == ("stopped", "SIGKILL")


def test_a_loud_child_never_holds_anything_up(home: Installation) -> None:
    with home.running(FAKE_AUTH="loud=60000000", PARLEY_LOGGING__ROTATE_MIB="1", PARLEY_LOGGING__KEEP="1"):
        assert home.actors()["auth"]["state"] == "running"
        sizes = [path.stat().st_size for path in home.paths.logs.glob("auth.log*")]
    assert len(sizes) == 2
    assert sum(sizes) < 3 << 20


def test_killing_the_supervisor_leaves_nobody_and_the_next_one_starts(home: Installation) -> None:
    for _ in range(3):
        with home.running() as supervisor:
            assert len(proc.marked(MARK, str(home.paths.run))) == len(NAMES)
            supervisor.kill()
            supervisor.wait(5 * SCALE)
            eventually_sync(lambda: not proc.marked(MARK, str(home.paths.run)), 1)
        (home.paths.logs / "supervisor.log").unlink()
    with home.running():
        assert {actor["state"] for actor in home.actors().values()} == {"running"}


def test_a_second_supervisor_says_who_has_the_data(home: Installation) -> None:
    with home.running() as supervisor:
        second = home.run("up", within=20 * SCALE)
        assert second.returncode == 1
        assert f"process {supervisor.pid}" in second.stderr
        assert second.stderr.count("\n") == 1


def test_a_port_in_use_is_one_sentence(home: Installation) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.port))
        other.listen()
        refused = home.run("up", within=20 * SCALE)
    assert refused.returncode == 1
    assert f"port {home.port} on 127.0.0.1 is in use" in refused.stderr
    assert "PARLEY_WEB__PORT" in refused.stderr


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("PARLEY_WEB__PORT", "99999", "PARLEY_WEB__PORT"),
        ("PARLEY_WEB__PROT", "1", "prot"),
        ("PARLEY_SUPERVISION__WINDOW", "1", "supervision.window"),
    ],
)
def test_a_bad_setting_is_named(home: Installation, key: str, value: str, named: str) -> None:
    home.env[key] = value
    refused = home.run("up", within=20 * SCALE)
    assert refused.returncode == 78
    assert named in refused.stderr


def test_commands_without_a_supervisor_say_so(home: Installation) -> None:
    for command in (("status",), ("down",), ("stop", "router")):
        done = home.run(*command)
        assert (done.returncode, done.stderr) == (3, "parley: nothing is running: `parley up`\n")
    assert home.run("dance").returncode == 2


def test_detached_it_outlives_its_starter_and_down_waits_for_its_end(home: Installation) -> None:
    up = home.run("up", "-d")
    try:
        assert up.returncode == 0, up.stderr
        assert f"http://127.0.0.1:{home.port}" in up.stdout
        assert home.run("up", "-d").returncode == 1
        pid = home.status()["supervisor"]["pid"]
    finally:
        assert home.run("down").returncode == 0
    # `down` came back after everything was let go of: the next one starts without waiting.
    again = home.run("up", "-d")
    assert again.returncode == 0, again.stderr
    assert home.status()["supervisor"]["pid"] != pid
    assert home.run("down").returncode == 0


def test_a_second_signal_ends_everything_at_once(home: Installation) -> None:
    stubborn = {"FAKE_FRONT": "stubborn", "FAKE_AUTH": "stubborn", "FAKE_ROUTER": "stubborn"}
    # Long enough to tell "at once" from a child that was waited for, on any machine.
    with home.running(FAKE_STOP_TIMEOUT="60", **stubborn) as supervisor:
        supervisor.send_signal(signal.SIGINT)
        eventually_sync(lambda: home.said("stopping all"), 2)
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(30 * SCALE) == 0


def test_an_orphan_below_a_child_is_reaped(home: Installation) -> None:
    with home.running() as supervisor:
        for _ in range(20):
            pid = home.actors()["router"]["pid"]
            os.kill(pid, signal.SIGKILL)
            eventually_sync(lambda: not proc.name(pid), 2)  # noqa: B023  (used at once)
            ask(home.paths, Request("start", "router"))
        tasks = subprocess.run(  # noqa: S603  (constant program)
            ["/usr/bin/ps", "-o", "stat=", "--ppid", str(supervisor.pid)], capture_output=True, text=True, check=True
        )
        assert len(tasks.stdout.split()) == len(NAMES)
        assert "Z" not in tasks.stdout


def test_logs_are_read_without_a_supervisor(home: Installation) -> None:
    with home.running():
        pass
    merged = home.run("logs").stdout
    assert re.search(r"^front\.2 +\| front\.2 is up as", merged, re.MULTILINE)
    assert home.run("logs", "router").stdout.startswith("router is up as")
    missing = home.run("logs", "nobody")
    assert missing.returncode == 1
    assert "router" in missing.stderr
