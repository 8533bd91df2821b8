"""What is left when all is over: the databases, the queues, the processes."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from protocols.records import message_id
from protocols.values import rfc3339
from settings import Paths
from tests.chaos.record import Receipt, Stored
from tests.support.rabbitmqctl import rabbitmqctl

_MESSAGES = """
SELECT c.id, m.seq, m.version, m.client_id, m.sender, m.body, m.at
FROM message AS m JOIN conversation AS c ON c.key = m.conversation ORDER BY m.born
"""
_RECEIPTS = """
SELECT id, low, low_delivered, low_read FROM conversation
UNION ALL SELECT id, high, high_delivered, high_read FROM conversation
"""


def stored(router: Path) -> Iterator[Stored]:
    """Every message of router's database, in the order of storing."""
    with closing(_read(router)) as connection:
        for conversation, seq, version, client_id, sender, body, at in connection.execute(_MESSAGES):
            mark = message_id(conversation, seq)
            yield Stored(conversation, seq, version, mark, client_id, sender, body, rfc3339(at))


def receipts(router: Path) -> Iterator[Receipt]:
    """What everybody has and has read, as the database has it."""
    with closing(_read(router)) as connection:
        for row in connection.execute(_RECEIPTS):
            yield Receipt("", *row)


def damaged(databases: Path) -> Sequence[str]:
    """What SQLite finds wrong in any database of a folder, in words."""
    wrong = []
    for path in sorted(databases.glob("*.db")):
        with closing(_read(path)) as connection:
            wrong += [
                f"{path.name}: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"
            ]
            wrong += [f"{path.name}: foreign key {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    return wrong


async def queues(paths: Paths) -> dict[str, int]:
    """How much mail lies in each mailbox and among each actor's dead letters, taken and unacknowledged included."""
    listing = await rabbitmqctl(paths, "--vhost", "parley", "list_queues", "name", "messages", "--no-table-headers")
    rows = [line.split() for line in listing.splitlines() if line.strip()]
    # Queues that the broker named hold pushes and replies, which may be lost.
    return {name: int(count) for name, count in rows if not name.startswith("amq.")}


def zombies(parent: int) -> list[str]:
    """Children of a process that ended and that nobody has reaped."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().rpartition(")")
            except OSError:
                continue
            state, whose = rest.split()[:2]
            if state == "Z" and int(whose) == parent:
                found.append(name)
    return found


def _read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
