"""The doctor at a real broker's bed: it is let in, it is not, or what answers is no broker at all."""

import socket
import threading
from pathlib import Path

import pytest

from cli.doctor import Case, examine
from settings import Paths, Settings
from settings.endpoint import broker_url
from tests.support.node import installation
from tests.support.waiting import SCALE

pytestmark = pytest.mark.integration


def findings(settings: Settings) -> dict[str, str]:
    """What is said of the broker, with what to do."""
    case = Case(settings, Paths.of(settings), None)
    return {one.what: one.mend for one in examine(case) if one.what.startswith("broker at")}


def elsewhere(folder: Path, host: str, password: str) -> Settings:
    """Settings that name a broker which somebody else runs, `host` with port and virtual host."""
    file = folder / "password"
    file.touch(0o600)
    file.write_text(password)
    return installation(folder / "data", broker={"url": f"amqp://cli@{host}", "password_file": str(file)})


@pytest.fixture
def address(broker_node: tuple[Settings, Paths]) -> tuple[str, str]:
    """The node's host with port and virtual host, and the password of the command line's user."""
    credentials, _, host = broker_url(*broker_node, "cli").removeprefix("amqp://").partition("@")
    return host, credentials.partition(":")[2]


def test_a_broker_that_lets_us_in_is_named_with_its_version(tmp_path: Path, address: tuple[str, str]) -> None:
    ((what, mend),) = findings(elsewhere(tmp_path, *address)).items()
    assert "is RabbitMQ 3." in what or "is RabbitMQ 4." in what
    assert what.endswith("lets us in")
    assert not mend


def test_a_wrong_password_and_a_wrong_place_are_named(tmp_path: Path, address: tuple[str, str]) -> None:
    host, password = address
    for place, said in ((host, "guessed"), (host.replace("/parley", "/nowhere"), password)):
        ((what, mend),) = findings(elsewhere(tmp_path, place, said)).items()
        assert "does not let us in" in what
        assert password not in what
        assert mend == "correct broker.url and its password"


def test_a_password_file_that_is_missing_is_named(tmp_path: Path, address: tuple[str, str]) -> None:
    settings = elsewhere(tmp_path, *address)
    (tmp_path / "password").unlink()
    ((what, mend),) = findings(settings).items()
    assert str(tmp_path / "password") in what
    assert mend == "correct broker.password_file"


def test_what_answers_but_is_no_broker_is_not_let_pass(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10 * SCALE)

        def web_server() -> None:
            for _ in range(2):
                one, _ = server.accept()
                with one:
                    one.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=web_server)
        thread.start()
        ((what, _),) = findings(elsewhere(tmp_path, f"127.0.0.1:{server.getsockname()[1]}/p", "secret")).items()
        thread.join(10 * SCALE)
    assert "does not let us in" in what
