"""The table that a person reads at a glance."""

from typing import Any

import pytest

from cli.status import size, span, table


def answer(**changes: Any) -> dict[str, Any]:
    actor = {
        "name": "router",
        "state": "running",
        "pid": 42,
        "uptime": 187.0,
        "restarts": 1,
        "last_exit": "SIGKILL",
        "depth": 7,
        "rate": 12.34,
        "status": "running",
        "memory": 21 << 20,
    }
    supervisor = {"pid": 1, "uptime": 200.0, "address": "http://127.0.0.1:8080", "memory": 10 << 20}
    return {"supervisor": supervisor, "actors": [{**actor, **changes}]}


def test_every_column_is_there() -> None:
    headings, row, _, summary = table(answer(), coloured=False, width=200).splitlines()
    assert headings.split() == [
        "ACTOR", "STATE", "PID", "UPTIME", "RESTARTS", "LAST", "EXIT", "DEPTH", "MSG/S", "MEMORY",
    ]  # fmt: skip
    assert row.split() == ["router", "running", "42", "3m07s", "1", "SIGKILL", "7", "12.3", "21", "MiB"]
    assert summary == "http://127.0.0.1:8080 · supervisor 1, up 3m20s · 31 MiB of memory in all"


def test_what_is_not_there_is_a_dash() -> None:
    gone = {"state": "stopped", "pid": None, "uptime": None, "last_exit": None, "depth": None, "rate": None}
    row = table(answer(**gone, memory=None), coloured=False, width=200).splitlines()[1]
    assert row.split() == ["router", "stopped", "-", "-", "1", "-", "-", "-", "-"]


def test_an_alarm_is_the_last_line() -> None:
    rung = answer()
    rung["supervisor"]["alarm"] = "more than 10 restarts in 60 s (router)"
    assert table(rung, coloured=False, width=47).splitlines()[-1] == "ALARM: more than 10 restarts in 60 s (router): "
    assert table(rung, coloured=True, width=200).splitlines()[-1].startswith("\033[31mALARM")


@pytest.mark.parametrize("state", ["starting", "running", "stopping", "stopped", "backoff", "failing"])
def test_every_state_has_a_colour_and_lines_fit_the_terminal(state: str) -> None:
    row = table(answer(state=state), coloured=True, width=20).splitlines()[1]
    assert row.startswith("\033[")
    assert row.endswith("\033[0m")
    assert len(row) <= 20 + len("\033[32m\033[0m")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (60, "1m00s"), (3599, "59m59s"), (3660, "1h01m"), (90_000, "1d01h")]
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_sizes_are_whole_mebibytes() -> None:
    assert size(262 << 20) == "262 MiB"
