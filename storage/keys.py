"""The public halves of the keys that sign access tokens. The private ones are files among the secrets."""

import sqlite3
from typing import Final

from msgspec import Struct

ACTIVE: Final = 2
"""So many of the newest keys are good: one signs, the one before verifies what it signed."""


class PublicKey(Struct, frozen=True):
    """An Ed25519 public key: its id and its 32 raw bytes."""

    kid: str
    x: bytes


class SigningKeys:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def public(self) -> list[PublicKey]:
        """The keys by which tokens are to be believed, newest first."""
        rows = self._connection.execute(
            "SELECT kid, x FROM signing_key ORDER BY created_at DESC, kid LIMIT ?", (ACTIVE,)
        )
        return [PublicKey(kid, x) for kid, x in rows]

    def ensure(self, key: PublicKey, now: int) -> None:
        """Keep a key, if it is new. Called in the transaction whose token it signs, so that no token precedes it."""
        self._connection.execute(
            "INSERT INTO signing_key (kid, x, created_at) VALUES (?, ?, ?) ON CONFLICT (kid) DO NOTHING",
            (key.kid, key.x, now),
        )
