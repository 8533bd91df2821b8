"""One supervisor from its lock to its last child's end."""

import asyncio
import errno
import logging
import os
import random
import resource
import signal
import socket
from collections.abc import Callable
from typing import Any

from settings import Paths, Settings, SettingsError
from supervision import children, listener, lock, proc
from supervision.alarm import Alarm
from supervision.child import Around
from supervision.children import Plan
from supervision.control import ControlServer, Request, socket_path
from supervision.journal import Console, open_journal
from supervision.notify import tell_parent
from supervision.policy import Limits
from supervision.spec import MARK
from supervision.tree import RefusedError, Tree

_SETTLE = 60.0
"""Seconds after which the start is reported as it is, however many children are not ready yet: those that starting
them in order takes count, unless it takes longer."""

_MOST_FILES = 65_536
"""Descriptors for each process. Some systems allow a milliard, for each of which Erlang would set memory aside."""


class StartError(Exception):
    """The supervisor cannot start; the text says why and what to do, `code` is the exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def run(
    settings: Settings,
    paths: Paths,
    *,
    foreground: bool,
    make_plan: Callable[[Settings, Paths], Plan] | None = None,
) -> int:
    """Supervise until told to stop; the exit code. Call it on the main thread. Raises StartError or SettingsError."""
    os.umask(0o077)
    paths.make()
    held = _take_lock(paths)
    _end_survivors(paths)
    limits = _limits(settings)
    try:
        web = listener.listen(settings)
    except listener.ListenError as error:
        raise StartError(str(error)) from error
    try:
        plan = (make_plan or children.plan)(settings, paths)
    except OSError as error:
        raise StartError(f"{error.filename or paths.data} cannot be written: {error.strerror}") from error
    _prepare_process()
    journal, console = open_journal(settings, paths, foreground)
    try:
        supervisor = Supervisor(settings, paths, journal, console)
        return asyncio.run(supervisor.run(plan, limits, web, held))
    finally:
        if console is not None:
            console.close()


def _take_lock(paths: Paths) -> int:
    try:
        return lock.take(paths.data)
    except lock.HeldError as error:
        text = f"Parley runs already on {paths.data} ({error.holder}): `parley status` shows it, `parley down` ends it"
        raise StartError(text) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            # No configuration: whoever starts us again after a while may find room.
            raise StartError(f"{paths.data} cannot be used: {error.strerror}") from error
        raise SettingsError("data.dir", f"{paths.data} cannot be used: {error.strerror}") from error


def _end_survivors(paths: Paths) -> None:
    """Children die with their supervisor; this is for one that could not, and would hold a database or a port."""
    if left := proc.end_and_wait(proc.marked(MARK, str(paths.run)), 5.0):
        raise StartError(f"processes of an earlier supervisor cannot be ended: {', '.join(map(str, left))}")


def _limits(settings: Settings) -> Limits:
    wanted = settings.supervision
    try:
        return Limits(burst=wanted.burst, window=wanted.window, base=wanted.backoff_base, cap=wanted.backoff_cap)
    except ValueError as error:
        raise SettingsError("supervision.window", str(error)) from error


def _prepare_process() -> None:
    """What children inherit: many descriptors, no core files. And their orphans come to us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _MOST_FILES), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    proc.become_subreaper()


