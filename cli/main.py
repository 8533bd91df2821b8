"""Read the arguments, find the command, and turn its errors into one sentence and an exit code."""

import argparse
import importlib
import importlib.util
import io
import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.exits import CONFIGURATION, FAILED, INTERRUPTED, NOTHING_RUNNING, CommandError
from settings import SettingsError
from supervision.client import ControlError, NothingRunningError
from supervision.main import StartError

COMMANDS = ("up", "control", "status", "logs", "why", "dead", "user", "files", "demo", "doctor")
"""Modules of this package, in the order of the help."""

Run = Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """The parser with every command group that is there."""
    top = argparse.ArgumentParser(prog="parley", description="One-to-one chat as a set of supervised actors.")
    top.add_argument("--version", action=_Version, nargs=0, help="say which version this is, and exit")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        if importlib.util.find_spec(f"cli.{name}") is not None:
            importlib.import_module(f"cli.{name}").add_parser(subparsers)
    return top


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        # Parley runs from its folder, and is installed nowhere that a package's metadata could be asked.
        text = Path(__file__).resolve().parent.parent.joinpath("pyproject.toml").read_text(encoding="utf-8")
        print(parser.prog, tomllib.loads(text)["project"]["version"])
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns its exit code. argparse itself exits with 2 for a wrong use."""
    args = parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # What people wrote may stand in it, and the terminal may know fewer characters than they.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    run: Run = args.run
    try:
        return run(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `parley logs | head` has read enough. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    # TimeoutError is an OSError, and so is what a full disk or another user's folder makes of any command.
    except (SettingsError, NothingRunningError, CommandError, StartError, ControlError, OSError) as error:
        sentence, code = _explain(error)
        print(f"parley: {sentence}", file=sys.stderr)
        return code


def _explain(error: Exception) -> tuple[str, int]:
    match error:
        case SettingsError():
            return f"configuration: {error}", CONFIGURATION
        case NothingRunningError():
            return "nothing is running: `parley up`", NOTHING_RUNNING
        case CommandError() | StartError():
            return str(error), error.code
        case TimeoutError():
            return "the supervisor does not answer in time: `parley doctor` says what to do", FAILED
        case OSError():
            return f"{error.filename or 'the system'}: {error.strerror or error}", FAILED
        case _:
            return str(error), FAILED
