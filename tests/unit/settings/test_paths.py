"""Where an installation keeps its things."""

from pathlib import Path

import pytest

from settings import Paths, SettingsError
from tests.support.node import installation


def test_sockets_lie_in_the_data_directory_unless_their_paths_would_be_too_long(tmp_path: Path) -> None:
    short = Paths.of(installation(Path("/srv/parley")))
    assert short.run == Path("/srv/parley/run")
    deep = tmp_path / ("x" * 80)
    long = Paths.of(installation(deep))
    assert long.data == deep
    assert len(str(long.run)) < 80
    assert long.run != Paths.of(installation(tmp_path / ("y" * 80))).run


def test_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    paths = Paths.of(installation(tmp_path / "d"))
    paths.make()
    for folder in (paths.data, paths.databases, paths.secrets, paths.logs, paths.run):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"data\.dir"):
        Paths.of(installation(tmp_path / "file" / "d")).make()
