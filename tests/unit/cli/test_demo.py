"""The arguments of `parley demo`, and its exit code."""

import argparse
from pathlib import Path

import pytest

from cli import demo
from cli.exits import DONE, FAILED, INTERRUPTED, USAGE
from cli.main import main, parser
from drill.nemesis import Deed, write
from tests.unit.drill.test_report import report


def parsed(*arguments: str) -> argparse.Namespace:
    return parser().parse_args(["demo", *arguments])


def test_alone_it_is_a_crash_of_a_minute() -> None:
    args = parsed()
    assert (args.demo, args.minutes, args.seed, args.pairs, args.rate) == ("crash", None, None, 4, 20.0)


def test_it_says_how_to_see_the_same_again() -> None:
    args = parsed("crash", "--minutes", "3", "--pairs", "7")
    command = demo._command(args, seed=42)
    assert command == "parley demo crash --pairs 7 --rate 20 --seed 42 --minutes 3"
    again = parser().parse_args(command.split()[1:])
    assert (again.pairs, again.rate, again.seed, again.minutes) == (7, 20.0, 42, 3.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["--minutes", "0"], "0 is not from 0.3 to 600"),
        (["--minutes", "nan"], "nan is not from"),
        (["--rate", "-1"], "-1 is not from 0.1 to 5000"),
        (["--pairs", "many"], "'many' is not a number"),
        (["--pairs", "1.5"], "'1.5' is not a number"),
        (["--seed", "-3"], "-3 is not from"),
        (["tour", "--minutes", "3"], "tour takes the time it takes"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", *arguments])
    assert ended.value.code == USAGE
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), ("", "empty"), ("nonsense", "line 1")])
def test_a_log_that_cannot_be_replayed_is_named(
    tmp_path: Path, text: str | None, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "deeds.log"
    if text is not None:
        log.write_text(text)
    assert main(["demo", "--replay", str(log)]) == FAILED
    error = capsys.readouterr().err
    assert str(log) in error
    assert why in error


def test_a_log_that_can_be_replayed_makes_a_demo(tmp_path: Path) -> None:
    log = tmp_path / "deeds.log"
    log.write_text(write([Deed(1.0, "kill", "router")]))
    assert callable(demo._demo(parsed("--replay", str(log))))


def test_the_exit_code_tells_whether_the_promise_was_kept() -> None:
    assert demo._code(report()) == DONE
    assert demo._code(report(interrupted=True)) == INTERRUPTED
    assert demo._code(report(broken=["1 message was lost"])) == FAILED
    assert demo._code(report(broken=["1 message was lost"], interrupted=True)) == FAILED


def test_the_directory_goes_unless_it_is_to_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with demo._folder(keep=False) as folder:
        (folder / "file").touch()
    assert not folder.exists()
    with demo._folder(keep=True) as folder:
        pass
    assert folder.exists()
    assert f"kept: {folder}" in capsys.readouterr().out
    folder.rmdir()
