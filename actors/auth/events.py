"""What somebody who guards an installation wants to read: who got in, who did not, and what was taken away.

Each event is one line of the logger `parley.security`: its name is the text, the rest are extras. Passwords and tokens
are no fields.
"""

import logging
from typing import Final

_LOG: Final = logging.getLogger("parley.security")
_LONGEST: Final = 200


def event(name: str, *, warning: bool = False, **fields: str) -> None:
    """Log an event; one of a transaction that has to be run again is logged again.

    What strangers wrote is made one line of bounded length first, so that it cannot forge others.
    """
    clean = {key: clipped(value) for key, value in fields.items()}
    _LOG.log(logging.WARNING if warning else logging.INFO, name, extra=clean)


def clipped(text: str, longest: int = _LONGEST) -> str:
    """Its printable characters, not too many of them."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:longest])
