"""A run as a report: JSON for programs, a table for people."""

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from bench.figures import Figures, merged, spans, with_bare_handler, with_ratios, with_stages
from bench.goals import verdicts
from drill.installation import ROOT

PACKAGES = ("aiohttp", "aiormq", "aiosqlite", "msgspec", "uvloop", "websockets")
WIDTH = 26


def machine() -> dict[str, Any]:
    """What it was measured on."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processors": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_mib": pages * size // 2**20,
        "kernel": platform.release(),
    }


def load() -> list[float]:
    """The load averages over 1, 5 and 15 minutes: what else the machine had to do."""
    return [round(one, 2) for one in os.getloadavg()]


def versions() -> dict[str, str]:
    """Of all that takes part."""
    return {
        "parley": _commit(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "rabbitmq": _rabbitmq(),
        **{name: version(name) for name in PACKAGES},
    }


def report(runs: Sequence[Figures], *, before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
    """All of it. With several runs `figures` are the medians, and `spans` the smallest and the largest."""
    counted = [with_stages(with_ratios(with_bare_handler(dict(run)))) for run in runs]
    figures = merged(counted)
    return {
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "runs": len(runs),
        # Nothing is drawn at random: who types what and when follows from the command alone.
        "seed": None,
        "machine": {**machine(), "load_before": list(before), "load_after": list(after)},
        "versions": versions(),
        "figures": figures,
        **({"spans": spans(counted)} if len(runs) > 1 else {}),
        "goals": to_builtins(verdicts(figures)),
    }


def lines(whole: Mapping[str, Any]) -> Iterator[str]:
    """The report as text."""
    runs = whole["runs"]
    yield whole["command"] + (f"   {runs} runs: median (smallest .. largest)" if runs > 1 else "")
    yield ", ".join(f"{name} {value}" for name, value in whole["machine"].items())
    yield ", ".join(f"{name} {value}" for name, value in whole["versions"].items())
    for name, group in whole["figures"].items():
        yield f"\n{name}"
        yield from _group(group, whole.get("spans", {}).get(name, {}), "    ")
    if whole["goals"]:
        yield "\ngoals"
    for goal in whole["goals"]:
        yield f"    {'met   ' if goal['met'] else 'MISSED'} {goal['goal']:<58} {goal['value']:g}"


def _group(group: Mapping[str, Any], around: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in group.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}"
            yield from _group(value, around.get(key, {}), f"{indent}    ")
        else:
            span = f"   ({around[key][0]} .. {around[key][1]})" if key in around else ""
            yield f"{indent}{key:<{WIDTH}} {value}{span}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _rabbitmq() -> str:
    """As the path of the installed program tells it."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    return found[-1].name.partition("-")[2] if found else "unknown"


def _commit() -> str:
    """The commit that was measured, with a plus when the tree differs from it; "unknown" outside a repository."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    done = subprocess.run(  # noqa: S603  (argv is ours)
        [git, "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=10
    )
    return done.stdout.strip() or "unknown"
