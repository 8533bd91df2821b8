"""The command line as a whole."""

import re

import pytest

from cli.main import main


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"parley \d+\.\d+\.\d+\n", capsys.readouterr().out)
