"""Several devices of one person at two fronts of a whole installation: what one of them sets, all of them go by."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from drill.installation import Installation
from tests.support.stranger import Line, Stranger, register
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

DEVICES = 8
"""The kernel deals connections out to the fronts: so many are hardly ever all at one of the two."""

WITHIN = 1.0
"""Seconds in which all devices show the same."""


class Scene:
    """Ann and Bob are in contact; all of Bob's devices are connected."""

    def __init__(self, ann: Stranger, bob: Stranger, hers: Line, his: list[Line]) -> None:
        self.ann = ann
        self.bob = bob
        self.hers = hers
        self.his = his
        self.written = 0

    async def exchange(self, device: Line) -> tuple[int, int]:
        """Ann writes, and Bob reads it on a device: (its place, how far Ann sees that he has read)."""
        self.written += 1
        stored = await self.hers.command(
            type="send", client_id=f"c{self.written}", to=self.bob.id, body=f"message {self.written}"
        )
        answer = await device.command(type="read", conversation=stored["conversation"], seq=stored["seq"])
        assert answer["type"] == "ok", answer
        _, page = await self.ann.call("GET", "/conversations")
        (item,) = page["conversations"]
        return stored["seq"], item["peer_read"]


@pytest.fixture
async def scene(installation: Installation) -> AsyncIterator[Scene]:
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        ann, bob = [await register(installation.base, client, name) for name in ("ann", "bob")]
        await ann.befriend(bob)
        hers = await stack.enter_async_context(ann.socket())
        his = [await stack.enter_async_context(bob.socket()) for _ in range(DEVICES)]
        yield Scene(ann, bob, hers, his)


async def test_reading_in_private_holds_at_every_front_within_a_second_or_so(scene: Scene) -> None:
    assert await scene.exchange(scene.his[0]) == (1, 1)
    status, _ = await scene.bob.call("PATCH", "/me/preferences", {"read_receipts": False})
    assert status == 200
    for device in scene.his:
        assert (await device.next("preferences", WITHIN))["read_receipts"] is False

    async def hidden(device: Line) -> bool:
        seq, shown = await scene.exchange(device)
        return shown < seq

    for device in scene.his:
        await eventually(lambda one=device: hidden(one), within=3)  # type: ignore[misc]  # (lambda default)
    seen = {await scene.exchange(device) for device in scene.his}
    assert len({shown for _, shown in seen}) == 1, "nothing shows any more, whichever device reads"
    _, page = await scene.bob.call("GET", "/conversations")
    assert page["conversations"][0]["my_read"] == scene.written


async def test_a_mark_a_mute_and_a_read_notice_are_the_same_on_every_device(scene: Scene) -> None:
    await scene.exchange(scene.his[0])
    await scene.exchange(scene.his[1])
    conversation = (await scene.bob.call("GET", "/conversations"))[1]["conversations"][0]["id"]
    assert (await scene.bob.call("PUT", f"/conversations/{conversation}/unread", {"seq": 2}))[0] == 204
    for device in scene.his:
        await device.next("receipt", WITHIN, unread_from=2)
    await scene.his[-1].command(type="read", conversation=conversation, seq=2)
    _, page = await scene.bob.call("GET", "/conversations")
    assert (page["conversations"][0]["unread"], page["conversations"][0]["unread_from"]) == (0, 0)

    assert (await scene.bob.call("PUT", f"/contacts/{scene.ann.id}/mute", {"forever": True}))[0] == 200
    status, answer = await scene.bob.call("POST", "/notices/test")
    assert status == 201
    assert (await scene.bob.call("POST", "/notices/read", {"ids": [answer["notice"]["id"]]}))[0] == 204
    for device in scene.his:
        await device.next("mute", WITHIN, user=scene.ann.id, forever=True)
        await device.next("notice", WITHIN, id=answer["notice"]["id"])
        await device.next("notices_read", WITHIN, ids=[answer["notice"]["id"]])
    assert not [frame for frame in await scene.hers.quiet() if frame["type"] in {"mute", "notices_read", "preferences"}]
