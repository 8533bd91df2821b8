"""Invented people: accounts in an auth database, without passwords that anybody could use."""

from collections.abc import Iterable
from pathlib import Path

from storage import Database
from storage.auth import AUTH, Account, AuthUnit

ANN, BOB, CAT, DAN = "ann", "bob", "cat", "dan"


def add_people(tx: AuthUnit, ids: Iterable[str]) -> None:
    """Accounts whose username is their id, and whose display name is it with a capital."""
    for user_id in ids:
        account = Account(id=user_id, username=user_id, display_name=user_id.capitalize())
        assert tx.accounts.add(account, "no hash at all", "")


async def make_people(databases: Path, *ids: str) -> None:
    """An auth database in `databases` with these people, closed again: others read it."""
    auth = await Database.open(AUTH, databases)
    try:
        await auth.run(lambda tx: add_people(tx, ids))
    finally:
        await auth.close()
