"""Which unanswered send stands before which, on one socket. Pure.

Mail that the broker had confirmed is lost when its queue is deleted. What was told after it and arrives must not be
stored first, so each send names the one that it must not overtake.
"""

from collections import OrderedDict
from typing import Final

ANSWERED_MOST: Final = 1_024
"""So many names of answered sends are kept: copies of one come as long as it was on its way when it was told again."""


class Chain:
    """The sends of a socket that have no answer yet, in the order of their first coming."""

    def __init__(self) -> None:
        self._before: OrderedDict[str, str] = OrderedDict()
        self._answered: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._before)

    def after(self, name: str) -> str:
        """Take a send in, or one that is repeated, by its client_id; returns the one before it, "" for none."""
        if name in self._answered:
            # A copy, answered at once: whoever comes behind it waits for those before it all the same.
            return ""
        known = self._before.get(name)
        if known is None:
            known = self._before[name] = next(reversed(self._before), "")
        return known

    def answered(self, name: str) -> None:
        """It has its outcome, and was not given one before those that stand before it."""
        if name not in self._before:
            return
        earlier = ""
        while earlier != name:
            earlier, _ = self._before.popitem(last=False)
            self._answered[earlier] = None
        while len(self._answered) > ANSWERED_MOST:
            self._answered.popitem(last=False)
