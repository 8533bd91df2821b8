"""How often something may be tried within a while. Pure: time is handed in.

What was tried is kept in memory, because a wrong password is refused before any transaction begins; a timer writes
it down, so that a restart hands out no fresh tries.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from protocols.errors import Refusal
from storage.tallies import Tally

SUBJECTS: Final = 100_000
"""Most subjects remembered; at the bound the one that was quiet longest is forgotten."""


class Rule(Struct, frozen=True):
    """At most `most` tries of this `kind` a subject in `window` milliseconds; 0 for no limit."""

    kind: str
    most: int
    window: int
    kept: bool = True


class Guess:
    """A try under way; who made it says whether it was right."""

    right = False


class Throttle:
    """Used by the event loop (tries) and by the database's thread (writing down), hence the lock."""

    def __init__(self) -> None:
        self._times: OrderedDict[tuple[str, str], list[int]] = OrderedDict()
        self._under_way: dict[tuple[str, str], int] = {}
        self._dirty: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()

    def take(self, rule: Rule, subject: str, now: int) -> None:
        """Count a try at `now` (Unix ms). Raises Refusal("rate_limited") when there were too many."""
        if not rule.most:
            return
        with self._lock:
            self._admit(rule, subject, now)
            self._note(rule, subject, now)

    @contextmanager
    def guessing(self, rule: Rule, subject: str, now: int) -> Iterator[Guess]:
        """Count a try only if it fails; a right one wipes out the wrong ones. What raises counts as not tried.

        Tries under way count while they last, or many at once would all slip through. Raises
        Refusal("rate_limited") when there were too many.
        """
        guess = Guess()
        if not rule.most:
            yield guess
            return
        key = (rule.kind, subject)
        with self._lock:
            self._admit(rule, subject, now)
            self._under_way[key] = self._under_way.get(key, 0) + 1
        try:
            yield guess
            with self._lock:
                if not guess.right:
                    self._note(rule, subject, now)
                elif self._times.pop(key, None):
                    self._dirty[key] = None
        finally:
            with self._lock:
                self._under_way[key] -= 1
                if not self._under_way[key]:
                    del self._under_way[key]

    def restore(self, tallies: Iterable[Tally]) -> None:
        """Remember what an earlier run wrote down."""
        with self._lock:
            for tally in tallies:
                self._times[tally.kind, tally.subject] = sorted(tally.times)

    def drain(self) -> list[Tally]:
        """What changed since the last call. A write that then fails is made up for at the subject's next try."""
        with self._lock:
            changed = [Tally(*key, tuple(self._times.get(key, ()))) for key in self._dirty]
            self._dirty.clear()
        return changed

    def _admit(self, rule: Rule, subject: str, now: int) -> None:
        key = (rule.kind, subject)
        times = [at for at in self._times.get(key, ()) if at > now - rule.window]
        if len(times) >= rule.most:
            raise Refusal("rate_limited", retry_after=max(1.0, (times[-rule.most] + rule.window - now) / 1000))
        if len(times) + self._under_way.get(key, 0) >= rule.most:
            raise Refusal("rate_limited", retry_after=1.0)
        if key in self._times:
            self._times[key] = times

    def _note(self, rule: Rule, subject: str, now: int) -> None:
        key = (rule.kind, subject)
        self._times.setdefault(key, []).append(now)
        self._times.move_to_end(key)
        if rule.kept:
            self._dirty[key] = None
        while len(self._times) > SUBJECTS:
            self._times.popitem(last=False)
