"""Which children an installation has: the one list of actors that the supervisor knows, by name and argv alone."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from settings import Paths, Settings
from settings.owners import OWNERS
from supervision import broker
from supervision.spec import MARK, ChildSpec

ROOT = Path(__file__).resolve().parent.parent
"""Where the code lies: `python -m actors` must find it whatever the working directory."""

FRONT = "front"

_START_TIMEOUT = 60.0
"""Seconds of silence for an actor that starts; a migration that takes longer sends signs of life."""


@dataclass(frozen=True)
class Plan:
    """What a supervisor runs. `renew` makes the spec of the named child afresh before each of its starts."""

    specs: tuple[ChildSpec, ...]
    renew: Mapping[str, Callable[[], ChildSpec]] = field(default_factory=dict)


def actor_spec(settings: Settings, name: str, order: int, env: Mapping[str, str]) -> ChildSpec:
    """`name` may be a copy's: `front.2`."""
    actor = name.partition(".")[0]
    return ChildSpec(
        name=name,
        argv=(sys.executable, "-P", "-m", "actors", name),
        env=env,
        order=order,
        stop_timeout=15.0,
        listener=actor == FRONT,
        watchdog=settings.supervision.watchdog,
        start_timeout=_START_TIMEOUT,
    )


def environment(run: Path) -> dict[str, str]:
    """What every actor inherits: ours, and what makes it a child of this supervisor."""
    inherited = {key: value for key, value in os.environ.items() if not _private(key)}
    return {
        **inherited,
        MARK: str(run),
        "PARLEY_SUPERVISOR_PID": str(os.getpid()),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        # SIGABRT, which the watchdog sends, then dumps every thread's stack into the log.
        "PYTHONFAULTHANDLER": "1",
        # Two malloc arenas: each further one costs memory for nothing in a process of one busy thread.
        "MALLOC_ARENA_MAX": "2",
    }


def plan(settings: Settings, paths: Paths) -> Plan:
    """All children of an installation.

    Raises SettingsError when the private broker is wanted and not possible, and OSError when its files cannot be
    written.
    """
    env = environment(paths.run)
    owners = [actor_spec(settings, name, 20 + number, env) for number, name in enumerate(OWNERS)]
    fronts = [actor_spec(settings, f"{FRONT}.{number}", 90, env) for number in range(1, settings.web.fronts + 1)]
    if not settings.broker.managed:
        return Plan((*owners, *fronts))

    def renew() -> ChildSpec:
        return broker.spec(settings, paths, os.getpid())

    return Plan((renew(), *owners, *fronts), {broker.NAME: renew})


def _private(key: str) -> bool:
    """What was meant for the supervisor itself: its own notify socket, a socket handed to it, its watchdog."""
    return key in {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
