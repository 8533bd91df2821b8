"""The benchmark runs to its end and says what it promises; how fast is not a test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import SCALE

pytestmark = pytest.mark.e2e


def test_it_measures_a_pair_beside_bare_loops(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-m", "bench", "pair", "--messages", "20", "--json", str(report)],
        capture_output=True,
        text=True,
        timeout=120 * SCALE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())["figures"]
    for name in ("bare WebSocket echo", "bare commit with fsync", "one pair, closed loop"):
        assert figures[name]["count"] == 20
        assert figures[name]["p50_ms"] > 0
    assert {"supervisor_mib", "broker_mib", "router_mib", "front.1_mib", "all_mib"} <= set(figures["memory"])
