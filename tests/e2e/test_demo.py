"""`parley demo`: everything is killed, nothing is lost, and nothing is left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.installation import ROOT
from drill.nemesis import Deed, write
from drill.report import INVARIANTS
from tests.support.waiting import SCALE, eventually_sync

pytestmark = pytest.mark.e2e

VICTIMS = {"broker", "auth", "contacts", "router", "notifier", "file_chunker", "front.1", "front.2"}
SECONDS = 120.0 * SCALE


def start(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A demonstration whose directory is the only thing in `home`."""
    return subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, str(ROOT / "supervisor.py"), "demo", *arguments],
        env={**os.environ, "TMPDIR": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def demo(home: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    home.mkdir()
    process = start(home, *arguments)
    # A read from its output has no deadline of its own.
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()


def survivors(home: Path) -> list[str]:
    """Command lines and environments of processes that belong to an installation below `home`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str(home).encode() in (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """What was printed up to a line with the text."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if text in line:
            return printed
    raise AssertionError(f"{text!r} was never printed: {printed}")


def test_everything_is_killed_and_the_account_has_zeros(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "report.json"
    with demo(home, "crash", "--minutes", "0.4", "--seed", "5", "--json", str(file)) as process:
        printed, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, ""), printed + errors
    report = json.loads(file.read_text())
    assert {kind: report[kind] for kind in INVARIANTS} == dict.fromkeys(INVARIANTS, 0)
    assert report["broken"] == []
    assert set(report["kills"]) >= VICTIMS
    assert set(report["ready"]) >= VICTIMS
    assert report["sent"] == report["stored"] == report["shown"] > 200
    assert report["reconnects"] > 0
    assert report["seed"] == 5
    assert "0 lost, 0 doubled, 0 out of order" in printed
    assert "The promise was kept." in printed
    assert list(home.iterdir()) == []
    assert survivors(home) == []


def test_ctrl_c_ends_it_with_the_account_so_far(tmp_path: Path) -> None:
    home, file, log = tmp_path / "home", tmp_path / "report.json", tmp_path / "deeds.log"
    log.write_text(write([Deed(1.0, "kill", "router"), Deed(500.0, "kill", "auth")]))
    with demo(home, "--replay", str(log), "--json", str(file)) as process:
        read_until(process, "router is back")
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (130, ""), printed + errors
    report = json.loads(file.read_text())
    assert report["interrupted"] is True
    assert report["kills"] == {"router": 1}
    assert report["sent"] == report["shown"] > 0
    assert list(home.iterdir()) == []
    assert survivors(home) == []


def test_not_even_kill_9_of_it_leaves_processes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with demo(home, "crash", "--seed", "6") as process:
        read_until(process, "People chat")
        assert survivors(home)
        process.kill()
        process.communicate(timeout=SECONDS)
        eventually_sync(lambda: not survivors(home), within=45)
