"""Logs are followed through their rotation, whole line by whole line."""

from contextlib import closing
from pathlib import Path

import pytest

from cli.logs import Printer, Tail, find, merge


def test_the_newest_lines_and_then_what_comes(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    path.write_text("one\ntwo\nthree\n")
    with closing(Tail(path)) as tail:
        assert tail.last(2) == ["two", "three"]
        with path.open("a") as log:
            log.write("four\nfi")
            log.flush()
            assert tail.new() == ["four"]
            log.write("ve\n")
        assert tail.new() == ["five"]
        assert tail.new() == []


def test_nothing_is_lost_or_doubled_when_the_log_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    path.write_text("one\n")
    with closing(Tail(path)) as tail:
        tail.last(10)
        with path.open("a") as log:
            log.write("last of the old\n")
        path.rename(tmp_path / "router.log.1")
        assert tail.new() == ["last of the old"]
        path.write_text("first of the new\n")
        assert tail.new() == ["first of the new"]


def test_a_log_that_was_emptied_is_followed_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    path.write_text("one\ntwo\nthr")
    with closing(Tail(path)) as tail:
        tail.last(10)
        path.write_text("four\n")
        assert tail.new() == ["four"]
        assert tail.new() == []


def test_an_actor_is_all_its_copies(tmp_path: Path) -> None:
    for name in ("front.1", "front.2", "router", "supervisor"):
        (tmp_path / f"{name}.log").touch()
    (tmp_path / "front.1.log.1").touch()
    assert [path.stem for path in find(tmp_path, "front")] == ["front.1", "front.2"]
    assert [path.stem for path in find(tmp_path, "front.2")] == ["front.2"]
    assert len(find(tmp_path, None)) == 4
    assert find(tmp_path, "nobody") == []


def test_lines_of_several_logs_come_in_the_order_of_their_times() -> None:
    tails = {
        "broker": ["  banner", "2026-11-22 13:00:01.500000+00:00 [warning] b"],
        "auth": ["2026-11-22T13:00:01.000Z INFO a", "Traceback:", "2026-11-22T13:00:02.000Z INFO c"],
        "front.1": ['{"at": "2026-11-22T13:00:01.700Z", "message": "x"}'],
    }
    assert [line.split()[0][:12] + line[-1] for _, line in merge(tails)] == [
        "bannerr",
        "2026-11-22T1a",
        "Traceback::",
        "2026-11-22b",
        '{"at":}',
        "2026-11-22T1c",
    ]


def test_several_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [("router", "a"), ("front.1", "b"), ("router", "c")]
    Printer(["router", "front.1"], coloured=False).lines(lines)
    assert capsys.readouterr().out == "router  | a\nfront.1 | b\nrouter  | c\n"
    Printer(["router", "front.1"], coloured=True).lines(lines)
    colours = [line[: line.index("m")] for line in capsys.readouterr().out.splitlines()]
    assert colours[0] == colours[2] != colours[1]


def test_one_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(["router"], coloured=True).lines([("router", "a")])
    assert capsys.readouterr().out == "a\n"


def test_who_comes_later_is_told_apart_from_then_on(capsys: pytest.CaptureFixture[str]) -> None:
    show = Printer(["front.1"], coloured=False)
    show.lines([("front.1", "a")])
    show.lines([("front.10", "b"), ("front.1", "c")])
    assert capsys.readouterr().out == "a\nfront.10 | b\nfront.1  | c\n"
