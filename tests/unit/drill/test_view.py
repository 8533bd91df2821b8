"""What is on the wall, at any size of terminal."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.tally import Counts
from drill.view import Picture, Terminal, columns, draw, may_colour, may_redraw, summary

NAMES = ("broker", "auth", "contacts", "router", "notifier", "file_chunker", "front.1", "front.2")
STATES = ("starting", "running", "stopping", "stopped", "backoff", "failing")


def picture(**changes: Any) -> Picture:
    values: dict[str, Any] = {
        "title": "Parley · crash · seed 7",
        "elapsed": 75.4,
        "planned": 180.0,
        "rows": [{"name": name, "state": STATES[at % len(STATES)], "pid": at} for at, name in enumerate(NAMES)],
        "counts": Counts(sent=120, stored=118, shown=117),
        "people": 8,
        "connected": 7,
        "reconnects": 3,
        "kills": {"router": 2},
        "recovery": {"router": 0.21},
        "ticker": [(float(at), f"something number {at}") for at in range(30)],
        "words": "router writes messages into the log.\nWe kill it.",
    }
    return Picture(**{**values, **changes})


@given(st.integers(1, 300), st.integers(1, 100), st.booleans())
def test_it_fits_every_terminal(width: int, height: int, colour: bool) -> None:
    lines = draw(picture(), width=width, height=height, colour=colour)
    assert len(lines) <= max(height, 6)
    assert all(columns(line) <= max(width, 20) for line in lines)
    assert all(line.count("\033[") % 2 == 0 for line in lines), "a colour that was begun is ended"


def test_everything_is_there_at_80_by_24() -> None:
    text = "\n".join(draw(picture(), width=80, height=24, colour=False))
    for wanted in (
        *NAMES,
        "1:15 of 3:00",
        "lost",
        "doubled",
        "out of order",
        "2 waiting",
        "7 of 8",
        "0.2 s",
        "We kill",
    ):
        assert wanted in text, text
    assert "something number 29" in text
    assert "something number 1\n" not in text


def test_the_counters_come_first_on_a_narrow_terminal() -> None:
    lines = draw(picture(), width=40, height=24, colour=False)
    assert lines[2].startswith("typed")


def test_without_colour_there_is_no_escape_and_with_it_faults_are_red() -> None:
    assert "\033" not in "".join(draw(picture(), width=80, height=24, colour=False))
    kept = "".join(draw(picture(), width=80, height=24, colour=True))
    broken = "".join(draw(picture(counts=Counts(lost=1)), width=80, height=24, colour=True))
    assert "\033[1;31mlost" not in kept
    assert "\033[1;31mlost" in broken


def test_columns_are_counted_as_a_terminal_does() -> None:
    assert columns("\033[1;31mabc\033[0m") == 3
    assert columns("看起") == 4
    assert columns("e\u0301") == 1


def test_a_terminal_is_left_as_it_was_found() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, colour=False)
    terminal.open()
    terminal.show(picture(), 80, 24)
    terminal.close()
    text = stream.getvalue()
    assert text.startswith("\033[?1049h")
    assert text.endswith("\033[?25h\033[?1049l")
    assert text.count("\n") == 23, "a newline after the last line would scroll"


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("term", "may"), [("xterm", True), ("dumb", False), ("", False)])
def test_only_a_real_terminal_is_redrawn(term: str, may: bool) -> None:
    assert may_redraw(_Tty(), {"TERM": term}) is may
    assert not may_redraw(io.StringIO(), {"TERM": term})


def test_no_color_is_honoured() -> None:
    assert may_colour({})
    assert may_colour({"NO_COLOR": ""})
    assert not may_colour({"NO_COLOR": "1"})


def test_the_line_for_a_pipe_has_the_counters() -> None:
    assert summary(picture()) == (
        "120 typed, 118 stored, 117 shown, 0 lost, 0 doubled, 0 out of order; 7 of 8 connected, 3 reconnects"
    )
