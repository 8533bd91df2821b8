"""Where a demonstration happens: an installation, its people, the nemesis, and the wall on which it is all shown."""

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections import Counter, deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TextIO

from msgspec import Struct

from drill.executor import Executor
from drill.installation import DrillError, Installation
from drill.scene import Scene
from drill.tally import Counts
from drill.view import Picture, Terminal, may_colour, may_redraw, say, summary
from drill.watch import Row, Watch

REDRAWN_EVERY = 0.25
TOLD_EVERY = 5.0
TICKER = 100
SETTINGS = {
    # People of a drill type faster than people, above all when an outage is over.
    "PARLEY_LIMITS__MESSAGES_PER_SECOND": "0",
    "PARLEY_LIMITS__REQUESTS_PER_HOUR": "0",
    "PARLEY_LIMITS__LOGINS_PER_MINUTE": "0",
}


class InterruptedShowError(Exception):
    """Somebody pressed Ctrl-C: what was typed so far is to be accounted for."""


class Cast(Struct, frozen=True):
    """Who takes part: so many pairs, who type so many messages a second in all. The seed decides what and when."""

    pairs: int
    rate: float
    seed: int


class Stage:
    """`pace` stretches the times in which people are to read; `require` collects what was promised and not kept."""

    def __init__(self, title: str, cast: Cast, folder: Path, stream: TextIO, *, stop: asyncio.Event) -> None:
        self.cast = cast
        self.stop = stop
        self.pace = 1.0
        self.planned = 0.0
        self.began = time.monotonic()
        self.broken: list[str] = []
        self.installation = Installation(folder, {**SETTINGS, "PARLEY_CONFIG": str(_no_configuration(folder))})
        self.watch = Watch(self.installation, self._changed)
        self.executor = Executor(self.installation, self.watch, time.monotonic, self.note)
        self.scene = Scene(self.installation.base, pairs=cast.pairs, rate=cast.rate, seed=cast.seed)
        self._title = title
        self._stream = stream
        self._terminal: Terminal | None = None
        if may_redraw(stream, os.environ):
            self._terminal = Terminal(stream, colour=may_colour(os.environ))
        self._ticker: deque[tuple[float, str]] = deque(maxlen=TICKER)
        self._words = ""
        self._lit = False
        self._tasks: list[asyncio.Task[Any]] = []
        self._exits = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Return when everybody is connected. Raises DrillError, or InterruptedShowError."""
        if self._terminal is not None:
            self._terminal.open()
        self._tasks = [asyncio.create_task(self.watch.run()), asyncio.create_task(self._draw())]
        try:
            self.explain("Starting an installation of its own: a supervisor, a broker, every actor.")
            self._exits.push_async_callback(self.installation.stop)
            await self.unless_stopped(self.installation.start())
            self.explain(f"{len(self.scene.people)} people sign up and find each other.")
            await self.unless_stopped(self._exits.enter_async_context(self.scene))
        except BaseException:
            await self.__aexit__()
            raise
        self._ticker.clear()
        self.began = time.monotonic()
        self._lit = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.explain("Stopping and clearing away.")
        await self.executor.close()
        try:
            await self._exits.aclose()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._terminal is not None:
                self._terminal.close()
            shutil.rmtree(self.installation.paths.run, ignore_errors=True)

    @property
    def elapsed(self) -> float:
        """Seconds since people began to type."""
        return time.monotonic() - self.began

    # For those who write demonstrations.

    def explain(self, words: str) -> None:
        """Say what is going on; it stays until the next words."""
        self._words = words
        if self._terminal is None:
            for line in words.splitlines():
                self._say(line)

    def note(self, text: str) -> None:
        """One line of what just happened."""
        self._ticker.append((self.elapsed, text))
        if self._terminal is None:
            self._say(f"  - {text}")

    def require(self, kept: bool, sentence: str) -> None:
        """A promise of the demonstration itself; the sentence says how it was broken."""
        if not kept:
            self.broken.append(sentence)
            self.note(f"BROKEN: {sentence}")

    async def hold(self, seconds: float) -> None:
        """Let people read, or the chat go on. Raises InterruptedShowError."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * self.pace):
                await self.stop.wait()
        if self.stop.is_set():
            raise InterruptedShowError

    async def unless_stopped(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The work's result. Raises InterruptedShowError, after cancelling it, when somebody says stop first."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise InterruptedShowError
            return await working
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    def one_of(self, actor: str) -> str:
        """The copy of an actor that has most descriptors open, so most sockets: what is done to it is felt by most."""
        copies = [name for name in self.watch.names if name.partition(".")[0] == actor]
        if not copies:
            raise DrillError(f"this installation has no {actor}")
        return max(copies, key=lambda name: _descriptors(self.watch.rows[name]["pid"]))

    # What is on the wall.

    def picture(self) -> Picture:
        kills = Counter(blow.name for blow in self.executor.blows if blow.verb in {"kill", "freeze"})
        return Picture(
            title=f"Parley · {self._title} · seed {self.cast.seed}",
            elapsed=self.elapsed,
            planned=self.planned if self._lit else 0.0,
            rows=list(self.watch.rows.values()),
            counts=self.scene.counts() if self._lit else Counts(),
            people=len(self.scene.people),
            connected=self.scene.connected,
            reconnects=self.scene.reconnects,
            kills=kills,
            recovery={blow.name: blow.ready for blow in self.executor.blows if blow.ready is not None},
            ticker=list(self._ticker),
            words=self._words,
        )

    async def _draw(self) -> None:
        while True:
            if self._terminal is not None:
                size = shutil.get_terminal_size()
                # A terminal that was stopped with Ctrl-S blocks its writers; the people must chat on.
                await asyncio.to_thread(self._terminal.show, self.picture(), size.columns, size.lines)
            elif self._lit:
                self._say(summary(self.picture()))
            await asyncio.sleep(TOLD_EVERY if self._terminal is None else REDRAWN_EVERY)

    def _say(self, text: str) -> None:
        try:
            say(self.elapsed, text, self._stream)
        except OSError:
            # `parley demo | head` has read enough. Whoever is in the middle of something must not be torn out of it.
            self.stop.set()

    def _changed(self, name: str, was: str, row: Row) -> None:
        if not self._lit and row["state"] == "running":
            self.note(f"{name} is running")
        elif self._lit and row["state"] in {"backoff", "failing"} and was != row["state"]:
            self.note(f"{name} ended ({row['last_exit']}) and is {row['state']}")

    def broker_version(self) -> str:
        """What the node said of itself when it started; empty where it is not known."""
        try:
            text = (self.installation.paths.logs / "broker.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        found = re.search(r"RabbitMQ (\d+\.\d+\.\d+)", text)
        return found[1] if found else ""


def _descriptors(pid: int | None) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0  # it has just ended


def _no_configuration(folder: Path) -> Path:
    """An empty file: a demonstration takes nothing from this installation's config.toml, above all not its broker."""
    folder.mkdir(parents=True, exist_ok=True)
    empty = folder / "config.toml"
    empty.touch()
    return empty
