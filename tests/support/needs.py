"""What a machine may lack: there a test is skipped, with the reason, except where it must not be."""

import os
import shutil
from typing import NoReturn

import pytest


def lacking(reason: str, *, excused: bool = False) -> NoReturn:
    """Skip this test; under CI=true fail it, unless the machine is `excused`, as one without root is."""
    if os.environ.get("CI") == "true" and not excused:
        pytest.fail(reason)
    pytest.skip(reason)


def need_program(name: str, package: str) -> str:
    """The path of a program that `make setup-dev` installs."""
    path = shutil.which(name)
    if path is None:
        lacking(f"{name} is missing: install {package}")
    return path


def is_root() -> bool:
    """Whether this process may do everything on this machine."""
    return os.geteuid() == 0
