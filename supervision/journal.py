"""The supervisor's own log: to its file at once, to a terminal through a thread that may wait for it."""

import json
import logging
import queue
import sys
import threading
import time
from typing import TextIO

from settings import Paths, Settings
from supervision.logs import RotatingFile

_WAITING_LINES = 1000


class _Human(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{_time(record)} {record.levelname:<7} {record.getMessage()}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {"at": _time(record), "level": record.levelname, "actor": "supervisor", "message": record.getMessage()}
        return json.dumps(fields, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


class _ToFile(logging.Handler):
    def __init__(self, file: RotatingFile) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        self._file.write((self.format(record) + "\n").encode())

    def close(self) -> None:
        self._file.close()
        super().close()


class Console(logging.Handler):
    """Lines for whoever started the supervisor in the foreground.

    A terminal that was stopped with Ctrl-S blocks its writers. The supervisor must not wait for it, so a thread does;
    what it cannot take in time is dropped, because the log file has it.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.INFO)
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        self.say(record.getMessage())

    def say(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return

    def close(self) -> None:
        """Give the last lines a moment."""
        try:
            self._lines.put(None, timeout=1.0)
        except queue.Full:
            return
        self._thread.join(1.0)
        super().close()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                print(line, file=self._stream, flush=True)
            except (OSError, ValueError):
                return  # the terminal is gone


def open_journal(settings: Settings, paths: Paths, console: bool) -> tuple[logging.Logger, Console | None]:
    """The supervisor's logger, and the console when there is one."""
    log = settings.logging
    journal = logging.getLogger("parley.supervisor")
    journal.setLevel(log.level)
    journal.propagate = False
    to_file = _ToFile(RotatingFile(paths.logs / "supervisor.log", log.rotate_mib << 20, log.keep))
    to_file.setFormatter(_Json() if log.format == "json" else _Human())
    journal.addHandler(to_file)
    if not console:
        return journal, None
    screen = Console(sys.stdout)
    journal.addHandler(screen)
    return journal, screen
