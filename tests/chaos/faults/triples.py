"""Everything is sent three times at once: by the device's socket, by another one, and over HTTP."""

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import aiohttp
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from drill.person import HttpError
from drill.waiting import until
from protocols.values import conversation_of
from tests.chaos.client import Client
from tests.chaos.fault import Fault, World
from tests.support.waiting import SCALE

FEWEST, MOST = 30, 80
GATHERED_WITHIN = 40.0
"""Seconds for so many messages that can be sent so: after an outage there are none for a while."""
ANSWERED_WITHIN = 60.0
ONE_TRY = 10.0
PAUSE = 0.2
AT_ONCE = 8
"""Copies of one device's that may be on their way; a message beyond is sent once."""
_SAME = ("conversation", "seq", "version", "message_id", "at")

Answer = Mapping[str, Any]
Frame = Mapping[str, Any]
Way = Callable[[Client, Frame], Awaitable[Answer]]


class TripleSends(Fault):
    """Both copies carry the same client_id, and reach whichever front takes the connection."""

    name = "triple sends"

    async def inject(self, world: World, dice: random.Random) -> str:
        copies: dict[str, tuple[Client, list[asyncio.Task[Answer]]]] = {}
        tasks: list[asyncio.Task[Answer]] = []
        wanted = dice.randint(FEWEST, MOST)
        try:
            with contextlib.ExitStack() as taps:
                for client in world.clients:
                    taps.enter_context(_tapped(client, copies, tasks))
                await until(lambda: len(copies) >= wanted, GATHERED_WITHIN * SCALE)
            async with asyncio.timeout(ANSWERED_WITHIN * SCALE):
                await asyncio.gather(*tasks)
                for client_id, (client, _) in copies.items():
                    await client.until(lambda sent=client.sent, mark=client_id: bool(sent[mark].seq))  # type: ignore[misc]  # (lambda defaults)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for client_id, (client, answers) in copies.items():
            told = [[answer.result()[key] for key in _SAME] for answer in answers]
            assert told[0] == told[1], f"{client_id} has two answers: {told}"
            assert told[0][1] == client.sent[client_id].seq, f"{client_id}: {told[0]}, and {client.sent[client_id]}"
        return f"{len(copies)} messages were sent three times each"


@contextlib.contextmanager
def _tapped(
    client: Client, copies: dict[str, tuple[Client, list[asyncio.Task[Answer]]]], tasks: list[asyncio.Task[Answer]]
) -> Iterator[None]:
    under_way: set[asyncio.Task[Answer]] = set()

    def tap(frame: dict[str, Any]) -> None:
        # Only what nothing waits before: a copy that takes another way could overtake what was typed earlier.
        if client.unanswered > 1 or len(under_way) >= AT_ONCE or frame["client_id"] in copies:
            return
        answers = [asyncio.create_task(_insist(client, frame, way)) for way in (_by_http, _by_socket)]
        copies[frame["client_id"]] = client, answers
        for answer in answers:
            under_way.add(answer)
            answer.add_done_callback(under_way.discard)
        tasks.extend(answers)

    client.taps.append(tap)
    try:
        yield
    finally:
        client.taps.remove(tap)


async def _insist(client: Client, frame: Frame, way: Way) -> Answer:
    """Until it is stored, or the deadline of all comes."""
    while True:
        try:
            async with asyncio.timeout(ONE_TRY * SCALE):
                answer: Answer = await way(client, frame)
            if "seq" in answer:
                return answer
        except HttpError as error:
            # Below that it is about us, and would be so the next time.
            if error.status not in {401, 429} and error.status < 500:
                raise AssertionError(f"{frame['client_id']} was refused: {error}") from error
        except (OSError, TimeoutError, aiohttp.ClientError, InvalidHandshake, ConnectionClosed):
            pass
        await asyncio.sleep(PAUSE)


async def _by_http(client: Client, frame: Frame) -> Answer:
    path = f"/conversations/{conversation_of(client.id, frame['to'])}/messages"
    answer: Answer = await client.call("POST", path, {"client_id": frame["client_id"], "body": frame["body"]})
    return answer


async def _by_socket(client: Client, frame: Frame) -> Answer:
    async with client.dial() as socket:
        await socket.send(json.dumps(frame))
        while True:
            answer: Answer = json.loads(await socket.recv())
            if answer["type"] == "ok" and answer["id"] == frame["id"]:
                return answer
            assert answer["type"] != "error", f"{frame['client_id']} was refused: {answer}"
