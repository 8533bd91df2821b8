"""`python -m actors NAME`: run one actor, alone, against the broker that the settings name."""

import gc
import importlib
import os
import re
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from actors.runtime.declaration import Actor
from actors.runtime.environment import Environment
from actors.runtime.process import begin_logging, die_with, spare_collector
from actors.runtime.serving import serve_front, serve_owner
from settings import EXIT_CONFIGURATION, Paths, SettingsError, load

USAGE = 2
SUPERVISOR_VARIABLE = "PARLEY_SUPERVISOR_PID"


def main(arguments: list[str]) -> int:
    """Exit codes: 0 stopped as told, 2 usage, 78 configuration; anything else is a crash."""
    die_with(os.environ.get(SUPERVISOR_VARIABLE, ""))
    if len(arguments) != 1 or not re.fullmatch(r"[a-z][a-z_]*(\.[0-9]+)?", arguments[0]):
        print("usage: python -m actors NAME, where NAME is an actor such as router or front.1", file=sys.stderr)  # noqa: T201
        return USAGE
    instance = arguments[0]
    # What is imported stays: looking at it again and again takes a fifth of a front's start.
    gc.disable()
    try:
        settings = load()
        paths = Paths.of(settings)
        paths.make()
        begin_logging(settings.logging, instance)
        work = _serve(instance, Environment(settings, paths))
        spare_collector()
        uvloop.run(work)
    except SettingsError as error:
        print(f"configuration: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_CONFIGURATION
    return 0


def _serve(instance: str, environment: Environment) -> Coroutine[Any, Any, None]:
    name = instance.partition(".")[0]
    try:
        if name == "runtime":
            raise SettingsError(name, "there is no actor of this name")
        module = importlib.import_module(f"actors.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"actors.{name}":
            raise
        raise SettingsError(name, "there is no actor of this name") from error
    if name == "front":
        return serve_front(lambda post: module.Front(environment, post), environment, instance)
    # Only owners open a database for writing, so only they pay for the import.
    from storage import Database  # noqa: PLC0415

    kind = _owner_in(module)
    return serve_owner(kind(environment), lambda: Database.open(kind.schema, environment.paths.databases), environment)


def _owner_in(module: Any) -> Any:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Actor) and value is not Actor:
            return value
    raise TypeError(f"{module.__name__} declares no actor")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
