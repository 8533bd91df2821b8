"""What a drill looks like: a picture redrawn in place on a terminal, lines one after the other everywhere else."""

import re
import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from msgspec import Struct

from drill.tally import Counts

COLOURS = {
    "running": "32", "starting": "36", "stopping": "36", "stopped": "90", "backoff": "33", "failing": "31",
    "good": "1;32", "bad": "1;31", "title": "1", "faint": "90",
}  # fmt: skip
COLUMN = 44
"""Where the counters begin, right of the actors."""
LEAST_WIDTH = 20
LEAST_HEIGHT = 6

_CURSOR_HOME = "\033[H"
_CLEAR_BELOW = "\033[J"
_CLEAR_LINE = "\033[K"
_OTHER_SCREEN = "\033[?1049h\033[?25l"
_FIRST_SCREEN = "\033[?25h\033[?1049l"
_ESCAPES = re.compile(r"(\033\[[0-9;?]*[A-Za-z])")


class Picture(Struct, frozen=True, kw_only=True):
    """Everything that is on the wall at one moment. `elapsed`, `planned` and `recovery` are in seconds.

    `rows` are the supervisor's; `recovery` is how long each victim was away the last time; `ticker` holds (seconds,
    text), the newest last; `words` is what is being explained.
    """

    title: str
    elapsed: float
    planned: float
    rows: Sequence[Mapping[str, Any]]
    counts: Counts
    people: int
    connected: int
    reconnects: int
    kills: Mapping[str, int]
    recovery: Mapping[str, float]
    ticker: Sequence[tuple[float, str]]
    words: str = ""


def paint(text: str, colour: str, on: bool) -> str:
    """The text in a colour, when there are any."""
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if on and text else text


def clock(seconds: float) -> str:
    """0:07, 12:34."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def draw(picture: Picture, *, width: int, height: int, colour: bool) -> list[str]:
    """At most `height` lines of at most `width` columns. What matters most is at the top and stays."""
    width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
    planned = f" of {clock(picture.planned)}" if picture.planned else ""
    title = paint(f"{picture.title}   {clock(picture.elapsed)}{planned}", "title", colour)
    words = [line for part in picture.words.splitlines() for line in textwrap.wrap(part, width - 1)]
    lines = [title, "", *_side_by_side(_actors(picture, colour), _counters(picture, colour), width)]
    if words:
        lines += ["", *words]
    room = height - len(lines) - 1
    if room > 0:
        ticker = [f"{clock(at):>6}  {text}" for at, text in picture.ticker[-room:]]
        lines += ["", *(paint(line, "faint", colour) for line in ticker)]
    return [fit(line, width) for line in lines[:height]]


def _actors(picture: Picture, colour: bool) -> list[str]:
    lines = [paint(f"{'ACTOR':<13}{'STATE':<10}{'HIT':>7}{'BACK AFTER':>12}", "faint", colour)]
    for row in picture.rows:
        name, state = str(row["name"]), str(row["state"])
        kills = picture.kills.get(name, 0)
        back = f"{picture.recovery[name]:.1f} s" if name in picture.recovery else ""
        lines.append(f"{name:<13}{paint(f'{state:<10}', state, colour)}{kills or '':>7}{back:>12}")
    return lines


def _counters(picture: Picture, colour: bool) -> list[str]:
    counts = picture.counts
    waiting = counts.sent - counts.stored
    lines = [
        f"{'typed':<14}{counts.sent:>8}",
        f"{'stored':<14}{counts.stored:>8}" + (f"  {waiting} waiting" if waiting else ""),
        f"{'shown':<14}{counts.shown:>8}",
    ]
    for name, value in (("lost", counts.lost), ("doubled", counts.duplicated), ("out of order", counts.reordered)):
        lines.append(paint(f"{name:<14}{value:>8}", "bad" if value else "good", colour))
    lines.append(f"{'connected':<14}{f'{picture.connected} of {picture.people}':>8}")
    lines.append(f"{'reconnects':<14}{picture.reconnects:>8}")
    return lines


def _side_by_side(left: Sequence[str], right: Sequence[str], width: int) -> list[str]:
    """On a terminal too narrow for both, the counters come first: they are what it is about."""
    if width < COLUMN + 32:
        return [*right, "", *left]
    lines = []
    for at in range(max(len(left), len(right))):
        one = left[at] if at < len(left) else ""
        other = right[at] if at < len(right) else ""
        lines.append(f"{one}{' ' * (COLUMN - columns(one))}{other}".rstrip())
    return lines


def columns(text: str) -> int:
    """How many columns a terminal gives to a text: escapes none, wide characters two, combining ones none."""
    plain = _ESCAPES.sub("", text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in plain
    )


def fit(text: str, width: int) -> str:
    """The text cut to so many columns. Escapes stay, so that a colour that was begun is ended."""
    kept, room = [], width
    for at, piece in enumerate(_ESCAPES.split(text)):
        if at % 2:
            kept.append(piece)
            continue
        for one in piece:
            room -= columns(one)
            if room < 0:
                break
            kept.append(one)
    return "".join(kept)


class Terminal:
    """Redraws in place, on the terminal's other screen, so that what was there before comes back."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._stream = stream
        self._colour = colour

    def open(self) -> None:
        self._stream.write(_OTHER_SCREEN)
        self._stream.flush()

    def show(self, picture: Picture, width: int, height: int) -> None:
        lines = draw(picture, width=width, height=height, colour=self._colour)
        # The last line without a newline, or the terminal would scroll.
        text = "\n".join(f"{line}{_CLEAR_LINE}" for line in lines)
        self._stream.write(f"{_CURSOR_HOME}{text}{_CLEAR_BELOW}")
        self._stream.flush()

    def close(self) -> None:
        self._stream.write(_FIRST_SCREEN)
        self._stream.flush()


def may_redraw(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether somebody looks at a terminal that can move its cursor."""
    return stream.isatty() and environ.get("TERM", "") not in {"", "dumb"}


def may_colour(environ: Mapping[str, str]) -> bool:
    """https://no-color.org: any value but the empty one says no."""
    return not environ.get("NO_COLOR")


def summary(picture: Picture) -> str:
    """The counters in one line, for logs and pipes."""
    counts = picture.counts
    return (
        f"{counts.sent} typed, {counts.stored} stored, {counts.shown} shown, {counts.lost} lost, "
        f"{counts.duplicated} doubled, {counts.reordered} out of order; "
        f"{picture.connected} of {picture.people} connected, {picture.reconnects} reconnects"
    )


def say(elapsed: float, text: str, stream: TextIO | None = None) -> None:
    """One line with its time, now."""
    print(f"{clock(elapsed):>6}  {text}", file=stream or sys.stdout, flush=True)
