"""What surrounds the work: death with the supervisor, and log lines that nobody can forge."""

import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest

from actors.runtime.process import HumanLines, JsonLines, spare_collector
from tests.support.waiting import SCALE, eventually_sync

EVIL = "ok\r\n2026-01-31T12:00:00.000Z INFO router: forged\x1b[2J\u2028\x85\x00"
LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def record(message: str, error: BaseException | None = None, **extras: Any) -> logging.LogRecord:
    info: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if error is not None:
        info = (type(error), error, error.__traceback__)
    one = logging.LogRecord("actors.x", logging.WARNING, "file", 1, message, None, info)
    one.__dict__.update(extras)
    return one


def fail() -> None:
    raise ValueError(EVIL)


def raised() -> ValueError:
    """An error with a traceback."""
    with pytest.raises(ValueError, match="forged") as caught:
        fail()
    return caught.value


def test_a_line_for_people_has_the_time_in_utc_the_level_and_the_actor() -> None:
    line = HumanLines("router").format(record("hello", user="ann"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING router: hello user='ann'", line)


@pytest.mark.parametrize("make", [lambda: record(EVIL), lambda: record("x", who=EVIL)])
def test_no_text_begins_another_line_or_steers_a_terminal(make: Callable[[], logging.LogRecord]) -> None:
    for formatter in (HumanLines("router"), JsonLines("router")):
        line = formatter.format(make())
        assert not set(line) & set(LINE_ENDS)
        assert all(char.isprintable() for char in line)


def test_a_traceback_stands_behind_a_bar_whatever_its_text() -> None:
    lines = HumanLines("router").format(record("failed", raised())).split("\n")
    assert len(lines) > 3
    assert all(line.startswith("  | ") for line in lines[1:])
    assert not any(set(line) & set(LINE_ENDS) for line in lines)


def test_text_of_any_language_stays_readable() -> None:
    assert HumanLines("router").format(record("Grüße, 你好 🙂")).endswith("Grüße, 你好 🙂")


def test_a_json_line_holds_everything_and_extras_replace_nothing() -> None:
    forged = record("hello", raised(), user="ann", level="FORGED", actor="auth", odd=object)
    told = json.loads(JsonLines("router").format(forged))
    assert (told["level"], told["actor"], told["logger"], told["message"]) == ("WARNING", "router", "actors.x", "hello")
    assert told["user"] == "ann"
    assert "ValueError" in told["exception"]


# The middle one starts the inner one, says its pid, and ends when told to; the inner one dies with it.
MIDDLE = """
import os, subprocess, sys
inner = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2] or str(os.getpid())], stdout=subprocess.PIPE)
print(inner.pid, inner.stdout.readline().decode().strip(), flush=True)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""
INNER = """
import sys, time
from actors.runtime.process import die_with
die_with(sys.argv[1])
print("lives", flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended; whoever inherited it may take its time.
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:  # noqa: PTH123  (not a file of ours)
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def pair(supervisor: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  (argv is the test's own)
        [sys.executable, "-c", MIDDLE, INNER, supervisor], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def first_line(middle: subprocess.Popen[str]) -> list[str]:
    assert middle.stdout is not None
    return middle.stdout.readline().split()


def end(middle: subprocess.Popen[str]) -> None:
    assert middle.stdin is not None
    assert middle.stdout is not None
    middle.stdin.close()
    middle.wait(10 * SCALE)
    middle.stdout.close()


def test_a_process_dies_with_its_supervisor_however_that_ends() -> None:
    middle = pair("")
    pid, said = first_line(middle)
    assert said == "lives"
    assert alive(int(pid))
    end(middle)
    eventually_sync(lambda: not alive(int(pid)))


def test_a_process_whose_supervisor_is_gone_already_does_not_begin() -> None:
    middle = pair("1")
    # Nothing was said by the inner one.
    assert len(first_line(middle)) == 1
    end(middle)


def test_a_process_without_a_supervisor_lives_on() -> None:
    middle = pair("none")
    pid, said = first_line(middle)
    end(middle)
    assert said == "lives"
    assert alive(int(pid))
    os.kill(int(pid), signal.SIGKILL)


def test_the_collector_leaves_alone_what_was_imported_and_still_frees_cycles() -> None:
    class Knot:
        def __init__(self) -> None:
            self.me = self

    freed: list[int] = []
    pace = gc.get_threshold()
    try:
        spare_collector()
        assert gc.get_freeze_count() > len(sys.modules)
        weakref.finalize(Knot(), freed.append, 1)
        filler: list[object] = []
        while not freed and len(filler) < 1_000_000:
            filler.append([])
        assert freed
    finally:
        gc.unfreeze()
        gc.set_threshold(*pace)
