"""Secrets are made once, are readable by their owner alone, and say so when they are not."""

import multiprocessing
from pathlib import Path

import pytest

from settings import Paths, SettingsError
from settings.endpoint import Endpoint, broker_url, broker_user, endpoint_file
from settings.secret_files import create, read, secret
from tests.support.node import installation


def paths_in(folder: Path) -> Paths:
    return Paths(data=folder, run=folder / "run")


def test_a_secret_is_made_once_with_mode_0600(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    first = secret(paths, "pepper")
    assert len(first) == 43
    assert secret(paths, "pepper") == first
    assert secret(paths, "other") != first
    assert (paths.secrets / "pepper").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in paths.secrets.iterdir()) == ["other", "pepper"]


def _make(folder: str, results: "multiprocessing.Queue[str]") -> None:
    results.put(secret(paths_in(Path(folder)), "pepper"))


def test_several_first_runs_agree_on_one_secret(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_make, args=(str(tmp_path), results)) for _ in range(4)]
    for process in processes:
        process.start()
    secrets = {results.get(timeout=30) for _ in processes}
    for process in processes:
        process.join(30)
    assert len(secrets) == 1


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    create(path, "text")
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        read(path)


def test_an_empty_or_missing_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(SettingsError, match="cannot be read"):
        read(path)
    create(path, "\n")
    with pytest.raises(SettingsError, match="is empty"):
        read(path)


def test_the_private_brokers_address_is_read_anew_and_holds_the_actors_own_password(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    paths = paths_in(tmp_path)
    with pytest.raises(SettingsError, match="never started"):
        broker_url(settings, paths, "router")
    paths.broker.mkdir()
    for port in (1234, 5678):
        endpoint_file(paths).write_text(f'{{"port": {port}}}')
        assert broker_url(settings, paths, "router") == (
            f"amqp://router:{secret(paths, 'broker-router')}@127.0.0.1:{port}/{Endpoint(port).virtual_host}"
        )
    assert broker_user(settings, "router") == "router"


def test_another_brokers_password_comes_from_its_file(tmp_path: Path) -> None:
    create(tmp_path / "password", "p@ss/word")
    settings = installation(
        tmp_path, broker={"url": "amqps://me@mq.example:5671/chat", "password_file": str(tmp_path / "password")}
    )
    assert broker_url(settings, paths_in(tmp_path), "router") == "amqps://me:p%40ss%2Fword@mq.example:5671/chat"
    assert broker_user(settings, "router") == broker_user(settings, "front") == "me"
