"""The soak's own parts, small and over stand-ins, so that what `make soak` says can be believed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.installation import free_port
from drill.report import Spread
from settings import load
from settings.owners import OWNERS
from tests.soak import doors, killing, simulated, standins
from tests.soak.figures import Burden, Figure, Report, seconds, to_json, to_text, within
from tests.soak.installation import make
from tests.soak.journal import parse
from tests.support.fake_installation import Installation

SLOW = Spread(20, 0.1, 0.3, 9.0)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    one = make(tmp_path / "data", free_port(), whole=False)
    yield one
    one.clear()


FRONTS = 2


def quiet(_text: str) -> None:
    """Nobody looks at progress here."""


def test_every_child_is_killed_and_timed(home: Installation) -> None:
    figures = {figure.name: figure for figure in killing.recoveries(home, 1, 1, 0, quiet)}
    assert len(figures) == 3
    for figure in figures.values():
        assert set(figure.spreads) == {*OWNERS, "front.1", "front.2"}
    # The first restart is at once. Of five one is not held up by a busy machine, and a pause would hold up all.
    first = figures["first restart after a death was noticed"].spreads
    assert min(one.p50 for one in first.values()) < killing.STARTED


def test_frozen_children_are_found_out(home: Installation) -> None:
    figure = killing.hangs(home, 1, 2, quiet, PARLEY_SUPERVISION__WATCHDOG="1")
    assert figure.kept
    assert sum(one.count for one in figure.spreads.values()) == 2
    assert all(one.p50 > 0.5 for one in figure.spreads.values())


def test_a_killed_supervisor_leaves_nobody_and_the_next_one_has_nothing_to_complain_of(home: Installation) -> None:
    # What an earlier crash may have left beside the children: old sockets, and a lock file with a dead process's pid.
    home.paths.make()
    for name in ("control.sock", "notify-router"):
        (home.paths.run / name).write_text("stale")
    (home.paths.data / "supervisor.lock").write_text("process 1\n")
    figure = killing.orphans(home, 2, quiet)
    assert figure.kept, figure
    assert figure.spreads["all gone"].count == 2


def test_a_hundred_restarts_leave_nothing_behind(home: Installation) -> None:
    figure = standins.restarts(home, 100, quiet)
    assert figure.kept, figure
    restarts, _, rest = figure.name.partition(" ")
    assert rest == "restarts of stand-ins"
    # All children are killed together, so it ends with the round in which a hundred is reached.
    assert 100 <= int(restarts) < 100 + len(OWNERS) + FRONTS


def test_crash_loops_end_in_few_starts(home: Installation) -> None:
    assert standins.crash_loops(load(environ={}), seed=1, count=100).kept
    figure = standins.crash_loop(home, 3.0, quiet)
    assert figure.kept, figure
    assert "others untouched" in figure.measured


def test_fifty_megabytes_on_one_line_hold_nothing_up(home: Installation) -> None:
    figure = standins.flood(home, 50, quiet)
    assert figure.kept, figure


def test_fronts_are_killed_and_nobody_is_refused(home: Installation) -> None:
    figure = doors.doors(home, 1, 6, 50.0, quiet)
    assert "0 refused" in figure.measured
    assert figure.name.startswith("6 kills")


def test_seeds_are_lived() -> None:
    figure = simulated.simulation(10, quiet)
    assert figure.kept, figure
    assert figure.measured == "0 broken"


def test_a_promise_is_broken_by_the_slowest_child() -> None:
    spreads = {"auth": Spread(20, 0.1, 0.2, 0.3), "router": SLOW}
    assert within("x", 0.25, spreads) == Figure(
        name="x", goal="p95 within 250 ms", measured="300 ms (router)", kept=False, spreads=spreads
    )
    assert within("x", 0.3, spreads).kept
    assert not within("x", 8.0, spreads, worst=True).kept
    assert not within("x", 8.0, {}).kept


def test_a_report_says_what_was_broken() -> None:
    figures = [within("x", 0.25, {"router": SLOW}), Figure(name="y", goal="0", measured="0", kept=True)]
    report = Report(
        command="make soak", seed=7, began="2026-01-01T00:00:00Z", seconds=1.0, versions={"python": "3"},
        cores=2, burden={"recoveries": Burden(0.5, 1.5, 0.25)}, figures=figures,
    )  # fmt: skip
    assert not report.passed
    text = to_text(report)
    assert "recoveries 1.5, 25%" in text
    assert "BROKEN  x: 300 ms (router)  [p95 within 250 ms]" in text
    assert "kept    y: 0" in text
    assert b'"kept": false' in to_json(report)
    assert seconds(1.234) == "1.23 s"


def test_the_log_is_read_as_events() -> None:
    line = '{"at": "2026-11-22T13:00:00.250Z", "level": "ERROR", "message": "router: ended (SIGKILL); starting again"}'
    read = parse(line)
    assert read.event is not None
    assert (read.event.name, read.event.what, read.event.detail) == ("router", "ended", "SIGKILL")
    assert round(read.at % 1, 3) == 0.25
    assert parse(line.replace("ended", "slept")).event is None
