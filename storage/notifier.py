"""notifier's database: notices, decisions, wishes, presence, and the logs of others that it follows."""

import sqlite3
from pathlib import Path

from storage.auth import AUTH
from storage.contacts import CONTACTS
from storage.database import Schema, Unit
from storage.files import FILES
from storage.notifier_cursors import Cursors
from storage.notifier_decisions import Decisions
from storage.notifier_notices import Notices
from storage.notifier_presence import Presences
from storage.notifier_wishes import Wishes
from storage.people import People
from storage.router import ROUTER
from storage.sibling import Sibling


class NotifierUnit(Unit):
    """One transaction of notifier's database. The others' are opened when they are first asked."""

    def __init__(self, connection: sqlite3.Connection, databases: Path) -> None:
        super().__init__(connection, databases)
        self.notices = Notices(connection, self.journal)
        self.decisions = Decisions(connection)
        self.wishes = Wishes(connection)
        self.presences = Presences(connection)
        self.cursors = Cursors(connection)
        self.people = People(databases)
        self.auth = Sibling(AUTH, databases)
        self.contacts = Sibling(CONTACTS, databases)
        self.router = Sibling(ROUTER, databases)
        self.files = Sibling(FILES, databases)

    def close(self) -> None:
        for sibling in (self.people, self.auth, self.contacts, self.router, self.files):
            sibling.close()


NOTIFIER = Schema("notifier", NotifierUnit)
