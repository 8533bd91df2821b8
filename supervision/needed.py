"""Exit 0 when nothing must be installed, 10 when the private broker is wanted and missing, 78 for a bad setting."""

import sys

from settings import EXIT_CONFIGURATION, SettingsError, load
from supervision.broker import program

MISSING = 10

if __name__ == "__main__":
    try:
        wanted = load().broker.managed
    except SettingsError as error:
        sys.stderr.write(f"parley: configuration: {error}\n")
        sys.exit(EXIT_CONFIGURATION)
    sys.exit(MISSING if wanted and program() is None else 0)
