"""Which passwords are good enough, and how they are hashed. Pure, but for bcrypt's salt.

A hash is `v1$` and bcrypt of base64(HMAC-SHA384(pepper, NFC(password))): 64 bytes whatever the password's length, so
that none of it falls to bcrypt's limit of 72 bytes, and worthless to whoever has the database without the pepper.
"""

import hashlib
import hmac
import unicodedata
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Final

import bcrypt

SCHEME: Final = "v1$"
LONGEST: Final = 128

_WORDS: Final = Path(__file__).with_name("common_words.txt")
_ENDINGS: Final = Path(__file__).with_name("common_endings.txt")
_LEET: Final = str.maketrans("@4301!57$", "aaeoiists")
_CONTEXT: Final = ("parley", "chat")
_LETTERS_BESIDE_CONTEXT: Final = 5
_LONGEST_PERIOD: Final = 8
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "asdfghjkl",
    "zxcvbnm",
)


def check(password: str, *, least: int, username: str) -> str:
    """What is wrong with a new password, or "". There are no rules about which kinds of characters it holds."""
    text = unicodedata.normalize("NFC", password)
    if len(text) < least:
        return f"A password has at least {least} characters."
    if len(text) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    folded = text.casefold()
    if is_common(folded) or is_common(_unmasked(folded)):
        return "This password is among those that are tried first."
    if _repeats(folded) or _runs(folded):
        return "This password is a pattern that is tried first."
    if _names_context(folded, username):
        return "This password is made of your username or of this program's name."
    return ""


@cache
def common_parts() -> tuple[frozenset[str], frozenset[str]]:
    """(the words that passwords tried first begin with, what stands behind them)."""
    words, endings = (frozenset(path.read_text(encoding="utf-8").split()) for path in (_WORDS, _ENDINGS))
    return words, endings | {""}


def is_common(text: str) -> bool:
    """Whether a casefolded password is a well-known word with a well-known ending, or none, behind it."""
    words, endings = common_parts()
    return any(text[:at] in words and text[at:].lstrip(" -_") in endings for at in range(1, len(text) + 1))


def hashed(pepper: bytes, password: str, cost: int) -> str:
    """What to keep of a password. Takes a quarter of a second at cost 12: never call it in a transaction or loop."""
    return SCHEME + bcrypt.hashpw(_prehashed(pepper, password), bcrypt.gensalt(cost)).decode("ascii")


def matches(pepper: bytes, password: str, stored: str) -> bool:
    """Whether `stored` is a hash of this password. As slow as `hashed`. A hash of no known scheme matches nothing."""
    if not stored.startswith(SCHEME):
        return False
    try:
        return bcrypt.checkpw(_prehashed(pepper, password), stored.removeprefix(SCHEME).encode("ascii"))
    except ValueError:
        return False


def outdated(stored: str, cost: int) -> bool:
    """Whether a hash was made by another scheme or with another cost than today's."""
    parts = stored.removeprefix(SCHEME).split("$")
    return not stored.startswith(SCHEME) or len(parts) < 3 or parts[2] != f"{cost:02d}"  # noqa: PLR2004  ("", kind, cost)


def _prehashed(pepper: bytes, password: str) -> bytes:
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return b64encode(hmac.digest(pepper, text, hashlib.sha384))


def _unmasked(text: str) -> str:
    """`p@ssw0rd1234` is `password1234`: signs between letters stand for letters, those behind them for themselves."""
    length = max((at + 1 for at, sign in enumerate(text) if sign.isalpha()), default=0)
    return text[:length].translate(_LEET) + text[length:]


def _repeats(text: str) -> bool:
    """Whether it is some few characters again and again."""
    longest = min(_LONGEST_PERIOD, len(text) // 2)
    return any(text == (text[:period] * len(text))[: len(text)] for period in range(1, longest + 1))


def _runs(text: str) -> bool:
    """Whether it is one walk, forwards or backwards, round the alphabet, the digits or a row of keys."""
    return any(text in row * len(text) or text[::-1] in row * len(text) for row in _ROWS)


def _names_context(text: str, username: str) -> bool:
    rest = text
    for word in (*((username,) if username else ()), *_CONTEXT):
        rest = rest.replace(word, "")
    return rest != text and sum(sign.isalpha() for sign in rest) < _LETTERS_BESIDE_CONTEXT
