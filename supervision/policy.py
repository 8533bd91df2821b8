"""Whether and when a child that ended starts again: a pure function of its history and a monotonic clock.

Each child has a window of its own, so that one that keeps failing never condemns a healthy sibling. OTP would end
the whole tree when the window is full; here the child is marked failing and tried at the longest pause.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from settings import EXIT_CONFIGURATION
from supervision.spec import RestartType


class Limits(Struct, frozen=True, kw_only=True):
    """How often and how fast children restart. Times are in seconds; a child that ran for `window` is stable."""

    burst: int
    window: float
    base: float
    cap: float

    def __post_init__(self) -> None:
        # A backoff that spreads `burst` restarts over more than the window would disarm the limit: never failing.
        if self.longest_burst() >= self.window:
            raise ValueError(
                f"{self.burst} restarts may take {self.longest_burst():.1f} s of backoff, which must be less than "
                f"the window of {self.window:.1f} s; make window longer, or burst or backoff_base smaller"
            )

    def pause(self, attempt: int) -> float:
        """The longest wait before restart number `attempt` (from 0) in a row."""
        # The exponent is bounded, because 2.0 ** 1024 overflows.
        return 0.0 if attempt == 0 else min(self.cap, self.base * 2.0 ** min(attempt - 1, 64))

    def longest_burst(self) -> float:
        """The most that the backoffs of the first `burst` restarts can add up to."""
        total = 0.0
        for attempt in range(self.burst + 1):
            total += self.pause(attempt)
            if total >= self.window:
                break
        return total


class History(Struct, frozen=True):
    """What the decision needs to know of a child's past. `restarts`: when, the oldest first, within the window.

    `failing` stays until a stable while: at the cap, the window empties faster than it fills, and a child that was
    judged by it alone would get a fresh burst every other minute.
    """

    restarts: tuple[float, ...] = ()
    attempt: int = 0
    failing: bool = False


class Restart(Struct, frozen=True):
    """Start the child at `at`, a time of the monotonic clock."""

    at: float
    state: Literal["backoff", "failing"]
    history: History


class Rest(Struct, frozen=True):
    """Leave the child down until somebody starts it."""

    state: Literal["stopped", "failing"]


Decision = Restart | Rest


def after_exit(
    history: History,
    limits: Limits,
    kind: RestartType,
    *,
    code: int | None,
    ran_since: float | None,
    now: float,
    random: Callable[[], float],
) -> Decision:
    """Decide about a child that ended without having been told to.

    `code` is its exit code, None when a signal ended it; `ran_since` is when it became ready, None when it never did;
    `random` yields numbers from 0 to 1.
    """
    if code == EXIT_CONFIGURATION:
        return Rest("failing")
    if kind == "temporary" or (kind == "transient" and code == 0):
        return Rest("stopped")
    if ran_since is not None and now - ran_since >= limits.window:
        history = History()
    pause = limits.pause(history.attempt) * random()
    recent = tuple(at for at in history.restarts if at > now - limits.window)
    failing = history.failing or len(recent) >= limits.burst
    at = now + (limits.cap if failing else pause)
    # The newest `burst` decide; without a bound a child that fails for years would grow its history.
    after = History(restarts=(*recent, at)[-limits.burst :], attempt=history.attempt + 1, failing=failing)
    return Restart(at=at, state="failing" if failing else "backoff", history=after)
