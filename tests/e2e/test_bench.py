"""The benchmark runs to its end and says what it promises; how fast is not a test's business."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import SCALE

pytestmark = pytest.mark.e2e


def bench(tmp_path: Path, arguments: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The report, and what was printed."""
    report = tmp_path / "report.json"
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-m", "bench", *arguments, "--json", str(report)],
        capture_output=True,
        text=True,
        timeout=120 * SCALE,
        check=False,
        # What it keeps for later runs goes with the test.
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text()), done.stdout


def test_it_measures_every_part_beside_its_limits(tmp_path: Path) -> None:
    few = ["--messages", "20", "--pairs", "2", "--outstanding", "3", "--seconds", "0.4"]
    waits = ["--sockets", "60", "--calm", "0.2", "--waiting", "500", "--file-mib", "8"]
    report, printed = bench(tmp_path, ["--together", *few, *waits])
    figures = report["figures"]
    for name in ("bare WebSocket echo", "bare AMQP hop", "bare commit with fsync", "bare loop: one pair", "one pair"):
        assert figures[name]["count"] == 20
        assert figures[name]["p50_ms"] > 0
        assert name in printed
    for name in ("load generator alone: 2 pairs x 3", "bare loop: 2 pairs x 3", "2 pairs x 3"):
        assert figures[name]["delivered_a_second"] > 0
        assert figures[name]["cpu_allows_a_second"] > 0
    assert {"broker", "router", "front.1", "load generator"} <= set(figures["2 pairs x 3"]["cpu_ms_a_1000"])
    assert sum(figures["2 pairs x 3"]["sockets_of"].values()) == 4
    assert figures["one pair"]["of_bare_loop"] > 0
    assert {"seconds_to_ready", "broker_mib", "all_mib"} <= set(figures["start"])
    assert figures["60 idle sockets"]["opened_a_second"] > 0
    assert sum(figures["60 idle sockets"]["sockets_of"].values()) == 60
    assert figures["offline, 500 waiting"]["pages"] == 3
    for name in ("fsync at the end", "fdatasync of each piece"):
        assert figures[f"bare handler, {name}: one upload"]["mb_a_second"] > 0
    for name in ("one upload", "one upload in pieces of 4 MiB", "four uploads at once", "one download"):
        assert figures[name]["mb_a_second"] > 0
    assert figures["one upload"]["of_bare_handler"] > 0
    assert {"broker", "file_chunker", "front.1"} <= set(figures["one upload"]["peak_mib"])
    assert figures["text beside four uploads"]["p99_of_alone"] > 0
    assert figures["text beside four uploads"]["mb_a_second"] > 0
    files = {"one upload", "one download", "text beside four uploads"}
    assert {goal["goal"].partition(":")[0] for goal in report["goals"]} == {"one pair", *files}
