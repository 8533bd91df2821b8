"""A device of the chaos harness: a person of any drill, who tells receipts too and writes everything into the log."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from drill.ledger import Sent
from drill.person import Person
from drill.screen import Screen, Shown
from tests.chaos import record

SHORTEST, LONGEST = 0.3, 1.0
"""Seconds for which receipts gather: they are not to be more work than the messages."""


class _LoggedScreen(Screen):
    """Tells what appears on it, in that order."""

    def __init__(self, appeared: Callable[[Shown], None]) -> None:
        super().__init__()
        self._appeared = appeared

    def catch_up(self, message: Shown) -> None:
        before = len(self.shown)
        super().catch_up(message)
        if len(self.shown) > before:
            self._appeared(message)


class Client(Person):
    """One device of a person. `clock` gives seconds since the run began; `write` takes records for its log.

    `taps` are called with each message that this device sends, `{"type": "send", ...}`, right after it was sent.
    `receipts` holds (delivered, read) by conversation and person, as this device was told.
    """

    def __init__(
        self,
        base: str,
        username: str,
        number: int = 1,
        *,
        clock: Callable[[], float],
        write: Callable[[record.Record], None],
    ) -> None:
        super().__init__(base, username, device=f"{username}.{number}", clock=clock)
        self.taps: list[Callable[[dict[str, Any]], None]] = []
        self.receipts: dict[tuple[str, str], tuple[int, int]] = {}
        self.screen = _LoggedScreen(self._appeared)
        self._write = write
        self._frame_of: dict[str, str] = {}
        self._went_out: set[str] = set()
        self._seen: dict[str, int] = {}
        self._confessing = asyncio.Event()
        self._dice = random.Random(self.device)  # noqa: S311  (reproducible on purpose)

    def say(self, to: str, body: str) -> str:
        client_id = super().say(to, body)
        self._write(record.Typed(self._clock(), self.device, client_id, body))
        return client_id

    async def run(self) -> None:
        telling = asyncio.create_task(self._tell_receipts())
        try:
            await super().run()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _send(self, socket: ClientConnection, frame_id: str, sent: Sent) -> None:
        if sent.client_id in self._went_out:
            self._write(record.Repeated(self._clock(), self.device, sent.client_id))
        self._went_out.add(sent.client_id)
        self._frame_of[frame_id] = sent.client_id
        await super()._send(socket, frame_id, sent)
        for tap in self.taps:
            tap({"type": "send", "id": frame_id, "client_id": sent.client_id, "to": sent.to, "body": sent.body})

    async def _on_frame(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "hello":
                self._frame_of.clear()
                self._confessing.set()
            case "resync" if frame.get("source", "router") == "router":
                self._confessing.set()
            case "receipt":
                self._receipt(frame)
            case "error" if frame["id"] in self._frame_of:
                client_id = self._frame_of.pop(frame["id"])
                self._write(record.Refused(self._clock(), self.device, client_id, frame["code"]))
        await super()._on_frame(frame)

    async def _on_ok(self, frame: dict[str, Any]) -> None:
        # Also of a send that was given up for lost since: each tick that comes must say the same.
        client_id = self._frame_of.pop(frame["id"], None)
        if client_id is not None:
            self._write(
                record.Ticked(
                    self._clock(),
                    self.device,
                    client_id,
                    frame["conversation"],
                    frame["seq"],
                    frame["version"],
                    frame["message_id"],
                    frame["at"],
                )
            )
        for change in frame.get("changes", ()):
            if change["type"] == "receipt":
                self._receipt(change)
        await super()._on_ok(frame)

    def _receipt(self, frame: dict[str, Any]) -> None:
        key = frame["conversation"], frame["user"]
        delivered, read = self.receipts.get(key, (0, 0))
        self.receipts[key] = max(delivered, frame["delivered"]), max(read, frame["read"])

    def _appeared(self, one: Shown) -> None:
        self._write(
            record.Showed(
                self._clock(),
                self.device,
                one.conversation,
                one.seq,
                one.version,
                one.message_id,
                one.client_id,
                one.sender,
                one.body,
                one.stored,
            )
        )
        if one.sender != self.id:
            self._seen[one.conversation] = max(self._seen.get(one.conversation, 0), one.seq)
            self._confessing.set()

    async def _tell_receipts(self) -> None:
        """What was shown is told as delivered and read: cumulative, coalesced, and again after each reconnect."""
        while True:
            await self._confessing.wait()
            await asyncio.sleep(self._dice.uniform(SHORTEST, LONGEST))
            await self.connected.wait()
            self._confessing.clear()
            with contextlib.suppress(ConnectionClosed):
                for conversation, seq in self._seen.items():
                    await self._transmit({"type": "delivered", "conversation": conversation, "seq": seq})
                    await self._transmit({"type": "read", "conversation": conversation, "seq": seq})


def receipts(client: Client) -> list[record.Receipt]:
    """What a device knows of the other's receipts; of its own person's it is told only what it did not tell itself."""
    return [
        record.Receipt(client.device, conversation, person, delivered, read)
        for (conversation, person), (delivered, read) in client.receipts.items()
        if person != client.id
    ]
