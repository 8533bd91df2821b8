"""What a child may say, and that nothing it says can hurt."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.notify import Inbox, Message, parse, tell_parent


def test_everything_that_is_understood() -> None:
    datagram = (
        b"READY=1\nSTATUS=serving\nWATCHDOG=1\nSTOPPING=1\nMAINPID=42\nX_DEPTH=7\nX_RATE=12.5\nX_PROGRESS=3\nFDSTORE=1"
    )
    assert parse(datagram) == Message(
        ready=True, alive=True, stopping=True, status="serving", main_pid=42, depth=7, rate=12.5, progress=3
    )


@pytest.mark.parametrize(
    "datagram", [b"", b"READY", b"READY=0", b"X_DEPTH=-1", b"X_DEPTH=1e3", b"X_RATE=nan", b"MAINPID=", b"\xff=\xff"]
)
def test_what_is_malformed_says_nothing(datagram: bytes) -> None:
    assert parse(datagram) == Message()


@given(st.binary(max_size=5000))
def test_any_bytes_are_survived_and_a_status_is_fit_for_a_terminal(datagram: bytes) -> None:
    status = parse(b"STATUS=" + datagram).status
    assert status is not None
    assert len(status) <= 200
    assert all(ord(letter) >= 32 for letter in status)


def test_a_new_life_does_not_hear_the_old_one(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as child:
        inbox.renew()
        child.connect(str(inbox.path))
        child.send(b"READY=1")
        inbox.renew()
        assert inbox.receive() == []
        with pytest.raises(ConnectionRefusedError):
            child.send(b"READY=1")
        child.connect(str(inbox.path))
        child.send(b"WATCHDOG=1")
        assert inbox.receive() == [Message(alive=True)]
    inbox.close()
    assert not inbox.path.exists()


def test_the_parent_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as parent:
        parent.bind(str(tmp_path / "p"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "p"))
        tell_parent(READY="1", STATUS="ready")
        assert parse(parent.recv(100)) == Message(ready=True, status="ready")
    tell_parent(READY="1")  # nobody listens any more: no error