class Supervisor:
    """The event loop's part: signals, the control socket, and the tree."""

    def __init__(self, settings: Settings, paths: Paths, journal: logging.Logger, console: Console | None) -> None:
        self._settings = settings
        self._paths = paths
        self._journal = journal
        self._console = console
        self._stop = asyncio.Event()
        self._began = 0.0
        self._tree: Tree | None = None
        self._alarm: Alarm | None = None

    async def run(self, plan: Plan, limits: Limits, web: socket.socket, held: int) -> int:
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        tree = self._tree = self._plant(plan, limits, web.fileno())
        loop.add_signal_handler(signal.SIGCHLD, tree.reap)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)
        # A terminal that is closed ends what runs in its foreground; the detached one outlives it.
        loop.add_signal_handler(signal.SIGHUP, self._stop.set if self._console is not None else lambda: None)
        control = ControlServer(socket_path(self._paths), self._handle)
        await control.start()
        self._journal.info("supervisor: process %d, data in %s", os.getpid(), self._paths.data)
        helpers = [asyncio.create_task(self._boot(tree)), asyncio.create_task(_reassure_parent())]
        await self._stop.wait()
        tell_parent(STOPPING="1", STATUS="stopping")
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        self._journal.info("supervisor: stopping all")
        await tree.stop_all()
        tree.close()
        if self._alarm is not None:
            self._alarm.close()
        control.close()
        web.close()
        self._journal.info("supervisor: stopped")
        # Before those who asked for `down` see their connection end: they may start the next one at once.
        os.close(held)
        await control.finish()
        return 0

    def _plant(self, plan: Plan, limits: Limits, web: int) -> Tree:
        log, wanted = self._settings.logging, self._settings.supervision
        alarm = self._alarm = Alarm(wanted.tree_burst, wanted.window, self._journal, _tell_of_alarm)
        around = Around(
            limits=limits,
            run=self._paths.run,
            logs=self._paths.logs,
            log_limit=log.rotate_mib << 20,
            log_keep=log.keep,
            journal=self._journal,
            random=random.random,
            listener=web,
            restarted=alarm.restarted,
        )
        return Tree(
            plan.specs, around, start_wait=wanted.start_wait, stop_timeout=wanted.stop_timeout, renew=plan.renew
        )

    async def _boot(self, tree: Tree) -> None:
        await tree.start_all()
        await tree.settle(max(0.0, self._began + _SETTLE - asyncio.get_running_loop().time()))
        late = [child for child in tree.children if child.state != "running"]
        for child in late:
            why = f" ({child.last_exit})" if child.last_exit else ""
            self._journal.error("%s: not ready%s: `parley logs %s` says more", child.name, why, child.name)
        tell_parent(READY="1", STATUS="ready" if not late else "not all actors are ready")
        self._journal.info("Parley is at %s", self._settings.web.origin)
        if self._console is not None:
            self._console.say("Ctrl-C stops it; `parley status` shows its actors, `parley logs -f` what they say.")

    def _asked_to_stop(self) -> None:
        if self._stop.is_set() and self._tree is not None:
            self._journal.warning("supervisor: asked again, ending everything at once")
            self._tree.kill_all()
        self._stop.set()

    async def _handle(self, request: Request) -> Any:
        assert self._tree is not None, "requests come after the tree was planted"  # noqa: S101  (for the type checker)
        if request.op == "status":
            return self._status(self._tree)
        if self._stop.is_set() and request.op != "down":
            raise RefusedError("shutting_down", "the supervisor is shutting down")
        self._journal.info("supervisor: asked for %s %s", request.op, request.name or "")
        match request.op:
            case "down":
                self._stop.set()
            case "start":
                await self._tree.start(request.name)
            case "stop":
                await self._tree.stop(request.name)
            case "restart":
                await self._tree.restart(request.name)
            case "kill":
                self._tree.kill(request.name)
            case "scale":
                await self._tree.scale(request.name, request.count)
        return None

    def _status(self, tree: Tree) -> dict[str, Any]:
        state = "stopping" if self._stop.is_set() else "running"
        return {
            "supervisor": {
                "pid": os.getpid(),
                "state": state,
                "uptime": round(asyncio.get_running_loop().time() - self._began, 3),
                "address": self._settings.web.origin,
                "data": str(self._paths.data),
                "alarm": None if self._alarm is None else self._alarm.text,
            },
            "actors": [
                {
                    "name": child.name,
                    "state": child.state,
                    "pid": child.pid,
                    "uptime": None if child.uptime is None else round(child.uptime, 3),
                    "restarts": child.restarts,
                    "last_exit": child.last_exit,
                    "depth": child.depth,
                    "rate": child.rate,
                    "status": child.status,
                }
                for child in tree.children
            ],
        }


def _tell_of_alarm(text: str | None) -> None:
    tell_parent(STATUS=text or "ready")


async def _reassure_parent() -> None:
    """Signs of life for a systemd that wants them, from the loop that does the work."""
    try:
        period = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
    except ValueError:
        return
    while period > 0:
        tell_parent(WATCHDOG="1")
        await asyncio.sleep(period)
