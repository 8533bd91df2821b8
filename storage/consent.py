"""Consent: whether two people may write to each other, as the owners of contacts and accounts have it at this moment.

Read inside the transaction that stores the message, not before it: a message that waited for an hour is judged by
what holds when it is stored.
"""

from pathlib import Path

from storage.auth import AUTH, AuthUnit
from storage.contacts import CONTACTS, ContactsUnit
from storage.sibling import Sibling, Version

PAIRS = 20_000
"""How many answers are kept, some 200 bytes each; at the bound all are forgotten and read again."""


class Consent:
    """`check` once a transaction, then ask. An unchanged pair of databases costs one pragma each a transaction."""

    def __init__(self, databases: Path) -> None:
        self._contacts: Sibling[ContactsUnit] = Sibling(CONTACTS, databases)
        self._accounts: Sibling[AuthUnit] = Sibling(AUTH, databases)
        self._versions: tuple[Version, Version] | None = None
        self._known: dict[tuple[str, str], bool] = {}

    def check(self) -> None:
        """Forget what may be out of date. Raises Refusal("unavailable") when a database cannot be read now."""
        versions = (self._contacts.version(), self._accounts.version())
        if versions != self._versions or len(self._known) >= PAIRS:
            self._known.clear()
            self._versions = versions

    def between(self, one: str, other: str) -> bool:
        """Both are contacts, neither blocks the other, and both accounts are in use.

        Somebody who does not exist is no contact of anybody. Raises Refusal("unavailable").
        """
        known = self._known.get((one, other))
        if known is None:
            known = self._contacts.read(lambda tx: tx.relations.consent(one, other)) and self._accounts.read(
                lambda tx: all(_in_use(tx, person) for person in (one, other))
            )
            self._known[one, other] = known
        return known

    def close(self) -> None:
        self._contacts.close()
        self._accounts.close()


def _in_use(tx: AuthUnit, person: str) -> bool:
    account = tx.accounts.get(person)
    return account is not None and not (account.disabled or account.deleted)
