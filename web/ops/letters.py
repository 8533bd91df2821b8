"""An actor's dead letters, looked at over a connection of their own that is closed again."""

import asyncio
from typing import Final

import msgspec

from actors.runtime import Environment
from actors.runtime.broker import BrokerError
from actors.runtime.client import open_broker
from actors.runtime.letters import Found, described, look, summary
from protocols.errors import Refusal
from protocols.ops import Letter, LetterBody, Letters

MOST: Final = 50
"""Letters that are looked at: the oldest."""

WITHIN: Final = 10.0


class LetterRoom:
    """One looks at a time: letters that somebody holds are not there for others."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._looking = asyncio.Lock()

    async def all_of(self, actor: str) -> Letters:
        """The oldest letters. Raises Refusal("unavailable")."""
        found = await self._look(actor)
        return Letters([_letter(one) for one in found[:MOST]], more=len(found) > MOST)

    async def body(self, actor: str, mark: str) -> LetterBody:
        """One letter with what it carries. Raises Refusal."""
        for one in await self._look(actor):
            if one.mark == mark:
                text = msgspec.json.format(msgspec.json.encode(described(one)), indent=2).decode()
                return LetterBody(letter=_letter(one), sender=one.letter.sender, text=text)
        raise Refusal("not_found", "This letter is not there any more.")

    async def _look(self, actor: str) -> list[Found]:
        try:
            async with asyncio.timeout(WITHIN), self._looking, open_broker(self._environment, "front") as broker:
                # They go back when the connection closes.
                return await look(broker, actor, MOST + 1)
        except (BrokerError, TimeoutError) as error:
            raise Refusal("unavailable", "The broker does not answer.") from error


def _letter(found: Found) -> Letter:
    return msgspec.convert(summary(found), Letter)
