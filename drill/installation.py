"""A whole installation of its own, started for a drill, in a directory and on a port that no other has."""

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from settings import Paths, load
from supervision import ports
from supervision.client import ControlError, NothingRunningError, ask
from supervision.control import Request

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 90.0
STOP_WITHIN = 45.0
COMMAND_WITHIN = 120.0
STEP = 0.05
"""Seconds between two looks at the actors while somebody waits for one."""


class DrillError(Exception):
    """The installation did not do what a drill needs; the text holds what it printed."""


class Installation:
    """`environment` overrides settings, PARLEY_<SECTION>__<KEY> as for anybody."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
        self.environment = {
            **clean,
            "PARLEY_DATA__DIR": str(folder),
            "PARLEY_WEB__PORT": str(self.port),
            # A cheap hash: drills sign up many people, and are not about passwords.
            "PARLEY_AUTH__BCRYPT_COST": "4",
            **(environment or {}),
        }
        self._process: asyncio.subprocess.Process | None = None

    @functools.cached_property
    def paths(self) -> Paths:
        return Paths.of(load(environ=self.environment))

    @property
    def supervisor_pid(self) -> int:
        if self._process is None:
            raise DrillError("the installation was not started")
        return self._process.pid

    async def start(self) -> None:
        """Return when every actor and the broker are ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "supervisor.out"
        with log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *_ending_with_us(),
                *self._argv("up"),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not await self._all_running():
                    if self._process.returncode is not None:
                        raise DrillError(f"the supervisor ended: {log.read_text(errors='replace')[-2000:]}")
                    await asyncio.sleep(STEP)
        except TimeoutError as error:
            await self.stop()
            raise DrillError(f"not ready within {READY_WITHIN} s: {log.read_text(errors='replace')[-2000:]}") from error

    async def stop(self) -> int:
        """As Ctrl-C does; returns the supervisor's exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                return await self._process.wait()
        except TimeoutError:
            # Its children die with it.
            self._process.kill()
            return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL to the supervisor, and with it, by the kernel, to its children."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def parley(self, *arguments: str) -> tuple[int, str]:
        """Run one command of the command line; its exit code and all that it printed."""
        process = await asyncio.create_subprocess_exec(
            *self._argv(*arguments),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(COMMAND_WITHIN):
            printed, _ = await process.communicate()
        return process.returncode or 0, printed.decode(errors="replace")

    async def actors(self) -> dict[str, dict[str, Any]]:
        """The supervisor's rows of `parley status --json` by name, without memory; none while no supervisor answers."""
        try:
            status = await self.ask(Request("status"))
        except (NothingRunningError, ControlError, OSError):
            return {}
        return {row["name"]: row for row in status["actors"]}

    async def ask(self, request: Request, within: float = 5.0) -> Any:
        """One request to the supervisor. Raises NothingRunningError, ControlError, or TimeoutError."""
        return await asyncio.to_thread(ask, self.paths, request, within)

    async def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a child of the supervisor; returns its pid."""
        row = (await self.actors()).get(name)
        if row is None or not row["pid"]:
            raise DrillError(f"{name} is not running")
        pid = int(row["pid"])
        os.kill(pid, number)
        return pid

    async def running(self, name: str, other_than: int = 0, within: float = 30.0) -> int:
        """Wait until an actor runs, as another process than `other_than`; returns its pid."""
        async with asyncio.timeout(within):
            while True:
                row = (await self.actors()).get(name, {})
                if row.get("state") == "running" and row["pid"] != other_than:
                    return int(row["pid"])
                await asyncio.sleep(STEP)

    async def _all_running(self) -> bool:
        rows = (await self.actors()).values()
        return bool(rows) and all(row["state"] == "running" for row in rows)

    def _argv(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "supervisor.py"), *arguments]


@contextlib.asynccontextmanager
async def running_installation(
    folder: Path, kind: type[Installation] = Installation, /, **environment: str
) -> AsyncIterator[Installation]:
    """A started installation, stopped in any case."""
    installation = kind(folder, environment)
    try:
        await installation.start()
        yield installation
    finally:
        await installation.stop()


def _ending_with_us() -> list[str]:
    """What makes the kernel tell a supervisor to stop when the drill itself is killed and can tell nobody."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now, for one who will soon."""
    probe = ports.bind()
    if probe is None:
        raise DrillError("no port of 127.0.0.1 is free")
    with probe:
        return int(probe.getsockname()[1])
