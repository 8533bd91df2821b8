"""Asking an owner something from the command line."""

import asyncio
from typing import TypeVar

from protocols.mail import Command
from settings import Paths, load

R = TypeVar("R")


def ask(owner: str, command: Command[R], within: float) -> R:
    """The owner's reply, awaited at most `within` seconds. Raises Refusal, and SettingsError."""
    # Imported here, because the broker's client takes longer to import than most commands of this program take.
    from actors.runtime import Environment  # noqa: PLC0415
    from actors.runtime.client import open_post  # noqa: PLC0415

    async def asked() -> R:
        settings = load()
        environment = Environment(settings, Paths.of(settings))
        async with open_post(environment, "cli") as post:
            return await post.ask(owner, command, within=within)

    return asyncio.run(asked())
