"""Look at the supervisor's table again and again, and tell what changed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from drill.installation import Installation
from drill.waiting import until

PERIOD = 0.05
"""Seconds between two looks: how exactly a recovery is timed."""

Row = Mapping[str, Any]


class Watch:
    """`rows` is the newest table by actor; `changed` is told a name, the state before ("" at first) and the row."""

    def __init__(self, installation: Installation, changed: Callable[[str, str, Row], None]) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self._installation = installation
        self._changed = changed

    async def run(self) -> NoReturn:
        """Until cancelled. While no supervisor answers, the last table stays."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """Look once, now."""
        before, now = self.rows, await self._installation.actors()
        if not now:
            return
        self.rows = now
        for name, row in now.items():
            was = before.get(name)
            if was is None or (was["state"], was["pid"]) != (row["state"], row["pid"]):
                self._changed(name, was["state"] if was else "", row)

    @property
    def names(self) -> Sequence[str]:
        """Every child of the supervisor, in the order of its start."""
        return list(self.rows)

    async def running(self, name: str, within: float, other_than: int | None = None) -> bool:
        """Whether an actor came to run within so many seconds, as another process than `other_than`."""

        def so() -> bool:
            row = self.rows.get(name, {})
            return row.get("state") == "running" and row["pid"] != other_than

        return await until(so, within)

    async def all_running(self, within: float) -> bool:
        """Whether all ran at the same time within so many seconds."""
        return await until(
            lambda: bool(self.rows) and all(row["state"] == "running" for row in self.rows.values()), within
        )
