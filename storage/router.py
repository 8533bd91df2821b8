"""router's database: conversations, messages and receipts; and what it reads of others, consent and uploads."""

import sqlite3
from pathlib import Path

from storage.consent import Consent
from storage.conversations import Conversations
from storage.database import Schema, Unit
from storage.decided import Decided
from storage.files import FILES
from storage.messages import Messages
from storage.receipts import Receipts
from storage.sibling import Sibling


class RouterUnit(Unit):
    def __init__(self, connection: sqlite3.Connection, databases: Path) -> None:
        super().__init__(connection, databases)
        self.conversations = Conversations(connection)
        self.messages = Messages(connection, self.journal)
        self.receipts = Receipts(connection)
        self.decided = Decided(connection)
        # Opened when it is first asked: whoever only reads messages never opens the other databases.
        self.consent = Consent(databases)
        self.files = Sibling(FILES, databases)

    def forget(self) -> None:
        self.conversations.forget()
        self.decided.forget()

    def close(self) -> None:
        self.consent.close()
        self.files.close()


ROUTER = Schema("router", RouterUnit)
