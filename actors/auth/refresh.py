"""Refresh tokens and their rotation. Pure.

A token is 64 characters of base64url: 16 bytes that all tokens of a session share, and a link of 32 bytes. The first
link is random; each successor is an HMAC of its predecessor, so that it can be told again to whoever lost the answer
without being kept. The database keeps SHA-256 of each part alone.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from enum import Enum
from typing import Final

from msgspec import Struct

from storage.sessions import Chain

_FAMILY: Final = 16
_LINK: Final = 32
_CHARACTERS: Final = 64


class Token(Struct, frozen=True):
    """The two parts of a refresh token."""

    family: bytes
    link: bytes

    @property
    def text(self) -> str:
        return urlsafe_b64encode(self.family + self.link).decode("ascii")


class Verdict(Enum):
    """What presenting a genuine token of a session means."""

    ROTATE = "the newest, for the first time: its successor takes its place"
    REPEAT = "the one before the newest, within the grace: the same successor is told again"
    REUSE = "spent: somebody has a copy, and nobody knows who is who"


def first(random_bytes: Callable[[int], bytes]) -> Token:
    """A token that begins a new family."""
    return Token(random_bytes(_FAMILY), random_bytes(_LINK))


def parse(text: str) -> Token | None:
    """The token that a client sent, or None when it is none."""
    if len(text) != _CHARACTERS:
        return None
    try:
        raw = urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        return None
    # Signs outside the alphabet are skipped by the decoder, so the length tells whether there were any.
    return Token(raw[:_FAMILY], raw[_FAMILY:]) if len(raw) == _FAMILY + _LINK else None


def successor(token: Token, key: bytes) -> Token:
    """The one token that follows; `key` is a secret of the installation."""
    return Token(token.family, hmac.digest(key, b"refresh\0" + token.family + token.link, hashlib.sha256))


def digest(part: bytes) -> bytes:
    """What is kept of a part. Plain SHA-256 will do: it is random, so there is nothing to guess."""
    return hashlib.sha256(part).digest()


def begun(token: Token, now: int) -> Chain:
    """The chain of a new session."""
    return Chain(link=digest(token.link), previous=None, rotated_at=now)


def present(chain: Chain, token: Token, now: int, grace_ms: int) -> Verdict:
    """Judge a token of the right family."""
    shown = digest(token.link)
    if hmac.compare_digest(shown, chain.link):
        return Verdict.ROTATE
    if chain.previous is not None and hmac.compare_digest(shown, chain.previous) and now - chain.rotated_at <= grace_ms:
        return Verdict.REPEAT
    return Verdict.REUSE


def rotated(token: Token, following: Token, now: int) -> Chain:
    """The chain once `token` was shown: its successor is the newest, and the one before `token` is spent."""
    return Chain(link=digest(following.link), previous=digest(token.link), rotated_at=now)
