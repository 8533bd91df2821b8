"""The audit log and the tails of logs, as files."""

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from protocols.errors import Refusal
from protocols.ops import LOG_LINES
from supervision.logs import RotatingFile
from web.ops.audit import Audit, Operator
from web.ops.tail import LINE, PART, Tail, log_of

OLGA = Operator("u1", "olga", "127.0.0.1")


async def test_each_line_of_the_audit_log_says_when_who_and_what(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    audit = Audit(file, lambda: 1_700_000_000_000)
    await audit.write(OLGA, "kill router", "asked", "c1")
    await asyncio.gather(*(audit.write(OLGA, "kill router\nx", "done", f"c{number}") for number in range(20)))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 21
    assert lines[0] == {
        "at": "2023-11-14T22:13:20.000Z",
        "who": "olga",
        "account": "u1",
        "address": "127.0.0.1",
        "what": "kill router",
        "outcome": "asked",
        "id": "c1",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_it_may_be_moved_away_and_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "audit.log"
    audit = Audit(file, lambda: 0)
    with pytest.raises(Refusal) as caught:
        await audit.write(OLGA, "kill router", "asked", "c1")
    assert caught.value.code == "unavailable"
    file.parent.mkdir()
    await audit.write(OLGA, "kill router", "asked", "c1")
    file.rename(tmp_path / "kept")
    await audit.write(OLGA, "kill router", "done", "c1")
    assert len(file.read_text().splitlines()) == 1


async def test_a_line_that_a_full_disk_cuts_off_is_refused_and_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    audit = Audit(tmp_path / "audit.log", lambda: 0)
    with monkeypatch.context() as full:
        full.setattr("web.ops.audit.os.write", lambda descriptor, line: write(descriptor, line[:10]))
        with pytest.raises(Refusal) as caught:
            await audit.write(OLGA, "kill router", "asked", "c1")
    assert caught.value.code == "unavailable"
    for command_id in ("c2", "c3"):
        await audit.write(OLGA, "kill router", "asked", command_id)
    cut, *whole = (tmp_path / "audit.log").read_text().splitlines()
    assert (len(cut), [json.loads(line)["id"] for line in whole]) == (10, ["c2", "c3"])


def test_a_tail_begins_with_the_newest_lines_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "router.log"
    tail = Tail(file)
    assert tail.read() == []
    file.write_text("".join(f"line {number}\n" for number in range(1_000)))
    first = tail.read()
    assert len(first) == LOG_LINES
    assert first[-1] == "line 999"
    assert tail.read() == []
    with file.open("a") as more:
        more.write("one\ntw")
        more.flush()
        assert tail.read() == ["one"]
        more.write("o\n")
        more.flush()
        assert tail.read() == ["two"]


def test_a_tail_follows_a_rotation_without_losing_a_line(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "router.log", limit=100, keep=2)
    tail = Tail(log.path)
    written, seen = [], []
    for number in range(60):
        log.write(f"line {number}\n".encode())
        written.append(f"line {number}")
        seen += tail.read()
    log.close()
    assert seen == written


def test_a_tail_never_holds_more_than_a_part(tmp_path: Path) -> None:
    file = tmp_path / "router.log"
    file.write_bytes(b"start\n")
    tail = Tail(file)
    tail.read()
    with file.open("ab") as more:
        more.write(b"x" * (4 * PART) + b"\nlast\n")
    assert tail.read() == ["last"]
    with file.open("ab") as more:
        more.write(b"\xff" * (LINE + 5) + b"\n")
    (line,) = tail.read()
    assert line == "\N{REPLACEMENT CHARACTER}" * LINE
    file.write_bytes(b"anew\n")
    assert tail.read() == ["anew"]


def test_a_log_is_only_ever_one_that_lies_there(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "router.log").write_text("x\n")
    (tmp_path / "secret.log").write_text("x\n")
    assert log_of(logs, "router") == logs / "router.log"
    for name in ("../secret", "secret", "router.log", "", "*", "/etc/passwd"):
        assert log_of(logs, name) is None
