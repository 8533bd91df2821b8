"""Read config.toml, lay the environment over it, and validate the whole."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from settings.errors import SettingsError
from settings.model import Settings

PREFIX = "PARLEY_"
CONFIG_VARIABLE = "PARLEY_CONFIG"
"""Names another file than ./config.toml; the supervisor hands it to its children."""


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this installation.

    `path` defaults to $PARLEY_CONFIG, then to config.toml beside the code. Raises SettingsError for a file that
    cannot be read, an unknown key or a bad value.
    """
    environ = os.environ if environ is None else environ
    if path is None:
        path = Path(environ.get(CONFIG_VARIABLE) or Path(__file__).resolve().parent.parent / "config.toml")
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"is not valid TOML: {error}") from error
    sections = _sections()
    for section, table in tree.items():
        if section not in sections:
            raise SettingsError(section, f"unknown section in {path}")
        if not isinstance(table, dict):
            raise SettingsError(section, "must be a table of keys")
    _overlay(tree, sections, environ)
    for section, table in tree.items():
        _check(section, table, sections[section])
    return msgspec.convert({**tree, "base": str(path.resolve().parent)}, Settings)


def _check(section: str, table: dict[str, Any], struct: Any) -> None:
    known = {field.name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in table.items():
        if key not in known:
            raise SettingsError(f"{section}.{key}", f"unknown key; known are {', '.join(sorted(known))}")
        try:
            msgspec.convert(value, known[key])
        except msgspec.ValidationError as error:
            raise SettingsError(f"{section}.{key}", str(error)) from error
    try:
        msgspec.convert(table, struct)
    except msgspec.ValidationError as error:
        # What concerns several keys at once.
        raise SettingsError(section, str(error).removesuffix(" - at `$`")) from error


def _sections() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(Settings) if field.name != "base"}


def _overlay(tree: dict[str, Any], sections: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    for variable, raw in environ.items():
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
        if section not in sections:
            raise SettingsError(variable, f"there is no section {section!r}")
        fields = {field.name: field.type for field in msgspec.structs.fields(sections[section])}
        if key not in fields:
            raise SettingsError(variable, f"there is no key {key!r} in section {section!r}")
        tree.setdefault(section, {})[key] = _value(variable, raw, fields[key])


def _value(variable: str, raw: str, kind: Any) -> Any:
    if kind == tuple[str, ...]:
        return [part.strip() for part in raw.split(",") if part.strip()]
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(variable, str(error)) from error
