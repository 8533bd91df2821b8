"""Logs are bounded, and writing them never stops the writer."""

import os
from pathlib import Path

from supervision.logs import OutputPipe, RotatingFile


def test_old_logs_are_kept_up_to_a_number(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log", limit=10, keep=2)
    for number in range(5):
        log.write(b"line number %d\n" % number)
    log.close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.log": b"line number 4\n",
        "a.log.1": b"line number 3\n",
        "a.log.2": b"line number 2\n",
    }


def test_keeping_none_keeps_the_current_one_only(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log", limit=10, keep=0)
    for number in range(3):
        log.write(b"line number %d\n" % number)
    log.close()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"line number 2\n"]


def test_a_log_goes_on_where_the_last_supervisor_left_it(tmp_path: Path) -> None:
    for word in (b"one\n", b"two\n"):
        log = RotatingFile(tmp_path / "a.log", limit=100, keep=1)
        log.write(word)
        log.close()
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n"


def test_a_disk_that_refuses_costs_lines_and_not_the_supervisor(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "missing" / "a.log", limit=100, keep=1)
    log.write(b"12345")
    assert log.dropped == 5
    (tmp_path / "missing").mkdir()
    log.write(b"back\n")
    log.close()
    assert (tmp_path / "missing" / "a.log").read_bytes() == (
        b"[5 bytes of output were dropped: the disk refused them]\nback\n"
    )


def test_a_pipe_is_emptied_without_blocking_and_its_last_words_are_kept(tmp_path: Path) -> None:
    pipe = OutputPipe(RotatingFile(tmp_path / "a.log", limit=1 << 20, keep=0))
    pipe.pump()  # nothing there: returns at once
    os.write(pipe.writing, b"a" * 60_000)
    pipe.pump()
    os.write(pipe.writing, b"last words")
    pipe.close()
    assert (tmp_path / "a.log").read_bytes() == b"a" * 60_000 + b"last words"
