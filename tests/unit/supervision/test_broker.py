"""What the private node is told, without starting one."""

import base64
import errno
import hashlib
import json
import os
import re
import shlex
import socket
from pathlib import Path

import pytest

from settings import Paths, Settings, SettingsError
from settings.endpoint import endpoint_file
from settings.secret_files import BROKER_USERS, secret
from supervision import broker
from tests.support.node import installation


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Paths]:
    monkeypatch.setattr("settings.paths.RUN_HOME", tmp_path)
    monkeypatch.setattr(broker, "program", lambda: Path("/bin/true"))
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    settings = installation(tmp_path / "data")
    return settings, Paths.of(settings)


def port_of(paths: Paths) -> int:
    return int(json.loads(endpoint_file(paths).read_bytes())["port"])


def test_name_and_ports_are_kept_and_a_busy_port_is_changed(made: tuple[Settings, Paths]) -> None:
    settings, paths = made
    first = broker.spec(settings, paths, 1)
    assert broker.spec(settings, paths, 1) == first
    before = port_of(paths)
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", before))
        stranger.listen()
        second = broker.spec(settings, paths, 1)
    assert port_of(paths) != before
    assert f"127.0.0.1:{port_of(paths)}" in (paths.broker / "rabbitmq.conf").read_text()
    for key in ("RABBITMQ_NODENAME", "ERL_EPMD_PORT", "RABBITMQ_DIST_PORT"):
        assert second.env[key] == first.env[key]


def test_its_three_ports_are_three_and_none_that_others_get_by_accident(
    made: tuple[Settings, Paths], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "range"
    given.write_text("12003\t60999\n")
    monkeypatch.setattr("supervision.ports._BY_ITSELF", given)
    env = broker.spec(*made, 1).env
    found = {port_of(made[1]), int(env["RABBITMQ_DIST_PORT"]), int(env["ERL_EPMD_PORT"])}
    assert len(found) == 3
    assert found & set(range(12_000, 12_003))


def test_a_full_disk_keeps_only_from_starting_what_has_to_be_written(
    made: tuple[Settings, Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, paths = made
    first = broker.spec(settings, paths, 1)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("supervision.broker.os.open", full)
    assert broker.spec(settings, paths, 1) == first
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port_of(paths)))
        stranger.listen()
        # No SettingsError: that would keep the node down when there is room again.
        with pytest.raises(OSError, match="No space left"):
            broker.spec(settings, paths, 1)


def test_the_node_is_told_a_path_that_is_one_word(tmp_path: Path, made: tuple[Settings, Paths]) -> None:
    del made
    settings = installation(tmp_path / "Ann's data; für uns")
    paths = Paths.of(settings)
    for _ in range(2):
        env = broker.spec(settings, paths, 1).env
        folders = [env[key] for key in ("HOME", "RABBITMQ_CONFIG_FILE", "RABBITMQ_MNESIA_BASE", "PARLEY_INSTALLATION")]
        assert not [folder for folder in folders if shlex.quote(folder) != folder]
        assert Path(env["HOME"]).samefile(paths.broker)
        assert f"load_definitions = {env['HOME']}/definitions.json\n" in (paths.broker / "rabbitmq.conf").read_text()


def test_what_mnesia_wrote_of_a_crash_is_kept_until_the_next_start(made: tuple[Settings, Paths]) -> None:
    settings, paths = made
    assert 'cd "$HOME"' in " ".join(broker.spec(settings, paths, 1).argv)
    core = paths.broker / "MnesiaCore.parley-1@localhost_1_2_3"
    core.touch()
    assert broker.spec(settings, paths, 1).env["HOME"] == str(core.parent)
    assert not core.exists()


def test_what_the_virtual_machine_is_told_to_load_is_one_word(made: tuple[Settings, Paths]) -> None:
    """It splits its flags as a shell does, and a node whose expression was cut does not start."""
    flags = broker.spec(*made, 1).env["ERL_AFLAGS"]
    assert shlex.split(flags) == flags.split(" ")
    # The machine that it starts to be sure of epmd must not load all of it again.
    assert flags.startswith("-eval os:unsetenv([" + ",".join(f"${one}" for one in "ERL_AFLAGS") + "]),catch(")


def test_files_are_for_the_owner_alone(made: tuple[Settings, Paths]) -> None:
    settings, paths = made
    broker.spec(settings, paths, 1)
    for name in ("definitions.json", "rabbitmq.conf"):
        # As whoever restores it from a copy may leave it.
        (paths.broker / name).chmod(0o644)
    broker.spec(settings, paths, 1)
    modes = {path.name: path.stat().st_mode & 0o777 for path in paths.broker.iterdir() if path.is_file()}
    assert modes.pop(".erlang.cookie") == 0o400
    assert set(modes.values()) == {0o600}


def test_neither_argv_nor_environment_holds_a_secret(made: tuple[Settings, Paths]) -> None:
    settings, paths = made
    spec = broker.spec(settings, paths, 1)
    text = json.dumps([spec.argv, dict(spec.env)])
    secrets = [secret(paths, f"broker-{user}") for user in BROKER_USERS]
    assert not [one for one in (*secrets, (paths.broker / ".erlang.cookie").read_text()) if one in text]


def test_each_actor_has_a_user_that_can_touch_our_names_only(made: tuple[Settings, Paths]) -> None:
    settings, paths = made
    told = json.loads(json.dumps(broker.definitions(settings, paths, "parley")))
    assert {user["name"] for user in told["users"]} == set(BROKER_USERS)
    for allowed in told["permissions"]:
        for name in ("parley.router", "amq.gen-abc"):
            assert all(re.search(allowed[right], name) for right in ("configure", "write", "read"))
        assert re.search(allowed["write"], "amq.default")
        for name in ("parleyrouter", "other.parley.x", "amq.topic", "amq.default.x"):
            assert not any(re.search(allowed[right], name) for right in ("configure", "write", "read"))


def test_a_password_hash_is_the_one_that_rabbitmq_checks() -> None:
    raw = base64.b64decode(broker.password_hash("secret"))
    assert raw[4:] == hashlib.sha256(raw[:4] + b"secret").digest()


def test_a_damaged_file_is_named(made: tuple[Settings, Paths]) -> None:
    settings, paths = made
    broker.spec(settings, paths, 1)
    endpoint_file(paths).write_text("{")
    with pytest.raises(SettingsError, match=r"endpoint\.json: is damaged"):
        broker.spec(settings, paths, 1)


def test_without_rabbitmq_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("settings.paths.RUN_HOME", tmp_path)
    monkeypatch.setattr(broker, "program", lambda: None)
    settings = installation(tmp_path / "data")
    with pytest.raises(SettingsError, match="PARLEY_BROKER__URL"):
        broker.spec(settings, Paths.of(settings), 1)
