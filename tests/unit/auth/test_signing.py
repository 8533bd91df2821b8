"""Signing keys are files of their own, made once."""

import stat
from pathlib import Path

import pytest

from actors.auth import signing
from settings import SettingsError


def test_the_first_start_makes_a_key_and_the_next_ones_keep_it(tmp_path: Path) -> None:
    first = signing.newest(tmp_path, 1)
    assert signing.newest(tmp_path, 2).public == first.public
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_newer_key_signs_from_then_on(tmp_path: Path) -> None:
    old = signing.newest(tmp_path, 1)
    signing.generate(tmp_path, 2)
    assert signing.newest(tmp_path, 3).public.kid != old.public.kid


def test_a_key_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    path = signing.generate(tmp_path, 1)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="open to others"):
        signing.newest(tmp_path, 2)
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(SettingsError, match="is not a private key"):
        signing.newest(tmp_path, 2)
