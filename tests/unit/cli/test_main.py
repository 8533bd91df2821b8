"""The command line as a whole."""

import io
import re
from pathlib import Path

import pytest

from cli.main import main


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An actor's log in an installation of its own."""
    monkeypatch.setenv("PARLEY_DATA__DIR", str(tmp_path))
    path = tmp_path / "logs" / "auth.log"
    path.parent.mkdir()
    path.write_text("grüße\n", encoding="utf-8")
    return path


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"parley \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_terminal_that_knows_fewer_characters_gets_the_rest(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(screen, encoding="ascii"))
    assert main(["logs", log.stem]) == 0
    assert screen.getvalue() == b"gr??e\n"


def test_what_the_system_refuses_is_one_sentence(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.unlink()
    log.symlink_to(log)
    assert main(["logs", log.stem]) == 1
    assert re.fullmatch(rf"parley: {log}: Too many levels .*\n", capsys.readouterr().err)
