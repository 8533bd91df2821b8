"""What /proc tells, checked against processes of our own."""

import os
import signal
import socket
import subprocess

from supervision import proc
from tests.support.connections import listening_addresses
from tests.support.waiting import eventually_sync


def sleeper(**env: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["/bin/sleep", "60"], env=env, start_new_session=True)


def test_marked_processes_are_found_and_ended_though_they_are_stopped() -> None:
    mark = f"here-{os.getpid()}"
    with sleeper(PARLEY_TEST_MARK=mark) as one, sleeper(PARLEY_TEST_MARK=f"{mark}-not") as other:
        # Between fork and exec the environment is still ours.
        eventually_sync(lambda: proc.marked("PARLEY_TEST_MARK", mark) == [one.pid])
        one.send_signal(signal.SIGSTOP)
        assert proc.end_and_wait([one.pid, 2**22 + 1], within=5) == []
        assert proc.marked("PARLEY_TEST_MARK", mark) == []
        assert other.poll() is None
        other.kill()


def test_a_session_is_measured_and_ended_as_a_whole() -> None:
    script = "sleep 60 & sleep 60 & wait"
    with subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True) as leader:  # noqa: S603  (constant)
        members = eventually_sync(lambda: (found := proc.session_members(leader.pid))[2:] and found)
        assert leader.pid in members
        whole, own = proc.memory(leader.pid), proc.own_memory(leader.pid)
        assert whole is not None
        assert own is not None
        assert whole > own > 0
        proc.end_session(leader.pid)
        eventually_sync(lambda: not proc.session_members(leader.pid))
    assert proc.memory(leader.pid) is None


def test_listening_addresses_are_read_as_people_write_them() -> None:
    session = os.getsid(0)
    with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
        four.bind(("127.0.0.1", 0))
        six.bind(("::1", 0))
        four.listen()
        six.listen()
        found = listening_addresses(session)
        assert {("127.0.0.1", four.getsockname()[1]), ("::1", six.getsockname()[1])} <= found
