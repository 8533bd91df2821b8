"""Those who ask a supervisor that dies meanwhile are told that nothing is running, whatever they had heard by then."""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from settings import Paths
from supervision.client import ControlError, NothingRunningError, Request, ask, ask_in_loop
from supervision.control import socket_path


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(data=tmp_path, run=tmp_path)


@contextlib.contextmanager
def supervisor(paths: Paths, treat: Callable[[socket.socket], object], times: int = 1) -> Iterator[None]:
    """In its place: whoever asks is treated so, and hung up on."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(socket_path(paths)))
        server.listen()
        server.settimeout(10)

        def serve() -> None:
            for _ in range(times):
                one, _ = server.accept()
                with one:
                    one.settimeout(10)
                    treat(one)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(10)


@pytest.fixture(params=[b"", b'{"ok": tr'], ids=["silent", "half"])
def dying(paths: Paths, request: pytest.FixtureRequest) -> Iterator[None]:
    """A supervisor that ends after this much of an answer."""

    def die(one: socket.socket) -> None:
        one.recv(4096)
        one.sendall(request.param)

    with supervisor(paths, die):
        yield


@pytest.mark.usefixtures("dying")
def test_it_ended_while_it_was_asked(paths: Paths) -> None:
    with pytest.raises(NothingRunningError):
        ask(paths, Request("status"))


@pytest.mark.usefixtures("dying")
async def test_it_ended_while_a_loop_asked_it(paths: Paths) -> None:
    with pytest.raises(NothingRunningError):
        await ask_in_loop(paths, Request("status"))


def test_it_hung_up_on_us(paths: Paths) -> None:
    # Closed with our request unread, it makes reading fail with a reset.
    with supervisor(paths, lambda one: one.recv(1)), pytest.raises(NothingRunningError):
        ask(paths, Request("status"))


def test_nobody_is_there(paths: Paths) -> None:
    with pytest.raises(NothingRunningError):
        ask(paths, Request("status"))


ROUNDS = 200
REFUSAL = b'{"ok":false,"error":{"code":"busy","message":"too many"}}\n'


@pytest.fixture
def busy(paths: Paths) -> Iterator[None]:
    """A supervisor that refuses and hangs up before it reads; whether the request came by then is left to chance."""
    with supervisor(paths, lambda one: one.sendall(REFUSAL), ROUNDS):
        yield


@pytest.mark.usefixtures("busy")
def test_a_refusal_is_heard_though_it_came_before_the_request_was_sent(paths: Paths) -> None:
    for _ in range(ROUNDS):
        with pytest.raises(ControlError, match="too many"):
            ask(paths, Request("status"))


@pytest.mark.usefixtures("busy")
async def test_a_loop_hears_such_a_refusal_too(paths: Paths) -> None:
    for _ in range(ROUNDS):
        with pytest.raises(ControlError, match="too many"):
            await ask_in_loop(paths, Request("status"))


async def test_another_users_installation_is_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ControlError, match="only the owner") as caught:
        ask(paths, Request("status"))
    assert caught.value.code == "forbidden"
    with pytest.raises(ControlError, match="only the owner"):
        await ask_in_loop(paths, Request("status"))


async def test_one_that_hangs_and_has_all_it_may_keep_waiting_does_not_answer(paths: Paths) -> None:
    with socket.socket(socket.AF_UNIX) as hanging, socket.socket(socket.AF_UNIX) as first:
        hanging.bind(str(socket_path(paths)))
        hanging.listen(0)
        first.connect(str(socket_path(paths)))
        with pytest.raises(TimeoutError):
            ask(paths, Request("status"), within=5)
        with pytest.raises(TimeoutError):
            await ask_in_loop(paths, Request("status"), within=5)
