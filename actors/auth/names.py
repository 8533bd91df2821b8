"""What a username and a display name may be. Pure."""

import re
import unicodedata
from typing import Final

from storage.accounts import canonical

USERNAME_LEAST: Final = 3
USERNAME_MOST: Final = 32
DISPLAY_MOST: Final = 64

# ASCII alone: letters of other scripts that look like these would let one person pass for another.
_USERNAME: Final = re.compile(r"[a-z0-9_.-]+", re.ASCII)
# Joiners without which some emoji and some scripts cannot be written; every other format character is invisible.
_JOINERS: Final = frozenset("\u200c\u200d")


def username_of(text: str) -> tuple[str, str]:
    """(the username in the form that is kept, what is wrong with it or "")."""
    name = canonical(text)
    if not USERNAME_LEAST <= len(name) <= USERNAME_MOST:
        return name, f"A username has {USERNAME_LEAST} to {USERNAME_MOST} characters."
    if not _USERNAME.fullmatch(name):
        return name, "A username is made of letters a to z, digits, and the signs . _ -"
    return name, ""


def display_name_of(text: str) -> tuple[str, str]:
    """(the display name in the form that is kept, what is wrong with it or "")."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= DISPLAY_MOST:
        return name, f"A name has 1 to {DISPLAY_MOST} characters."
    categories = [unicodedata.category(sign) for sign in name]
    # Cf holds the overrides of writing direction, which make a name swallow the text that follows it.
    if any(kind[0] == "C" and sign not in _JOINERS for sign, kind in zip(name, categories, strict=True)):
        return name, "A name has no control characters and no invisible ones."
    if not any(kind[0] in "LNPS" for kind in categories):
        return name, "A name has at least one visible character."
    return name, ""
