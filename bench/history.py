"""A log that is long already: messages written by the storage layer, in big transactions, as of busy days."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from protocols.values import conversation_of
from storage import Database
from storage.conversations import Thread
from storage.messages import Draft
from storage.router import ROUTER, RouterUnit

BATCH = 100_000
"""Messages a transaction."""
CACHE_KIB = 400_000
"""Of SQLite's pages, so that a batch touches each page of an index once."""
FINGERPRINT = b"\0" * 16


class Told(Struct, frozen=True):
    """`sender` wrote so many messages to `to`."""

    sender: str
    to: str
    count: int


async def fill(databases: Path, talk: Sequence[Told]) -> None:
    """Write it all, one message of each in turns. Nobody may be using the database."""
    database = await Database.open(ROUTER, databases)
    try:
        await database.run(_Filling.widen)
        filling = _Filling(talk)
        while await database.run(filling.some):
            pass
        await database.checkpoint()
    finally:
        await database.close()


class _Filling:
    def __init__(self, talk: Sequence[Told]) -> None:
        self._threads: dict[str, Thread] = {}
        self._turns = _turns(talk)

    @staticmethod
    def widen(tx: RouterUnit) -> None:
        tx.connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")

    def some(self, tx: RouterUnit) -> bool:
        """Write one batch; whether there may be more."""
        drafts = [self._draft(tx, *turn) for _, turn in zip(range(BATCH), self._turns, strict=False)]
        if not drafts:
            return False
        change = tx.journal.next_change(len(drafts)) - len(drafts)
        for at, draft in enumerate(drafts, change + 1):
            draft.change = draft.thread.change = at
        tx.messages.add(drafts)
        tx.conversations.save({draft.thread.key: draft.thread for draft in drafts}.values())
        return True

    def _draft(self, tx: RouterUnit, told: Told, number: int) -> Draft:
        conversation = conversation_of(told.sender, told.to)
        thread = self._threads.get(conversation)
        if thread is None:
            thread = tx.conversations.thread(conversation) or tx.conversations.begin(told.sender, told.to)
            self._threads[conversation] = thread
        thread.seq += 1
        thread.version += 1
        thread.side(told.sender).last = thread.seq
        return Draft(
            thread=thread,
            seq=thread.seq,
            version=thread.version,
            sender=told.sender,
            # As long as the ids that a page mints, and rising as they do.
            client_id=f"{number:012d}-{told.to[:23]}",
            fingerprint=FINGERPRINT,
            at=time.time_ns() // 1_000_000,
            body=f"message {number} of those that were there before anybody looked",
            reply_to=None,
        )


def _turns(talk: Sequence[Told]) -> Iterator[tuple[Told, int]]:
    number = 0
    left = [one for one in talk if one.count]
    while left:
        number += 1
        for told in left:
            yield told, number
        left = [one for one in left if one.count > number]
