"""Following the logs of the others: from a cursor, in bounded steps, each change once.

What a step finds and how far it came are committed together, so a step that is killed is done again as a whole; ids of
notices are made of what they are about, so nothing is doubled by finding it again.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from actors.notifier import files, messages, relations, sign_ins
from actors.notifier.presence import Presence
from actors.runtime import Effect
from protocols.errors import Refusal
from storage.notifier import NotifierUnit
from storage.notifier_cursors import Place
from storage.sibling import Sibling

log: Final = logging.getLogger(__name__)

BUSY: Final = 50
"""Conversations in one step from which on router's hints are not listened to for REST seconds."""
REST: Final = 0.9

SOURCES: Final = ("router", "contacts", "auth", "file_chunker")


class Following:
    """`hinted` and `follow` are called inside a transaction: whenever a log may have moved on, and each second."""

    def __init__(self, presence: Presence, monotonic: Callable[[], float]) -> None:
        self._presence = presence
        self._monotonic = monotonic
        self._rested = 0.0
        self._steps: dict[str, Callable[[NotifierUnit, Place, int], tuple[int, list[Effect]]]] = {
            "router": self._messages,
            "contacts": self._relations,
            "auth": lambda tx, place, now: sign_ins.follow(tx, presence, place, now),
            "file_chunker": self._files,
        }
        self._troubles: dict[str, str] = {}

    def hinted(self, tx: NotifierUnit, source: str, now: int) -> Iterable[Effect]:
        """One step, unless the last one found so much that a look each second is enough."""
        if source == "router" and self._monotonic() < self._rested:
            return ()
        return self.follow(tx, source, now)

    def follow(self, tx: NotifierUnit, source: str, now: int) -> Iterable[Effect]:
        """One step in the log of `source`. While it cannot be read, or a step fails, it stays where it is."""
        try:
            # What was found before the trouble is found again: nothing of it may stay, and others are not touched.
            with tx.savepoint():
                effects = self._step(tx, source, now)
        except Refusal as refusal:
            # On a new installation the others may be a moment from their first start.
            self._trouble(source, str(refusal), logging.WARNING if tx.cursors.of(source) else logging.INFO)
            return ()
        except Exception as error:
            if not tx.connection.in_transaction:
                # SQLITE_FULL and its like have rolled back all of it: what came after would be kept and never told.
                raise
            if not self._trouble(source, repr(error)):
                log.exception("following %s failed; it is tried again", source)
            return ()
        if self._troubles.pop(source, None):
            log.info("following %s again", source)
        return effects

    def _step(self, tx: NotifierUnit, source: str, now: int) -> list[Effect]:
        siblings: dict[str, Sibling[Any]] = {
            "router": tx.router,
            "contacts": tx.contacts,
            "auth": tx.auth,
            "file_chunker": tx.files,
        }
        sibling = siblings[source]
        epoch, head = sibling.read(lambda other: (other.journal.epoch(), other.journal.change()))
        known = tx.cursors.of(source)
        if known is None or known.epoch != epoch or known.change > head:
            self._begin(tx, source, known, Place(epoch, head))
            return []
        if known.change == head:
            return []
        change, effects = self._steps[source](tx, known, now)
        if change != known.change:
            tx.cursors.move(source, Place(epoch, change))
        return effects

    def _begin(self, tx: NotifierUnit, source: str, known: Place | None, place: Place) -> None:
        if known is None:
            log.info("following %s from its present end", source, extra={"change": place.change})
        else:
            log.warning(
                "%s is another database than before, or has lost its end; following it from its present end",
                source,
                extra={"was": f"{known.epoch}.{known.change}", "now": f"{place.epoch}.{place.change}"},
            )
        tx.cursors.move(source, place)

    def _messages(self, tx: NotifierUnit, place: Place, now: int) -> tuple[int, list[Effect]]:
        if not self._presence.settled():
            # Whether somebody had it in view is not known yet; their pages say so within a round of leases.
            return place.change, []
        change, effects, conversations = messages.follow(tx, self._presence.devices, place, now)
        if conversations >= BUSY:
            # A step costs by the conversation, whatever the messages: fewer steps for the same messages.
            self._rested = self._monotonic() + REST
        return change, effects

    def _files(self, tx: NotifierUnit, place: Place, now: int) -> tuple[int, list[Effect]]:
        if not self._presence.settled():
            return place.change, []
        return files.follow(tx, self._presence.devices, place, now)

    def _relations(self, tx: NotifierUnit, place: Place, now: int) -> tuple[int, list[Effect]]:
        return relations.follow(tx, self._presence, place, now)

    def _trouble(self, source: str, text: str, level: int = logging.WARNING) -> bool:
        """Say it once; returns whether it was said before."""
        said = self._troubles.get(source) == text
        if not said:
            log.log(level, "%s is not followed for now: %s", source, text)
        self._troubles[source] = text
        return said
