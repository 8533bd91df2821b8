"""The installation that is measured: started with its guests in it, and everything asked of it from outside."""

import asyncio
import contextlib
import functools
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from bench.chat import Place
from bench.fleet import Fleet
from bench.guests import GuestBook
from bench.processes import members
from drill.installation import STEP, DrillError, Installation
from settings import load
from settings.endpoint import broker_url

READY_WITHIN = 60.0
SPREAD_WITHIN = 20.0
BROKER_USER = "cli"
"""Whose names the bare programs use at the installation's own node; it may declare what they need."""

UNLIMITED = {
    "PARLEY_LIMITS__MESSAGES_PER_SECOND": "0",
    "PARLEY_LIMITS__REQUESTS_PER_HOUR": "0",
    "PARLEY_LIMITS__LOGINS_WAITING": "10000",
}

_HEARD = re.compile(r'^parley_gaps_total\{front="([^"]+)",actor="([^"]+)"\}', re.MULTILINE)

_SOCKETS = re.compile(r'^parley_sockets\{front="([^"]+)"\} (\d+)', re.MULTILINE)


class House:
    """`seconds_to_ready` is from the supervisor's start until each front has heard each actor."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.seconds_to_ready = 0.0

    async def start(self) -> None:
        """Return when every front has heard every owner: from then on no socket is told to read on."""
        began = time.monotonic()
        await self.installation.start()
        names = list(await self.installation.actors())
        fronts = {name for name in names if name.startswith("front")}
        wanted = {(front, name) for front in fronts for name in names if name != "broker" and name not in fronts}
        try:
            async with asyncio.timeout(READY_WITHIN), aiohttp.ClientSession() as http:
                while not wanted <= await self._heard(http):  # noqa: ASYNC110  (it lies in other processes)
                    await asyncio.sleep(STEP)
        except TimeoutError as error:
            raise DrillError(f"not every front has heard every actor within {READY_WITHIN:.0f} s") from error
        self.seconds_to_ready = time.monotonic() - began

    async def _heard(self, http: aiohttp.ClientSession) -> set[tuple[str, str]]:
        async with http.get(f"{self.installation.base}/metrics") as answer:
            return {(front, actor) for front, actor in _HEARD.findall(await answer.text())}

    def place(self, fleet: Fleet, before: int = 0, profile: Path | None = None) -> Place:
        """Where pairs chat over this installation, whose conversations hold so many messages already."""
        pids = functools.partial(members, self.installation, fleet.pids)
        return Place(self.installation.port, pids, before, self.sockets, profile)

    async def sockets(self, count: int) -> dict[str, int]:
        """How many of those `count` open sockets each front has. They tell each other with each beat."""
        async with asyncio.timeout(SPREAD_WITHIN), aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.installation.base}/metrics") as answer:
                    found = {front: int(number) for front, number in _SOCKETS.findall(await answer.text())}
                if sum(found.values()) == count:
                    return found
                await asyncio.sleep(STEP)

    @property
    def broker_url(self) -> str:
        settings = load(environ=self.installation.environment)
        return broker_url(settings, self.installation.paths, BROKER_USER)

    async def pid(self, name: str) -> int:
        return int((await self.installation.actors())[name]["pid"])

    async def fronts(self) -> dict[str, int]:
        """The pid of each front."""
        rows = await self.installation.actors()
        return {name: int(row["pid"]) for name, row in rows.items() if name.startswith("front")}

    async def memory(self) -> dict[str, float]:
        """Proportional set sizes in MiB, as `parley status` tells them."""
        _, printed = await self.installation.parley("status", "--json")
        status = json.loads(printed)
        rows: dict[str, Any] = {"supervisor": status["supervisor"], **{row["name"]: row for row in status["actors"]}}
        figures = {f"{name}_mib": round(row["memory"] / 2**20, 1) for name, row in rows.items()}
        return {**figures, "all_mib": round(sum(figures.values()), 1)}


def empty(folder: Path, environment: Mapping[str, str] | None = None) -> Installation:
    """An installation to be, without limits, and with nothing of this one's config.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "config.toml"
    configuration.touch()
    return Installation(folder, {**UNLIMITED, "PARLEY_CONFIG": str(configuration), **(environment or {})})


@contextlib.asynccontextmanager
async def running_house(installation: Installation, book: GuestBook) -> AsyncIterator[House]:
    """Write the guests, start, and stop in any case."""
    await book.write(installation)
    house = House(installation)
    try:
        await house.start()
        yield house
    finally:
        await installation.stop()
