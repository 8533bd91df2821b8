"""The supervisor's own log as events: its times are those at which it knew, to the millisecond."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tests.support.waiting import eventually_sync

What = Literal["ended", "started", "ready", "silent"]

_MEANINGS: tuple[tuple[What, re.Pattern[str]], ...] = (
    ("ended", re.compile(r"(\S+): ended \((.*)\);")),
    ("started", re.compile(r"(\S+): started as process (\d+)")),
    ("ready", re.compile(r"(\S+): ready after (\S+) s")),
    ("silent", re.compile(r"(\S+): no sign of life for (\S+) s")),
)


class Event(Struct, frozen=True):
    """`at` is Unix time in seconds; `detail` is the reason, the pid, or a number of seconds."""

    at: float
    name: str
    what: What
    detail: str
    text: str


class Line(Struct, frozen=True):
    """`event` is None for what is none."""

    at: float
    level: str
    text: str
    event: Event | None


def parse(line: str) -> Line:
    """One line of the log in JSON. Raises ValueError."""
    fields = json.loads(line)
    at = datetime.fromisoformat(fields["at"]).timestamp()
    text = str(fields["message"])
    for what, pattern in _MEANINGS:
        if found := pattern.match(text):
            return Line(at, fields["level"], text, Event(at, found[1], what, found[2], text))
    return Line(at, fields["level"], text, None)


class Journal:
    """Reads on from where it was. The log must be JSON at level DEBUG, and small enough never to be rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.lines: list[Line] = []

    def read(self) -> list[Line]:
        """Everything that was written so far."""
        if self._path.exists():
            with self._path.open("rb") as log:
                log.seek(self._offset)
                whole, newline, _ = log.read().rpartition(b"\n")
            self._offset += len(whole) + len(newline)
            self.lines += [parse(line) for line in whole.decode().splitlines()]
        return self.lines

    def events(self, name: str, what: What, since: float = 0.0) -> list[Event]:
        """What happened to a child from `since` on. Times are cut to milliseconds, so a little earlier counts too."""
        return [
            line.event
            for line in self.read()
            if line.event and (line.event.name, line.event.what) == (name, what) and line.at >= since - 0.001
        ]

    def wait(self, name: str, what: What, since: float, within: float) -> Event:
        """The first such event from `since` on. Raises AssertionError when there is none in time."""

        def found() -> Event | None:
            events = self.events(name, what, since)
            return events[0] if events else None

        event = eventually_sync(found, within)
        assert event is not None
        return event
