"""Each fault that can be had without breaking the machine is named, with what to do."""

import os
import socket
from pathlib import Path

import pytest

from cli import doctor
from cli.doctor import Case, examine
from drill.installation import free_port
from settings import Paths
from supervision import broker, lock
from supervision.control import socket_path
from tests.support.node import installation


@pytest.fixture(autouse=True)
def short_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("settings.paths.RUN_HOME", tmp_path)


def wrong(folder: Path, status: dict[str, object] | None = None, **sections: dict[str, object]) -> dict[str, str]:
    settings = installation(folder / "data", **sections)
    case = Case(settings, Paths.of(settings), status)
    return {finding.what: finding.mend for finding in examine(case) if finding.mend}


def test_a_sound_machine_has_nothing_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "program", lambda: Path("/bin/true"))
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert wrong(tmp_path, web={"port": free_port()}) == {}


def test_a_missing_broker_and_its_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "program", lambda: None)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    found = wrong(tmp_path, web={"port": free_port()})
    assert found["RabbitMQ: missing"] == broker.MISSING
    assert found["setpriv is missing"] == "install util-linux"
    assert "epmd is missing" in found


def test_a_busy_port_and_a_silent_broker_are_named(tmp_path: Path) -> None:
    nobody = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = wrong(tmp_path, web={"port": port}, broker={"url": f"amqp://x@127.0.0.1:{nobody}/"})
    assert "PARLEY_WEB__PORT" in found[f"port {port}"]
    assert found[f"broker at 127.0.0.1 port {nobody} (Connection refused)"].startswith("correct broker.url")


def test_an_open_secret_and_an_unreadable_certificate_are_named(tmp_path: Path) -> None:
    secrets = tmp_path / "data" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "pepper").touch(0o644)
    (secrets / "pepper").chmod(0o644)
    found = wrong(tmp_path, web={"port": free_port(), "tls_certificate": "/no/such", "tls_key": "/no/such"})
    assert found[f"{secrets / 'pepper'} is open to others"] == f"chmod 600 {secrets / 'pepper'}"
    assert found["web.tls_key is /no/such"] == "it cannot be read; correct web.tls_key"


def test_actors_in_trouble_are_named_with_the_next_step(tmp_path: Path) -> None:
    rows = [
        {"name": "auth", "state": "failing", "last_exit": "exit 78"},
        {"name": "router", "state": "stopped", "last_exit": None},
        {"name": "front.1", "state": "running", "last_exit": "SIGKILL"},
    ]
    supervisor = {"alarm": "more than 10 restarts in 60 s (auth)"}
    found = wrong(tmp_path, {"supervisor": supervisor, "actors": rows}, broker={"url": "amqp://x@127.0.0.1:1/"})
    assert found["auth is failing (exit 78)"].startswith("`parley logs auth`")
    assert "a full disk" in found["more than 10 restarts in 60 s (auth)"]
    assert found["router is stopped"] == "`parley start router`"
    assert not [what for what in found if "front.1" in what]


def test_a_supervisor_that_hangs_is_named_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE", 0.1)
    settings = installation(tmp_path / "data", broker={"url": "amqp://x@127.0.0.1:1/"})
    paths = Paths.of(settings)
    assert not doctor.asked(settings, paths).hangs
    paths.make()
    held = lock.take(paths.data)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(socket_path(paths)))
        deaf.listen()
        found = {finding.what: finding.mend for finding in examine(doctor.asked(settings, paths))}
    os.close(held)
    assert "kill -9" in found[f"the supervisor (process {os.getpid()}) does not answer"]
    assert "nothing is running now" not in found
