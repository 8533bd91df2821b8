"""auth's database: accounts, sessions, signing keys, invitations."""

import sqlite3
from pathlib import Path
from typing import Final

from storage.accounts import Account, Accounts, Credential
from storage.database import Schema, Unit
from storage.invitations import Invitations
from storage.keys import PublicKey, SigningKeys
from storage.sessions import Chain, Session, Sessions
from storage.tallies import Tallies, Tally

__all__ = [
    "AUTH",
    "Account",
    "Accounts",
    "AuthUnit",
    "Chain",
    "Credential",
    "Invitations",
    "PublicKey",
    "Session",
    "Sessions",
    "SigningKeys",
    "Tallies",
    "Tally",
]


class AuthUnit(Unit):
    """The repositories of auth.db on one connection."""

    def __init__(self, connection: sqlite3.Connection, databases: Path) -> None:
        super().__init__(connection, databases)
        self.accounts = Accounts(connection, self.journal)
        self.sessions = Sessions(connection, self.journal)
        self.keys = SigningKeys(connection)
        self.invitations = Invitations(connection)
        self.tallies = Tallies(connection)


AUTH: Final[Schema[AuthUnit]] = Schema("auth", AuthUnit)
