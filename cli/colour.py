"""Whether output is coloured: on a terminal that can, unless the person who looks at it said no."""

import os
import sys


def wanted() -> bool:
    """For standard output. https://no-color.org: any value of NO_COLOR but the empty one says no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
