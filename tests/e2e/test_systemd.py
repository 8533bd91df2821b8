"""The units of deploy/systemd: systemd finds nothing wrong with them, and what they start speaks systemd's protocol."""

import configparser
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from settings import Paths, load
from supervision.children import ROOT
from supervision.notify import Message, parse
from supervision.spawn import spawn
from supervision.spec import ChildSpec
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

UNITS = ROOT / "deploy" / "systemd"
INSTANCES = {"parley-actor@.service": "router", "parley-front@.service": "1"}


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # keys are case-sensitive
    parsed.read(UNITS / name)
    return parsed


def verify(folder: Path) -> str:
    """What systemd has to say about the units in a folder; nothing when all is well."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    names = [path.name.replace("@.", f"@{INSTANCES.get(path.name, '')}.") for path in sorted(folder.iterdir())]
    done = subprocess.run(  # noqa: S603  (looked up)
        [program, "verify", *(f"./{name}" for name in names)],
        cwd=folder, capture_output=True, text=True, timeout=60 * SCALE, check=False,
    )  # fmt: skip
    return done.stderr + ("" if done.returncode == 0 else f"exit {done.returncode}")


def install(folder: Path) -> None:
    """The units as they would be here: verify looks whether the programs are there."""
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/parley/.venv/bin/python", sys.executable)
        text = text.replace("/opt/parley/.venv/bin/parley", str(Path(sys.executable).with_name("parley")))
        (folder / path.name).write_text(text.replace("/opt/parley", str(ROOT)))


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    install(tmp_path)
    assert verify(tmp_path) == ""
    # And would have, had there been something.
    service = tmp_path / "parley-actor@.service"
    service.write_text(service.read_text().replace("Restart=always", "Restart=perhaps"))
    assert "perhaps" in verify(tmp_path)


@pytest.mark.parametrize("name", list(INSTANCES))
def test_units_agree_with_what_the_supervisor_does(name: str) -> None:
    service = unit(name)["Service"]
    settings = load(environ={})
    assert float(service["WatchdogSec"]) == settings.supervision.watchdog
    assert service["RestartPreventExitStatus"] == "78"
    assert service["Type"] == "notify"
    assert unit(name)["Unit"]["StartLimitIntervalSec"] == "0"


class Manager:
    """Starts what a unit says, as systemd would, and hears it."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths.of(load(environ={"PARLEY_DATA__DIR": str(folder)}))
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._folder = folder
        self._address = folder.parent / "notify"
        self.notify.bind(str(self._address))
        self.notify.settimeout(20 * SCALE)
        self.pid = 0

    def start(self, name: str) -> None:
        service = unit(name)["Service"]
        words = service["ExecStart"].replace("%i", INSTANCES[name]).replace("/opt/parley/.venv/bin/python", "")
        env = dict(part.split("=", 1) for part in service["Environment"].replace("/opt/parley", str(ROOT)).split())
        env |= {
            "PATH": os.environ["PATH"],
            "PARLEY_DATA__DIR": str(self._folder),
            # Nobody is there: READY says nothing about the broker.
            "PARLEY_BROKER__URL": "amqp://nobody@127.0.0.1:1/none",
        }
        argv = (sys.executable, *words.split())
        sockets = "Sockets" in service
        spec = ChildSpec(name="unit", argv=argv, env=env, listener=sockets, watchdog=3.0)
        with (self._folder.parent / "out").open("wb") as output:
            self.pid = spawn(
                spec, output=output.fileno(), listener=self.listener.fileno(), notify=str(self._address)
            )  # fmt: skip

    def hear(self, what: str) -> Message:
        """The next message that says so."""
        deadline = time.monotonic() + 20 * SCALE
        while time.monotonic() < deadline:
            message = parse(self.notify.recv(4096))
            if getattr(message, what):
                return message
        raise AssertionError(f"nothing said {what}; it printed {(self._folder.parent / 'out').read_text()}")

    def end(self) -> int:
        """The exit code of what was told to stop."""
        statuses: list[int] = []

        def ended() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            statuses.extend([status] if pid else [])
            return bool(pid)

        eventually_sync(ended, 10)
        self.pid = 0
        return os.waitstatus_to_exitcode(statuses[0])

    def close(self) -> None:
        self.notify.close()
        self.listener.close()
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        shutil.rmtree(self.paths.run, ignore_errors=True)


@pytest.mark.parametrize("name", list(INSTANCES))
def test_an_actor_runs_as_systemd_starts_it(tmp_path: Path, name: str) -> None:
    manager = Manager(tmp_path / "data")
    try:
        manager.start(name)
        manager.hear("ready")
        manager.hear("alive")
        if name == "parley-front@.service":
            with socket.create_connection(manager.listener.getsockname(), timeout=5 * SCALE) as one:
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                assert b"200 OK" in one.recv(1000)
        os.kill(manager.pid, signal.SIGTERM)
        manager.hear("stopping")
        assert manager.end() == 0
    finally:
        manager.close()
