"""Accounts: who there is, and what proves that it is they."""

import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from protocols.values import PAGE_MOST, User
from storage.journal import Journal

DELETED_NAME: Final = "Deleted account"

_COLUMNS: Final = "id, username, display_name, state, operator, created_at"


class Account(Struct, frozen=True, kw_only=True):
    """A person's account without its secret. A deleted one has lost its names. `created_at`: Unix ms."""

    id: str
    username: str
    display_name: str
    disabled: bool = False
    deleted: bool = False
    operator: bool = False
    created_at: int = 0

    @property
    def active(self) -> bool:
        return not (self.disabled or self.deleted)

    @property
    def user(self) -> User:
        """The person as others see them."""
        return User(self.id, self.username, self.display_name, self.deleted)


class Credential(Struct, frozen=True, kw_only=True):
    """What a password is checked against. `hash` is "" once the account is deleted; `command` set it."""

    account: Account
    hash: str
    command: str


def canonical(username: str) -> str:
    """The form in which usernames are compared and kept: NFKC, casefolded, without surrounding blanks."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold()).strip()


def fold(text: str) -> str:
    """The form in which names are searched."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class Accounts:
    """Rows are kept for ever: a deleted account keeps its id and, unseen, its username."""

    def __init__(self, connection: sqlite3.Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal

    def get(self, user_id: str) -> Account | None:
        row = self._connection.execute(f"SELECT {_COLUMNS} FROM account WHERE id = ?", (user_id,)).fetchone()
        return None if row is None else _account(row)

    def by_username(self, username: str) -> Account | None:
        """The account of that name in any spelling of it; a deleted one is not found."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM account WHERE username = ? AND state <> 'deleted'", (canonical(username),)
        ).fetchone()
        return None if row is None else _account(row)

    def taken(self, username: str) -> bool:
        """Whether the name is somebody's, or was."""
        return (
            self._connection.execute("SELECT 1 FROM account WHERE username = ?", (canonical(username),)).fetchone()
            is not None
        )

    def users(self, ids: Iterable[str]) -> dict[str, User]:
        """The persons of those ids, deleted ones included; unknown ids are left out."""
        found: dict[str, User] = {}
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), PAGE_MOST):
            part = wanted[start : start + PAGE_MOST]
            marks = ",".join("?" * len(part))
            for row in self._connection.execute(f"SELECT {_COLUMNS} FROM account WHERE id IN ({marks})", part):
                user = _account(row).user
                found[user.id] = user
        return found

    def search(self, text: str, limit: int) -> list[User]:
        """Active persons whose username or display name contains `text`; those it begins come first."""
        wanted = fold(text).strip()
        # LIKE ends its pattern at a zero byte, so that one alone would find everybody. No name holds any.
        if not wanted or "\0" in wanted:
            return []
        escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM account WHERE state = 'active' "
            "AND (username LIKE :any ESCAPE '\\' OR display_fold LIKE :any ESCAPE '\\') "
            "ORDER BY username <> :exact, "
            "NOT (username LIKE :start ESCAPE '\\' OR display_fold LIKE :start ESCAPE '\\'), username LIMIT :limit",
            {"any": f"%{escaped}%", "start": f"{escaped}%", "exact": wanted, "limit": limit},
        )
        return [_account(row).user for row in rows]

    def deleted_since(self, change: int, limit: int) -> list[tuple[str, int]]:
        """(id, change) of accounts that were deleted after that change number, in order."""
        rows = self._connection.execute(
            "SELECT id, change FROM account WHERE state = 'deleted' AND change > ? ORDER BY change LIMIT ?",
            (change, limit),
        )
        return [(str(row[0]), int(row[1])) for row in rows]

    def page(self, after: str, limit: int) -> list[Account]:
        """Accounts in order of username, from behind `after` on ("" for the first page); deleted ones left out."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM account WHERE state <> 'deleted' AND username > ? ORDER BY username LIMIT ?",
            (after, limit),
        )
        return [_account(row) for row in rows]

    def credential(self, username: str) -> Credential | None:
        """What a log-in under that name is checked against; None for unknown and deleted accounts."""
        return self._credential("username = ? AND state <> 'deleted'", canonical(username))

    def credential_of(self, user_id: str) -> Credential | None:
        """As `credential`, by id; a deleted account's has no hash."""
        return self._credential("id = ?", user_id)

    def add(self, account: Account, password: str, command: str) -> bool:
        """Keep a new account with its password's hash. False, and nothing kept, when the username is taken."""
        return (
            self._connection.execute(
                "INSERT INTO account (id, username, display_name, display_fold, password, password_command, state, "
                "operator, created_at, change) VALUES (?, ?, ?, ?, ?, ?, 'active', ?, ?, ?) "
                "ON CONFLICT (username) DO NOTHING",
                (
                    account.id,
                    canonical(account.username),
                    account.display_name,
                    fold(account.display_name),
                    password,
                    command,
                    account.operator,
                    account.created_at,
                    self._journal.next_change(),
                ),
            ).rowcount
            == 1
        )

    def set_password(self, user_id: str, password: str, command: str) -> None:
        self._set(user_id, "password = ?, password_command = ?", password, command)

    def rehash(self, user_id: str, old: str, new: str) -> None:
        """Replace a hash by another of the same password, unless the password was changed meanwhile."""
        self._connection.execute("UPDATE account SET password = ? WHERE id = ? AND password = ?", (new, user_id, old))

    def set_display_name(self, user_id: str, display_name: str) -> None:
        self._set(user_id, "display_name = ?, display_fold = ?", display_name, fold(display_name))

    def set_disabled(self, user_id: str, disabled: bool) -> None:
        self._set(user_id, "state = ?", "disabled" if disabled else "active")

    def set_operator(self, user_id: str, on: bool) -> None:
        self._set(user_id, "operator = ?", int(on))

    def delete(self, user_id: str) -> None:
        """Forget the person: names, password, rights. The row stays, so that what they wrote keeps an author."""
        self._set(
            user_id,
            "state = 'deleted', display_name = '', display_fold = '', password = '', password_command = '', "
            "operator = 0",
        )

    def _set(self, user_id: str, assignments: str, *values: object) -> None:
        self._connection.execute(
            f"UPDATE account SET {assignments}, change = ? WHERE id = ? AND state <> 'deleted'",
            (*values, self._journal.next_change(), user_id),
        )

    def _credential(self, condition: str, value: str) -> Credential | None:
        row: Sequence[object] | None = self._connection.execute(
            f"SELECT password, password_command, {_COLUMNS} FROM account WHERE {condition}", (value,)
        ).fetchone()
        if row is None:
            return None
        return Credential(hash=str(row[0]), command=str(row[1]), account=_account(row[2:]))


def _account(row: Sequence[object]) -> Account:
    user_id, username, display_name, state, operator, created_at = row
    deleted = state == "deleted"
    return Account(
        id=str(user_id),
        username="" if deleted else str(username),
        display_name=DELETED_NAME if deleted else str(display_name),
        disabled=state == "disabled",
        deleted=deleted,
        operator=bool(operator),
        created_at=int(str(created_at)),
    )
