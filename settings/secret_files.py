"""Secrets of an installation: generated at first use, a file each, mode 0600, never in the configuration."""

import os
import secrets
from pathlib import Path

from settings.errors import SettingsError
from settings.owners import OWNERS
from settings.paths import Paths

BROKER_USERS = (*OWNERS, "front", "cli")
"""Each has its own user at the private broker, so that mail cannot be forged between actors."""


def secret(paths: Paths, name: str) -> str:
    """The secret of that name: 43 characters of base64url (256 random bits) unless somebody wrote another."""
    path = paths.secrets / name
    if not path.exists():
        create(path, secrets.token_urlsafe(32))
    return read(path)


def create(path: Path, text: str) -> None:
    """Write a new secret; when another process was quicker, its secret stands."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # link, not rename: it fails where the name exists, so two first runs agree on one secret.
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def read(path: Path) -> str:
    """A secret's text. Raises SettingsError when it is missing, empty or readable by others."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise SettingsError(str(path), f"is open to others; chmod 600 {path}")
    if not text:
        raise SettingsError(str(path), "is empty")
    return text
