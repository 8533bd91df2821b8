"""Who keeps to themselves what they read: asked for each receipt, so it is known here and looked up once a second."""

import contextlib
from collections.abc import Callable, Collection

from protocols.errors import Refusal
from protocols.notifier import Preferences
from storage import Reader
from storage.notifier import NotifierUnit


class Privacy:
    """What notifier's database says of those who have a socket here, a second late at most.

    While it cannot be read, what was known of somebody holds, and who comes then hides: a receipt that was shown cannot
    be taken back, one that was not is made up for by the next. Where there is none yet nobody has wished for anything.
    """

    def __init__(self, notifier: Reader[NotifierUnit]) -> None:
        self._notifier = notifier
        self._hides: dict[str, bool] = {}
        self._unit: NotifierUnit | None = None
        self._version = -1
        self._blind = False

    def hides(self, user: str) -> bool:
        """Whether what somebody reads is not for the other to know."""
        return self._hides.get(user, self._blind)

    def note(self, user: str, preferences: Preferences) -> None:
        """Somebody has changed theirs by this front."""
        self._hides[user] = not preferences.read_receipts

    async def enter(self, user: str) -> None:
        """Somebody comes, of whom nothing may be known yet."""
        if user not in self._hides:
            with contextlib.suppress(Refusal):
                self._hides |= await self._asked(lambda tx: _read(tx, [user]))

    async def look(self, users: Collection[str]) -> None:
        """Learn what has changed by other fronts, and forget everybody but `users`. Raises Refusal("unavailable")."""
        known = frozenset(self._hides)

        def changed(tx: NotifierUnit) -> dict[str, bool]:
            version = int(tx.connection.execute("PRAGMA data_version").fetchone()[0])
            # The number is one connection's own: a new one starts over.
            same = tx is self._unit and version == self._version
            self._unit, self._version = tx, version
            return _read(tx, [user for user in users if not same or user not in known])

        found = await self._asked(changed)
        # Who came while this was read stays as well.
        self._hides = {user: hides for user, hides in self._hides.items() if user in users or user not in known} | found

    async def _asked(self, work: Callable[[NotifierUnit], dict[str, bool]]) -> dict[str, bool]:
        try:
            found = await self._notifier.read(work)
        except Refusal:
            self._blind = not self._notifier.missing
            raise
        self._blind = False
        return found


def _read(tx: NotifierUnit, users: Collection[str]) -> dict[str, bool]:
    hiding = tx.wishes.hiding(users) if users else frozenset()
    return {user: user in hiding for user in users}
