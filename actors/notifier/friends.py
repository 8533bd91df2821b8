"""Who may know of whom that they are there, or writing: contacts with consent on both sides, by contacts' database."""

from typing import Final

from protocols.values import conversation_of
from storage.notifier import NotifierUnit
from storage.sibling import Version

PEOPLE: Final = 5_000
"""Of so many people the friends are kept; at the bound all are forgotten and read again."""


class Friends:
    """Kept as long as nothing changes in contacts' database. Raises Refusal("unavailable") when it cannot be read."""

    def __init__(self) -> None:
        self._version: Version | None = None
        self._friends: dict[str, dict[str, str]] = {}

    def check(self, tx: NotifierUnit) -> None:
        """Forget what may be out of date; once a transaction."""
        version = tx.contacts.version()
        if version != self._version or len(self._friends) >= PEOPLE:
            self._friends.clear()
            self._version = version

    def of(self, tx: NotifierUnit, person: str) -> list[str]:
        """Everybody who may know of a person."""
        return list(self._read(tx, person).values())

    def peer(self, tx: NotifierUnit, person: str, conversation: str) -> str | None:
        """The one with whom a person has that conversation, while they may write to each other."""
        return self._read(tx, person).get(conversation)

    def _read(self, tx: NotifierUnit, person: str) -> dict[str, str]:
        known = self._friends.get(person)
        if known is None:
            friends = tx.contacts.read(lambda contacts: contacts.relations.friends_of(person))
            known = self._friends[person] = {conversation_of(person, friend): friend for friend in friends}
        return known
