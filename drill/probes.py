"""What people can do right now: tried out as they would, and told in words."""

import asyncio
import base64
import time
from collections.abc import Sequence
from typing import Literal, Self

import aiohttp
from msgspec import Struct

from drill.person import HttpError, Person
from drill.scene import Scene
from drill.waiting import STEP, until

SHOWN_WITHIN = 5.0
"""Seconds for a message to be shown while nothing is wrong; one that takes longer waits for somebody."""

Feature = Literal["chat", "history", "sign in", "new contacts", "notices", "files"]
FEATURES: Sequence[Feature] = ("chat", "history", "sign in", "new contacts", "notices", "files")


class Finding(Struct, frozen=True):
    """`said` is what the page is told where something does not work now."""

    feature: Feature
    works: bool
    said: str = ""


class Guest:
    """Somebody with an account and no contact, who tries things out beside those who chat."""

    def __init__(self, base: str, scene: Scene, seed: int) -> None:
        self._base = base
        self._scene = scene
        self.person = Person(base, f"zoe{seed}")
        self.typed: list[str] = []

    async def __aenter__(self) -> Self:
        await self.person.__aenter__()
        await self.person.register()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.person.__aexit__()

    async def try_out(self, features: Sequence[Feature] = FEATURES) -> list[Finding]:
        """Each feature once."""
        return [await self._try(feature) for feature in features]

    async def works_again(self, feature: Feature, within: float) -> float | None:
        """Seconds until a feature works, None when it does not in time. What is refused meanwhile is tried again."""
        began = time.monotonic()
        while not (await self._try(feature)).works:
            if time.monotonic() - began > within:
                return None
            await asyncio.sleep(STEP)
        return time.monotonic() - began

    async def arrived(self, within: float) -> bool:
        """Whether all messages of the tries were shown in the end."""
        return await until(lambda: set(self.typed) <= self._scene.shown_at().keys(), within)

    async def _try(self, feature: Feature) -> Finding:
        try:
            match feature:
                case "chat":
                    return await self._chat()
                case "history":
                    await self._scene.people[0].call("GET", "/conversations")
                case "sign in":
                    async with Person(self._base, self.person.username) as again:
                        await again.sign_in()
                case "new contacts":
                    await self._ask()
                case "notices":
                    await self.person.call("POST", "/notices/test")
                case "files":
                    await self._upload()
        except HttpError as error:
            return Finding(feature, works=False, said=error.message or error.code)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Finding(feature, works=False, said=type(error).__name__)
        return Finding(feature, works=True)

    async def _chat(self) -> Finding:
        one, other = self._scene.people[:2]
        client_id = one.say(other.id, "can you read this?")
        self.typed.append(client_id)
        if await until(lambda: client_id in self._scene.shown_at(), SHOWN_WITHIN):
            return Finding("chat", works=True)
        return Finding("chat", works=False, said="the message waits with a clock beside it")

    async def _upload(self) -> None:
        """A file without a byte: of its kind, the smallest."""
        one, other = self._scene.people[:2]
        recipient = base64.b64encode(other.id.encode()).decode()
        metadata = {"Upload-Metadata": f"filename YQ==,recipient {recipient}"}
        await one.call("POST", "/files", None, **{"Tus-Resumable": "1.0.0", "Upload-Length": "0", **metadata})

    async def _ask(self) -> None:
        """Ask for contact, and take it back, so that it can be tried again."""
        asked = await self.person.call("POST", "/contacts/requests", {"user_id": self._scene.people[0].id})
        await self.person.call("DELETE", f"/contacts/requests/{asked['request']['id']}")
