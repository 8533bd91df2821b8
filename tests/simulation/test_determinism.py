"""A seed is lived the same way each time, whatever else this process or another one did before."""

import os
import re
import subprocess
import sys

from tests.simulation.world import run
from tests.support.waiting import SCALE

SEEDS = range(3, 9)


def marks() -> list[str]:
    return [run(seed, traced=True).mark for seed in SEEDS]


def test_the_same_seed_gives_the_same_trace_twice() -> None:
    first = marks()
    assert len(set(first)) == len(first)
    assert marks() == first


def test_another_process_that_hashes_otherwise_gives_the_same_trace() -> None:
    other = subprocess.run(  # noqa: S603  (argv is ours)
        [sys.executable, "-m", "tests.simulation", "--seeds", f"{SEEDS.start}:{SEEDS.stop}", "--trace"],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60 * SCALE,
    )
    assert re.findall(r"^mark (\w+)$", other.stdout, re.MULTILINE) == marks()
