"""What is raised when an installation's configuration cannot be used."""

EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: a configuration that no restart can mend."""


class SettingsError(Exception):
    """A setting, secret or path that cannot be used. `key` names it, `reason` says why in a sentence's end."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason
