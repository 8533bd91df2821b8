"""config.toml and the environment, as frozen and validated structs."""

from settings.errors import EXIT_CONFIGURATION, SettingsError
from settings.load import load
from settings.model import Settings
from settings.paths import Paths

__all__ = ["EXIT_CONFIGURATION", "Paths", "Settings", "SettingsError", "load"]
