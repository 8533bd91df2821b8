"""Installations to be killed: whole ones, and ones of stand-ins that start in a few hundredths of a second."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from supervision import proc
from supervision.children import ROOT
from supervision.client import NothingRunningError, ask
from supervision.control import Request
from supervision.spec import MARK
from tests.soak.journal import Journal
from tests.support.fake_installation import Installation as StandIns
from tests.support.fake_installation import interrupted
from tests.support.waiting import eventually_sync

WINDOW = 1.0
EACH_AS_THE_FIRST = {
    # A child that ran for a whole window has a clean past. With the usual minute twenty kills would take twenty
    # minutes, and sooner they would measure the backoff.
    "PARLEY_SUPERVISION__WINDOW": f"{WINDOW:g}",
    "PARLEY_SUPERVISION__BACKOFF_BASE": "0.01",
}
_LOG = {"PARLEY_LOGGING__LEVEL": "DEBUG", "PARLEY_LOGGING__FORMAT": "json", "PARLEY_LOGGING__ROTATE_MIB": "1000"}


class Whole(StandIns):
    """The product as it is: the private broker, every actor, two fronts."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "supervisor.py"), *arguments]


@dataclass
class Running:
    """A supervisor that is up, its log, and what it says of its children."""

    home: StandIns
    process: "Popen[str]"
    journal: Journal

    def rows(self) -> dict[str, dict[str, Any]]:
        """The supervisor's rows by name, without memory. Raises AssertionError when it does not answer."""
        try:
            return {row["name"]: row for row in ask(self.home.paths, Request("status"))["actors"]}
        except NothingRunningError as error:
            said = [line.text for line in self.journal.read()[-3:]]
            raise AssertionError(
                f"no answer; the supervisor's exit is {self.process.poll()}, it said {said}"
            ) from error

    def answers(self) -> bool:
        try:
            return bool(self.rows())
        except AssertionError:
            return False

    def pid(self, name: str) -> int:
        return int(self.rows()[name]["pid"])

    def all_run(self) -> bool:
        return all(row["state"] == "running" for row in self.rows().values())

    def strike(self, name: str, number: signal.Signals) -> float:
        """Send a signal to a child; returns when."""
        pid = self.pid(name)
        at = time.time()
        os.kill(pid, number)
        return at

    def settled(self, name: str, within: float = 60.0) -> None:
        """Wait until a child's past is clean: it has been ready for a whole window."""

        def clean() -> bool:
            # The clock first: asking all the while would take processor time from what is measured.
            ready = self.journal.events(name, "ready")[-1].at
            return time.time() - ready > WINDOW + 0.1 and self.rows()[name]["state"] == "running"

        eventually_sync(clean, within)


@contextlib.contextmanager
def started(home: StandIns, **env: str) -> Iterator[Running]:
    """A supervisor that answers, whatever its children do; afterwards nothing of it is left."""
    log = home.paths.logs / "supervisor.log"
    log.unlink(missing_ok=True)
    home.env.update({**_LOG, **env})
    with interrupted(home.popen("up", "--background")) as process:
        one = Running(home, process, Journal(log))
        eventually_sync(lambda: process.poll() is not None or one.answers(), 20.0)
        assert process.poll() is None, f"exit {process.returncode}: {process.communicate()[0]}"
        yield one
    assert not survivors(home), "processes were left behind"


@contextlib.contextmanager
def running(home: StandIns, **env: str) -> Iterator[Running]:
    """A supervisor whose every child runs; afterwards nothing of it is left."""
    with started(home, **env) as one:
        eventually_sync(one.all_run, 90.0)
        yield one


def survivors(home: StandIns) -> list[int]:
    """Processes of an installation that live."""
    return proc.marked(MARK, str(home.paths.run))


def make(folder: Path, port: int, *, whole: bool) -> StandIns:
    """An installation in a folder and on a port of its own."""
    return Whole(folder, port, {"PARLEY_BROKER__URL": "managed"}) if whole else StandIns(folder, port)
