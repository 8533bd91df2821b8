"""One supervisor for a data directory, one listener for a port, and sentences that help when there is another."""

import errno
import os
import socket
from pathlib import Path

import pytest

from supervision import listener, lock
from tests.support.node import installation


def test_a_lock_names_its_holder_and_can_be_taken_after_it(tmp_path: Path) -> None:
    held = lock.take(tmp_path)
    with pytest.raises(lock.HeldError, match=f"process {os.getpid()}"):
        lock.take(tmp_path)
    os.close(held)
    os.close(lock.take(tmp_path))


def test_a_full_disk_does_not_keep_the_lock_from_being_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.close(lock.take(tmp_path))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("supervision.lock.os.pwrite", full)
    held = lock.take(tmp_path)
    with pytest.raises(lock.HeldError):
        lock.take(tmp_path)
    os.close(held)


def test_a_port_in_use_is_named_with_what_to_set(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(listener.ListenError, match=f"port {port} .*PARLEY_WEB__PORT"):
            listener.listen(installation(tmp_path, web={"port": port}))
    listener.listen(installation(tmp_path, web={"port": port})).close()


@pytest.mark.parametrize(
    ("host", "reason"), [("chat.example", "must be an address"), ("192.0.2.1", "not an address of this machine")]
)
def test_a_host_that_cannot_be_bound_is_explained(tmp_path: Path, host: str, reason: str) -> None:
    with pytest.raises(listener.ListenError, match=reason):
        listener.listen(installation(tmp_path, web={"host": host}))
