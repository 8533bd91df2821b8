"""The supervisor's own log, and the console that may block without blocking the supervisor."""

import io
import json
import threading
from pathlib import Path

import pytest

from settings import Paths
from supervision.journal import Console, open_journal
from tests.support.node import installation
from tests.support.waiting import eventually_sync


class Stuck(io.StringIO):
    """A terminal on which somebody pressed Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        assert self.go_on.wait(10)
        return super().write(text)


def test_a_stuck_terminal_costs_lines_and_no_time() -> None:
    stream = Stuck()
    console = Console(stream)
    for number in range(5000):
        console.say(f"line {number}")
    stream.go_on.set()
    eventually_sync(lambda: "line 999\n" in stream.getvalue())
    console.close()
    assert "line 4999" not in stream.getvalue()


def test_a_terminal_that_is_gone_ends_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    console = Console(stream)
    console.say("anybody there?")
    console.close()


@pytest.mark.parametrize("form", ["human", "json"])
def test_lines_have_a_time_and_a_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr("settings.paths.RUN_HOME", tmp_path)
    settings = installation(tmp_path / "data", logging={"format": form, "level": "INFO"})
    paths = Paths.of(settings)
    paths.make()
    journal, console = open_journal(settings, paths, console=False)
    try:
        journal.debug("not this")
        journal.error("router: %s", "ended")
    finally:
        journal.handlers.pop().close()
    assert console is None
    (line,) = (paths.logs / "supervisor.log").read_text().splitlines()
    if form == "json":
        fields = json.loads(line)
        assert (fields["level"], fields["actor"], fields["message"]) == ("ERROR", "supervisor", "router: ended")
    else:
        at, level, message = line.split(maxsplit=2)
        assert at.endswith("Z")
        assert (level, message) == ("ERROR", "router: ended")
