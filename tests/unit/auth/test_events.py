"""Security events are one line each, whatever strangers write."""

import logging

import pytest

from actors.auth.events import clipped, event


def test_an_event_carries_its_fields_and_nobody_can_forge_a_second_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="parley.security"):
        event("login_failed", warning=True, username="ann\r\n2026 INFO login_ok user='ann'", address="")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "login_failed")
    assert record.__dict__["username"] == "ann  2026 INFO login_ok user='ann'"


def test_texts_are_clipped() -> None:
    assert clipped("a\x1b[31mb" + "x" * 300) == "a [31mb" + "x" * 193
