"""The window that all children share, as OTP's intensity and period: it tells when the installation as a whole is ill.

Each child's own window decides about its restarts (supervision/policy.py). This one catches what none of those can
see: many children that each crash seldom enough, because a disk is full or memory is short. OTP would end the whole
tree here; there is nobody above us who could do better with it, so we say it and carry on.
"""

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct


class Intensity(Struct, frozen=True, kw_only=True):
    """Pure. More than `burst` restarts in `window` seconds are too many.

    `restarts` holds the newest `burst` + 1, as (time of the monotonic clock, child), the oldest first: enough to
    decide, and no more, however long it goes on.
    """

    burst: int
    window: float
    restarts: tuple[tuple[float, str], ...] = ()

    def after(self, name: str, now: float) -> "Intensity":
        """With one more restart."""
        kept = (*self.restarts, (now, name))[-self.burst - 1 :]
        return Intensity(burst=self.burst, window=self.window, restarts=kept)

    def until(self, now: float) -> float | None:
        """When it will be over if nothing restarts any more; None when it is not too much now."""
        if len(self.restarts) <= self.burst or self.restarts[0][0] <= now - self.window:
            return None
        return self.restarts[0][0] + self.window

    def sentence(self, now: float) -> str | None:
        """What is wrong, for people; None when nothing is."""
        if self.until(now) is None:
            return None
        names = ", ".join(dict.fromkeys(name for _, name in reversed(self.restarts)))
        return f"more than {self.burst} restarts in {self.window:g} s ({names})"


class Alarm:
    """Keeps count, and tells when it becomes too much and when it is over. Belongs to the event loop's thread.

    `told` gets the sentence, or None when it is over.
    """

    def __init__(self, burst: int, window: float, journal: logging.Logger, told: Callable[[str | None], None]) -> None:
        self._intensity = Intensity(burst=burst, window=window)
        self._journal = journal
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._ringing = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def text(self) -> str | None:
        """What is wrong now; None when nothing is."""
        return self._intensity.sentence(self._loop.time())

    def restarted(self, name: str) -> None:
        """A child was started again after it had ended by itself."""
        self._intensity = self._intensity.after(name, self._loop.time())
        self._judge()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _judge(self) -> None:
        self.close()
        text = self.text
        over = self._intensity.until(self._loop.time())
        if over is not None:
            self._timer = self._loop.call_at(over, self._judge)
        if (text is not None) == self._ringing:
            return
        self._ringing = text is not None
        if text is not None:
            self._journal.error("supervisor: %s; `parley logs` may say what they have in common", text)
        else:
            self._journal.info("supervisor: restarts are rare again")
        self._told(text)
