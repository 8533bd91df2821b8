"""Who people are, looked up in auth's database from inside another actor's transaction."""

from collections.abc import Iterable
from pathlib import Path

from protocols.values import User
from storage.accounts import DELETED_NAME
from storage.auth import AUTH
from storage.sibling import Sibling


class People:
    """Used and closed on one thread. Raises Refusal("unavailable") while auth's database cannot be read."""

    def __init__(self, databases: Path) -> None:
        self._auth = Sibling(AUTH, databases)

    def active(self, user_id: str) -> bool:
        """Whether there is such an account, neither deleted nor disabled."""
        account = self._auth.read(lambda tx: tx.accounts.get(user_id))
        return account is not None and account.active

    def named(self, ids: Iterable[str]) -> dict[str, User]:
        """The persons of all of `ids`; one that auth does not know (a restored database) looks like a deleted one."""
        wanted = list(ids)
        found = self._auth.read(lambda tx: tx.accounts.users(wanted))
        return {user_id: found.get(user_id) or User(user_id, "", DELETED_NAME, deleted=True) for user_id in wanted}

    def close(self) -> None:
        self._auth.close()
