"""An actor's signs of life: to its supervisor by the sd_notify protocol, to the fronts by beats."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping


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
                self._socket.sendto("\n".join(lines).encode(), self._address)

    def close(self) -> None:
        self._socket.close()


class Vitals:
    """State of one actor. `alive` is called by its work loop at least every `interval` seconds."""

    def __init__(self, notifier: Notifier, beat: float) -> None:
        self._notifier = notifier
        self._beat = beat
        self.interval = min(beat, notifier.watchdog / 3) if notifier.watchdog else beat
        self.state = "running"
        self.note = ""
        self._handled = 0
        self._changed = asyncio.Event()

    def ready(self) -> None:
        self._notifier.send("READY=1", "STATUS=running")

    def waiting(self, reason: str) -> None:
        self._notifier.send(f"STATUS={reason}")

    def alive(self) -> None:
        self._notifier.send("WATCHDOG=1")

    def stopping(self) -> None:
        self._turn("stopping", "")
        self._notifier.send("STOPPING=1", "STATUS=stopping")

    def degraded(self, note: str) -> None:
        self._turn("degraded", note)

    def well(self) -> None:
        if self.state == "degraded":
            self._turn("running", "")

    def handled(self, commands: int) -> None:
        self._handled += commands

    async def beats(
        self, depth: Callable[[], Awaitable[int]], beat: Callable[[str, str, int], Awaitable[None]]
    ) -> None:
        """Beat every so many seconds and on change, until cancelled. `depth` and `beat` see to their own errors."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            waiting = await depth()
            now = loop.time()
            rate = self._handled / max(now - since, 0.001)
            self._handled, since = 0, now
            status = f"{self.state}: {self.note}" if self.note else self.state
            self._notifier.send(f"STATUS={status}", f"X_DEPTH={waiting}", f"X_RATE={rate:.1f}")
            await beat(self.state, self.note, waiting)
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat):
                    await self._changed.wait()

    def _turn(self, state: str, note: str) -> None:
        if (state, note) != (self.state, self.note):
            self.state, self.note = state, note
            self._changed.set()
