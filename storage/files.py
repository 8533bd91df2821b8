"""file_chunker's database: the ledger of uploads, and the consent of others that it reads."""

import sqlite3
from pathlib import Path

from storage.consent import Consent
from storage.database import Schema, Unit
from storage.file_uploads import Uploads


class FilesUnit(Unit):
    def __init__(self, connection: sqlite3.Connection, databases: Path) -> None:
        super().__init__(connection, databases)
        self.uploads = Uploads(connection, self.journal)
        # Opened when it is first asked: whoever only reads uploads never opens the other databases.
        self.consent = Consent(databases)

    def close(self) -> None:
        self.consent.close()


FILES = Schema("file_chunker", FilesUnit)
