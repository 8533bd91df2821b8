"""One child through all its lives: the shell round the policy. It spawns, listens, times and signals; never waits."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from settings import EXIT_CONFIGURATION, SettingsError
from supervision import proc
from supervision.logs import OutputPipe, RotatingFile
from supervision.notify import Inbox, Message
from supervision.policy import History, Limits, Restart, after_exit
from supervision.spawn import spawn
from supervision.spec import ChildSpec

State = Literal["starting", "running", "stopping", "stopped", "backoff", "failing"]

ABORT_GRACE = 2.0
"""Seconds a hung child has to write its stacks into the log before it is killed."""


def _nobody(_name: str) -> None:
    """Nobody wants to hear of restarts."""


@dataclass(frozen=True)
class Around:
    """What all children of one supervisor share.

    `random` yields numbers from 0 to 1; `restarted` is told the name of each child that is started again by itself.
    """

    limits: Limits
    run: Path
    logs: Path
    log_limit: int
    log_keep: int
    journal: logging.Logger
    random: Callable[[], float]
    listener: int | None = None
    restarted: Callable[[str], None] = _nobody


class Child:
    """A supervised process. All methods belong to the event loop's thread, which must be the main one."""

    def __init__(self, spec: ChildSpec, around: Around, renew: Callable[[], ChildSpec] | None = None) -> None:
        """`renew` yields the spec afresh before each start.

        It may raise SettingsError, which counts as exit 78, and OSError, which counts as any other end.
        """
        self.spec = spec
        self.state: State = "stopped"
        self.pid: int | None = None
        self.restarts = 0
        self.last_exit: str | None = None
        self.status: str | None = None
        self.depth: int | None = None
        self.rate: float | None = None
        self._progress: int | None = None
        self.started: float | None = None
        self.ready_since: float | None = None
        self._around = around
        self._renew = renew
        self._wanted = False
        self._hung = ""
        self._last_sign = 0.0
        self._history = History()
        # One timer is enough: a child waits for its restart, or its silence is measured, or its end is.
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(around.run / f"notify-{spec.name}")
        log = RotatingFile(around.logs / f"{spec.name}.log", around.log_limit, around.log_keep)
        self._output = OutputPipe(log)
        self._loop.add_reader(self._output.reading, self._output.pump)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def uptime(self) -> float | None:
        """Seconds since the process was started; None while there is none."""
        return None if self.started is None else self._loop.time() - self.started

    def start(self) -> None:
        """Start now, with a clean past; nothing happens to a child that is up already."""
        self._wanted = True
        if self.pid is None:
            self._history = History()
            self._spawn()
        elif self.state == "failing":
            # It is being tried just now. Whoever starts it has mended something, and waits for this try.
            self._history = History()
            self._become("starting")

    async def stop(self, within: float) -> bool:
        """Ask it to end, and end it after `within` seconds. True when it went by itself. A stop is no failure."""
        self._wanted = False
        self._disarm()
        if self.pid is None:
            self._become("stopped")
            return True
        self._become("stopping")
        # A process that was stopped by a signal gets SIGTERM only when it goes on.
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        if await self.until(lambda: self.pid is None, within):
            return True
        self._around.journal.warning("%s: did not stop within %.0f s and is killed", self.name, within)
        self.kill()
        await self.until(lambda: self.pid is None, 5.0)
        return False

    def kill(self) -> None:
        """SIGKILL to the child and all that it started. Without a stop before it, that is a failure like any other."""
        if self.pid is not None:
            self._signal(signal.SIGKILL)
            proc.end_session(self.pid)

    def end(self) -> None:
        """SIGKILL, and it stays down: also when nobody has asked it to stop yet, who would find it started anew."""
        self._wanted = False
        self._disarm()
        if self.pid is not None:
            self._become("stopping")
        self.kill()

    async def until(self, predicate: Callable[[], bool], within: float) -> bool:
        """Whether the predicate became true in time; it is asked after every change of this child."""
        try:
            async with asyncio.timeout(max(within, 0)):
                while not predicate():
                    await self._changed.wait()
        except TimeoutError:
            return predicate()
        return True

    async def settle(self, within: float) -> bool:
        """Wait until more waiting promises nothing: it is ready, stopped, or failing. Whether that came in time."""
        return await self.until(lambda: self.state in {"running", "stopped", "failing"}, within)

    def exited(self, status: int) -> None:
        """Take note of the process's end; `status` is its exit code, or minus the number of the signal."""
        self._hear()
        how = f"exit {status}" if status >= 0 else _signal_name(-status)
        self._ended(f"{self._hung}{how}", status if status >= 0 else None)

    def close(self) -> None:
        """Let go of descriptors and files; the process must have ended."""
        self._disarm()
        self._deafen()
        self._loop.remove_reader(self._output.reading)
        self._output.close()

    def _spawn(self) -> None:
        self._disarm()
        self._hung = ""
        try:
            if self._renew is not None:
                self.spec = self._renew()
            notify = self._listen() if self.spec.notify else None
            self.pid = spawn(self.spec, output=self._output.writing, listener=self._around.listener, notify=notify)
        except SettingsError as error:
            self._ended(f"could not start: {error}", EXIT_CONFIGURATION)
            return
        except OSError as error:
            self._ended(f"could not start: {error.strerror or error}", None)
            return
        self.started = self._last_sign = self._loop.time()
        # A failing child stays marked until it is ready, so that each futile try does not look like a recovery.
        self._become("failing" if self._history.failing else "starting")
        self._around.journal.debug("%s: started as process %d", self.name, self.pid)
        if not self.spec.notify:
            self._ready()
        self._watch()

    def _listen(self) -> str:
        self._deafen()
        self._loop.add_reader(self._inbox.renew(), self._hear)
        return str(self._inbox.path)

    def _deafen(self) -> None:
        if self._inbox.descriptor is not None:
            self._loop.remove_reader(self._inbox.descriptor)
        self._inbox.close()

    def _hear(self) -> None:
        for message in self._inbox.receive():
            self._take(message)

    def _take(self, message: Message) -> None:
        if message.status is not None:
            self.status = message.status
        if message.depth is not None:
            self.depth = message.depth
        if message.rate is not None:
            self.rate = message.rate
        # While it starts, each word is a sign of life: a migration, or the wait for a predecessor's lock, may be long.
        alive = message.alive and (message.progress is None or message.progress != self._progress)
        self._progress = message.progress if message.alive else self._progress
        if alive or message.ready or self.ready_since is None:
            self._last_sign = self._loop.time()
        if message.ready and self.ready_since is None and self.pid is not None and self.state != "stopping":
            self._ready()
        if message.stopping and self._wanted and self.state != "stopping":
            # Somebody else told it to stop. Draining is not hanging, but it must end some time.
            self._become("stopping")
            self._arm(self.spec.stop_timeout, self.kill)

    def _ready(self) -> None:
        assert self.started is not None, "only what was started gets ready"  # noqa: S101  (for the type checker)
        self.ready_since = self._loop.time()
        self._become("running")
        self._around.journal.info("%s: ready after %.1f s", self.name, self.ready_since - self.started)
        self._watch()

    def _watch(self) -> None:
        """Measure the child's silence, if there is a limit to it."""
        allowed = self.spec.start_timeout if self.ready_since is None else self.spec.watchdog
        self._disarm()
        if allowed:
            self._arm(max(self._last_sign + allowed - self._loop.time(), 0.0), self._judge_silence)

    def _judge_silence(self) -> None:
        # When the supervisor itself was held up, signs of life may lie unread behind this timer.
        self._hear()
        allowed = self.spec.start_timeout if self.ready_since is None else self.spec.watchdog
        if self.pid is None or self.state == "stopping":
            return
        if self._loop.time() - self._last_sign < allowed:
            self._watch()
            return
        self._hung = f"no sign of life for {allowed:g} s, "
        self._around.journal.error("%s: no sign of life for %g s; it is replaced", self.name, allowed)
        # Python's faulthandler answers SIGABRT with every thread's stack, into the child's log.
        self._signal(signal.SIGABRT)
        # A process that was stopped by a signal takes SIGABRT only when it goes on.
        self._signal(signal.SIGCONT)
        self._arm(ABORT_GRACE, self.kill)

    def _ended(self, reason: str, code: int | None) -> None:
        """The process is gone, or never came to be."""
        now = self._loop.time()
        self._disarm()
        self._deafen()
        ready_since, self.ready_since = self.ready_since, None
        self.pid = self.started = self.depth = self.rate = self.status = self._progress = None
        self.last_exit = reason
        if not self._wanted:
            self._become("stopped")
            self._around.journal.info("%s: stopped (%s)", self.name, reason)
            return
        decision = after_exit(
            self._history,
            self._around.limits,
            self.spec.restart,
            code=code,
            ran_since=ready_since,
            now=now,
            random=self._around.random,
        )
        if isinstance(decision, Restart):
            self._history = decision.history
            pause = decision.at - now
            self._arm(pause, self._again)
            then = f"starting again in {pause:.1f} s" if pause else "starting again at once"
        else:
            self._wanted = False
            then = f"not starting again by itself: `parley start {self.name}`"
        self._become(decision.state)
        self._around.journal.error("%s: ended (%s); %s", self.name, reason, then)

    def _again(self) -> None:
        self.restarts += 1
        self._around.restarted(self.name)
        self._spawn()

    def _signal(self, number: signal.Signals) -> None:
        # The pid is ours until the supervisor has reaped it, so no stranger can be hit.
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _arm(self, delay: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._loop.call_later(delay, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _become(self, state: State) -> None:
        self.state = state
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time signal has no name
