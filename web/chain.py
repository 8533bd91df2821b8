"""Which unanswered send stands before which, on one socket. Pure.

Mail that the broker had confirmed is lost when its queue is deleted. What was told after it and arrives must not be
stored first, so each send names the one that it must not overtake.
"""

from collections import OrderedDict


class Chain:
    """The sends of a socket that have no answer yet, in the order of their first coming."""

    def __init__(self) -> None:
        self._before: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._before)

    def after(self, name: str) -> str:
        """Take a send in, or one that is repeated, by its client_id; returns the one before it, "" for none."""
        known = self._before.get(name)
        if known is None:
            known = self._before[name] = next(reversed(self._before), "")
        return known

    def answered(self, name: str) -> None:
        """It has its outcome, and was not given one before those that stand before it."""
        if name in self._before:
            while self._before.popitem(last=False)[0] != name:
                pass
