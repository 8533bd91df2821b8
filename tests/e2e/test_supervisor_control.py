"""The control socket against clients that are wrong, slow, or not allowed."""

import json
import os
import socket
from collections.abc import Iterator

import pytest

from drill.installation import free_port
from supervision.control import LONGEST, socket_path
from tests.support.fake_installation import Installation
from tests.support.waiting import SCALE

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("control") / "data", free_port())
    with installation.running():
        yield installation
    installation.clear()


def say(home: Installation, data: bytes, *, end: bool = False) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5 * SCALE)
        one.connect(str(socket_path(home.paths)))
        one.sendall(data)
        if end:
            one.shutdown(socket.SHUT_WR)
        with one.makefile("rb") as stream:
            return dict(json.loads(stream.readline()))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\n", "bad_request"),
        (b"{}\n", "bad_request"),
        (b'{"op": "dance"}\n', "bad_request"),
        (b'{"op": "stop", "name": 1}\n', "bad_request"),
        (b'{"op": "status", "extra": 1}\n', "bad_request"),
        (b'{"op": "stop", "name": "nobody"}\n', "unknown_actor"),
        (b'{"op": "scale", "name": "front", "count": 99}\n', "bad_request"),
        (b'{"op": "scale", "name": "auth", "count": 2}\n', "not_scalable"),
        (b"x" * (LONGEST + 2000) + b"\n", "too_large"),
        (b"", "timed_out"),
        (b'{"op"', "timed_out"),
    ],
)
def test_a_wrong_request_gets_a_code_and_changes_nothing(home: Installation, data: bytes, code: str) -> None:
    before = home.actors()
    answer = say(home, data)
    assert answer["ok"] is False
    assert isinstance(answer["error"], dict)
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]
    after = home.actors()
    assert {name: actor["pid"] for name, actor in after.items()} == {n: a["pid"] for n, a in before.items()}


def test_half_a_request_and_the_end_is_a_bad_request(home: Installation) -> None:
    answer = say(home, b'{"op": "status"}', end=True)
    assert isinstance(answer["error"], dict)
    assert answer["error"]["code"] == "bad_request"


def test_only_the_owner_reaches_it(home: Installation) -> None:
    assert home.paths.run.stat().st_mode & 0o777 == 0o700
    assert socket_path(home.paths).stat().st_mode & 0o777 == 0o600
    assert home.paths.run.stat().st_uid == os.getuid()


def test_many_who_say_nothing_do_not_keep_others_out_for_long(home: Installation) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    try:
        for one in silent:
            one.connect(str(socket_path(home.paths)))
        assert home.run("stop", "nobody").returncode == 1
    finally:
        for one in silent:
            one.close()
    assert home.status()["supervisor"]["state"] == "running"


def test_the_status_is_what_scripts_rely_on(home: Installation) -> None:
    status = home.status()
    assert {"pid", "state", "uptime", "address", "data", "memory"} <= set(status["supervisor"])
    for actor in status["actors"]:
        assert {"name", "state", "pid", "uptime", "restarts", "last_exit", "depth", "memory"} <= set(actor)
        assert actor["last_exit"] is None
        assert actor["memory"] > 0
