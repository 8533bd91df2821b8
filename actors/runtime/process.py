"""What surrounds the work: a process that dies with its supervisor, logs, stops on SIGTERM, and dumps when it hangs."""

import asyncio
import ctypes
import faulthandler
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from settings.model import Logging

PR_SET_PDEATHSIG = 1
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def die_with(supervisor: str) -> None:
    """Have the kernel kill this process when its supervisor (a pid in text, "" for none) ends, however it ends."""
    if not supervisor.isdecimal():
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before the call above took effect; then nobody would ever tell us.
    if os.getppid() != int(supervisor):
        os._exit(0)


def begin_logging(settings: Logging, actor: str) -> None:
    """Log to standard error, a line a record, and dump every thread's stack there on SIGABRT."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(actor) if settings.format == "json" else HumanLines(actor))
    logging.basicConfig(level=settings.level, handlers=[handler], force=True)
    # aiormq logs a traceback a lost connection, at which we look ourselves; one line of ours is enough.
    for library in ("aiormq", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL if library == "aiormq" else logging.WARNING)
    faulthandler.enable()


def spare_collector() -> None:
    """Have the garbage collector look less often, and never at what was imported: call it when that is done.

    A batch makes thousands of objects and drops them at once; the collector's own pace, made for small programs, looks
    at them several times a batch and now and then at everything, for tens of milliseconds. What only it can free waits
    for at most half a million objects.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 5)
    gc.enable()


def on_stop(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM and SIGINT; the handler only tells, the loop acts."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _extras(record: logging.LogRecord) -> Mapping[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD and name != "taskName"}


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _inert(text: str) -> str:
    """With line ends and other control characters written out: they can neither forge a line nor steer a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class HumanLines(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO router: text key=value`. Line ends inside a record cannot forge another.

    The lines of a traceback follow, each behind a bar.
    """

    def __init__(self, actor: str) -> None:
        super().__init__()
        self._actor = actor

    def format(self, record: logging.LogRecord) -> str:
        extras = "".join(f" {name}={value!r}" for name, value in _extras(record).items())
        line = f"{_moment(record)} {record.levelname} {self._actor}: {_inert(record.getMessage() + extras)}"
        traceback = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        return "\n".join([line, *(f"  | {_inert(one)}" for one in traceback)])


class JsonLines(logging.Formatter):
    """One JSON object a record: at, level, actor, logger, message, what the record carries besides, and exception."""

    def __init__(self, actor: str) -> None:
        super().__init__()
        self._actor = actor

    def format(self, record: logging.LogRecord) -> str:
        # What the record carries comes first, so that it cannot replace what every record says.
        line: dict[str, object] = {
            **_extras(record),
            "at": _moment(record),
            "level": record.levelname,
            "actor": self._actor,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
