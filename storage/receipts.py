"""Receipts: how far each of the two has received and seen the other's messages."""

import sqlite3

from protocols.records import ReceiptRecord
from storage.conversations import Thread


class Receipts:
    """They lie in their conversation's row, and are written when the thread is saved."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, conversation: str) -> list[ReceiptRecord]:
        """Both receipts of a conversation, each as its own person sees it; none when nothing was said there."""
        row = self._connection.execute(
            "SELECT low, low_delivered, low_read, low_change, low_marked, "
            "high, high_delivered, high_read, high_change, high_marked FROM conversation WHERE id = ?",
            (conversation,),
        ).fetchone()
        if row is None:
            return []
        return [
            ReceiptRecord(
                conversation=conversation,
                user=user,
                delivered=delivered,
                read=read,
                change=change,
                unread_from=marked,
            )
            for user, delivered, read, change, marked in (row[:5], row[5:])
        ]


def receipt_of(thread: Thread, person: str) -> ReceiptRecord:
    """The receipt of one of the two as they see it themselves, all of it."""
    side = thread.side(person)
    return ReceiptRecord(
        conversation=thread.id,
        user=side.user,
        delivered=side.delivered,
        read=side.read,
        change=side.change,
        unread_from=side.marked,
    )


def receipt_shown(thread: Thread, person: str) -> ReceiptRecord:
    """The receipt of one of the two as the other may see it."""
    side = thread.side(person)
    return ReceiptRecord(
        conversation=thread.id, user=side.user, delivered=side.delivered, read=side.seen, change=side.told
    )
