"""Which port somebody gets who will listen there later."""

import socket
from pathlib import Path

import pytest

from supervision import ports


def port_of(one: socket.socket | None) -> int:
    assert one is not None
    with one:
        return int(one.getsockname()[1])


def test_the_wanted_one_is_had_while_nobody_has_it_and_then_one_that_the_kernel_gives_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "range"
    given.write_text("12040\t60999\n")
    monkeypatch.setattr(ports, "_BY_ITSELF", given)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        wanted = int(taken.getsockname()[1])
        taken.listen()
        assert 12_000 <= port_of(ports.bind(wanted)) < 12_040
    assert port_of(ports.bind(wanted)) == wanted


def test_what_somebody_has_who_does_not_listen_yet_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "range"
    given.write_text("12004\t60999\n")
    monkeypatch.setattr(ports, "_BY_ITSELF", given)
    few = set(range(12_000, 12_004))
    for left in few:
        assert port_of(ports.bind(without=few - {left})) in {left, *range(12_004, 1 << 16)}
    assert port_of(ports.bind(without=few)) >= 12_004
    assert port_of(ports.bind(12_001, without=few)) >= 12_004


@pytest.mark.parametrize("text", ["1024\t60999\n", None])
def test_where_the_kernel_gives_all_of_them_any_is_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    given = tmp_path / "range"
    if text:
        given.write_text(text)
    monkeypatch.setattr(ports, "_BY_ITSELF", given)
    assert port_of(ports.bind()) > 0
