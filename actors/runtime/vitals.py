"""An actor's signs of life: to its supervisor by the sd_notify protocol, to the fronts by beats."""

import asyncio
import contextlib
import math
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

SIGN_APART: Final = 1 / 8
"""Of `interval`: a busy loop comes by a thousand times a second, and each sign wakes the supervisor."""


class Notifier:
    """Speaks sd_notify to whoever started us (our supervisor or systemd), or to nobody when alone."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        usec = environ.get("WATCHDOG_USEC", "")
        for_us = environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        self.watchdog = int(usec) / 1_000_000 if usec.isdigit() and for_us else 0.0

    def send(self, *lines: str) -> None:
        if self._address:
            # A full socket or a supervisor that is gone must not stop the work.
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), self._address)

    def close(self) -> None:
        self._socket.close()


class Vitals:
    """State of one actor. `alive` is called by its work loop at least every `interval` seconds.

    `beat` is in seconds; with a watchdog that is impatient, `interval` is shorter. `monotonic` gives seconds.
    """

    def __init__(self, notifier: Notifier, beat: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._notifier = notifier
        self._monotonic = monotonic
        self._next_sign = -math.inf
        self.interval = min(beat, notifier.watchdog / 3) if notifier.watchdog else beat
        self.state = "running"
        self.note = ""
        self._handled = 0
        self._signs = 0
        self._changed = asyncio.Event()

    def ready(self) -> None:
        self._notifier.send("READY=1", "STATUS=running")

    def waiting(self, reason: str) -> None:
        self._notifier.send(f"STATUS={reason}")

    def alive(self) -> None:
        # Counted, so that a sign which somebody repeats for us is not taken for work that goes on.
        self._signs += 1
        now = self._monotonic()
        if now < self._next_sign:
            return
        self._next_sign = now + self.interval * SIGN_APART
        self._notifier.send("WATCHDOG=1", f"X_PROGRESS={self._signs}")

    @contextlib.contextmanager
    def patience(self) -> Iterator[None]:
        """Signs of life while a process waits for its database or the broker, or to try again: no restart mends that.

        Not for work of its own: a handler that hangs is to be noticed.
        """
        loop = asyncio.get_running_loop()

        def again() -> None:
            self.alive()
            timers[0] = loop.call_later(self.interval, again)

        timers = [loop.call_later(self.interval, again)]
        try:
            yield
        finally:
            timers[0].cancel()

    def stopping(self) -> None:
        self._turn("stopping", "")
        self._notifier.send("STOPPING=1", "STATUS=stopping")

    def degraded(self, note: str) -> None:
        self._turn("degraded", note)

    def well(self) -> None:
        if self.state == "degraded":
            self._turn("running", "")

    def beat_soon(self) -> None:
        """Beat now: somebody can hear it again who took our silence for an end."""
        self._changed.set()

    def handled(self, commands: int) -> None:
        self._handled += commands

    async def beats(
        self, depth: Callable[[], Awaitable[int]], beat: Callable[[str, str, int], Awaitable[None]]
    ) -> None:
        """Beat every `interval` and on change, until cancelled. `depth` and `beat` see to their own errors."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            # Before the state is read: a change from here on makes the next beat come at once.
            self._changed.clear()
            waiting = await depth()
            now = loop.time()
            rate = self._handled / max(now - since, 0.001)
            self._handled, since = 0, now
            status = f"{self.state}: {self.note}" if self.note else self.state
            self._notifier.send(f"STATUS={status}", f"X_DEPTH={waiting}", f"X_RATE={rate:.1f}")
            await beat(self.state, self.note, waiting)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.interval):
                    await self._changed.wait()

    def _turn(self, state: str, note: str) -> None:
        if (state, note) != (self.state, self.note):
            self.state, self.note = state, note
            self._changed.set()
