"""A device: the rules of the page and of the drills' people, without a socket and without a screen.

What was typed stays in the outbox until its answer. On hello and on a resync with router everything unanswered goes
again, in order and under its client_id, the log is read on from the token, and receipts are told again. A
conversation's version tells whether something was missed in between.
"""

import json
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from drill.screen import Screen, Shown
from protocols.frames import Close
from protocols.records import message_id
from protocols.values import conversation_of
from tests.simulation.processes import Wire

if TYPE_CHECKING:
    from tests.simulation.world import World

BACKOFF_BASE = 0.05
BACKOFF_CAP = 1.0
SILENCE = 5.0
DELIVERED_WAIT = 0.15
SYNC_AGAIN = 3.0
HELLO_WITHIN = 8.0


class Typed(Struct):
    """A command that somebody gave. `seq` and `version` are what its answer said, 0 before; `refused` its error."""

    client_id: str
    kind: str
    to: str
    body: str
    target: str = ""
    seq: int = 0
    version: int = 0
    refused: str = ""


class Row(Struct):
    """A message as this device shows it."""

    version: int
    client_id: str
    sender: str
    body: str
    deleted: bool


class Device:
    """One of a person's devices. `shown` is every message's first appearance on it, in order."""

    def __init__(self, world: "World", person: str, name: str) -> None:
        self.world = world
        self.person = person
        self.name = name
        self.eager = world.rng.random() < 0.5
        self.typed: dict[str, Typed] = {}
        self.outbox: deque[str] = deque()
        self.under_way: dict[str, str] = {}
        self.wire: Wire | None = None
        self.greeted = False
        self.failures = 0
        self.frames = 0
        self.window = 1
        self.reconnects = 0
        self.forgetful = False
        self._expected: dict[str, tuple[str, int]] = {}
        self._receipts_told: dict[str, tuple[str, int, int]] = {}
        self._told: dict[str, tuple[int, int]] = {}
        self.claimed: dict[str, tuple[int, int]] = {}
        self._telling = False
        self._heard = 0.0
        self._begin()
        self._later(0.0, self._connect)

    def _begin(self) -> None:
        """A page that was just loaded."""
        self.screen = Screen()
        self.rows: dict[str, dict[int, Row]] = {}
        self.receipts: dict[tuple[str, str], tuple[int, int]] = {}
        self.shown: list[Shown] = []
        self.token = ""
        self._syncing = ""
        self._sync_again = False
        self.caught_up = False

    # What a person does.

    def say(self, to: str, body: str) -> None:
        self._take_on(Typed(f"{self.name}-{len(self.typed) + 1}", "send", to, body))

    def change(self, kind: str, body: str) -> None:
        """Edit or delete one of the own messages that are stored and were not deleted."""
        deleted = {one.target for one in self.typed.values() if one.kind == "delete"}
        own = [one for one in self.typed.values() if one.kind == "send" and one.seq and one.client_id not in deleted]
        if own:
            target = self.world.rng.choice(own)
            client_id = f"{self.name}-{len(self.typed) + 1}"
            self._take_on(Typed(client_id, kind, target.to, body, target.client_id))

    def _take_on(self, typed: Typed) -> None:
        self.world.note(self.name, f"{typed.kind} {typed.client_id}")
        self.typed[typed.client_id] = typed
        self.outbox.append(typed.client_id)
        self._pump()

    def read(self) -> None:
        """See everything that is shown."""
        for conversation, seq in self._incoming().items():
            self._claim(conversation, seq, seq)
        self._tell_receipts()

    def repeat(self, other: "Device") -> None:
        """Send a command again that another device of this person has had its answer to."""
        stored = [one for one in other.typed.values() if one.version]
        if stored and self._usable:
            one = self.world.rng.choice(stored)
            frame_id = self._transmit(other.frame(one), "again")
            self._expected[frame_id] = (one.client_id, one.seq)

    def reload(self) -> None:
        """The page is loaded anew; the outbox is on disk, and what was read stays read."""
        self.world.note(self.name, "reloaded")
        self._requeue()
        if self.wire is not None:
            self.wire.cut()
        self._begin()

    def _incoming(self) -> dict[str, int]:
        return {
            conversation: max((seq for seq, row in rows.items() if row.sender != self.person), default=0)
            for conversation, rows in self.rows.items()
        }

    # The connection.

    def _later(self, seconds: float, call: Any, *given: Any) -> None:
        self.world.loop.call_later(seconds, call, *given)

    @property
    def _usable(self) -> bool:
        return self.wire is not None and self.greeted

    def _connect(self) -> None:
        if self.wire is not None or self.world.finished:
            return
        front = self.world.pick_front()
        if front is None:
            self._come_back()
            return
        self.wire = Wire(self, front)
        self.greeted = False
        self._later(self.world.wireless(), self._reach, self.wire)
        self._later(HELLO_WITHIN, self._impatient, self.wire)

    def _reach(self, wire: Wire) -> None:
        if wire.over:
            return
        if wire.front.accepting:
            self.world.opened(wire)
        else:
            wire.cut()

    def _impatient(self, wire: Wire) -> None:
        if wire is self.wire and not self.greeted:
            self._lose(wire)

    def _lose(self, wire: Wire) -> None:
        wire.cut()
        self.closed(wire)

    def closed(self, wire: Wire) -> None:
        if wire is not self.wire:
            return
        if wire.code in {Close.POLICY, Close.TOO_BIG, Close.TOO_FAST, Close.SESSION_OVER}:
            self.world.complain(f"{self.name} was sent away with {wire.code}")
        self.wire = None
        self.greeted = False
        self.reconnects += 1
        self._expected.clear()
        self._receipts_told.clear()
        self._requeue()
        self._come_back()

    def _come_back(self) -> None:
        self.failures += 1
        limit = min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(self.failures, 10))
        self._later(self.world.rng.random() * limit, self._connect)

    def _look(self, wire: Wire) -> None:
        """A dead way gives no sign: whoever does not answer a ping is gone."""
        if wire is not self.wire or self.world.finished:
            return
        silent = self.world.loop.time() - self._heard
        if silent > 2 * SILENCE:
            self.world.note(self.name, "hears nothing")
            self._lose(wire)
            return
        if silent > SILENCE * 0.9:
            self._transmit({"type": "ping"}, "p")
        self._later(SILENCE, self._look, wire)

    def _transmit(self, frame: dict[str, Any], prefix: str) -> str:
        self.frames += 1
        frame_id = f"{prefix}{self.frames}"
        if self.wire is not None and not self.wire.over:
            self.wire.up.put(json.dumps({**frame, "id": frame_id}))
        return frame_id

    # The outbox.

    def _requeue(self) -> None:
        if not self.forgetful:
            self.outbox.extendleft(reversed(list(self.under_way.values())))
        self.under_way.clear()

    def _pump(self) -> None:
        if not self._usable or not (self.eager or self.caught_up):
            return
        while self.outbox and len(self.under_way) < self.window:
            client_id = self.outbox.popleft()
            frame_id = self._transmit(self.frame(self.typed[client_id]), "c")
            self.under_way[frame_id] = client_id

    def frame(self, typed: Typed) -> dict[str, Any]:
        """What carries a command, without its name on one socket."""
        base = {"type": typed.kind, "client_id": typed.client_id}
        if typed.kind == "send":
            return {**base, "to": typed.to, "body": typed.body}
        conversation = conversation_of(self.person, typed.to)
        target = message_id(conversation, self.typed[typed.target].seq)
        base |= {"conversation": conversation, "message_id": target}
        return {**base, "body": typed.body} if typed.kind == "edit" else base

    # What arrives.

    def received(self, wire: Wire, text: bytes) -> None:
        if wire is not self.wire:
            return
        self._heard = self.world.loop.time()
        frame = msgspec.json.decode(text)
        self.world.note(self.name, "hears", text)
        match frame["type"]:
            case "hello":
                self._hello(wire, frame)
            case "message" | "message_changed":
                if not self._live(Shown.of(frame, self._heard), deleted=frame.get("deleted", False)):
                    self._sync()
            case "receipt":
                self._receipt(frame["conversation"], frame["user"], frame["delivered"], frame["read"])
            case "ok":
                self._ok(frame)
            case "error":
                self._error(frame)
            case "resync" if self.world.plan.ignorant or frame.get("source", "router") == "router":
                self._requeue()
                self._pump()
                self._sync()
                self._tell_again()
            case _:
                """How the owners are, and answers to pings."""

    def _hello(self, wire: Wire, frame: dict[str, Any]) -> None:
        self.greeted = True
        self.failures = 0
        self.window = frame["in_flight"]
        self.caught_up = False
        self._syncing = ""
        self._later(SILENCE, self._look, wire)
        self._pump()
        self._sync()
        self._tell_again()

    def _sync(self) -> None:
        self._sync_again = bool(self._syncing)
        if not self._syncing:
            self._syncing = self._transmit({"type": "sync", "since": self.token}, "s")

    def _ok(self, frame: dict[str, Any]) -> None:
        frame_id = frame["id"]
        if frame_id == self._syncing:
            self._page(frame)
        elif frame_id in self._receipts_told:
            # The socket that told it gets the answer only.
            conversation, delivered, read = self._receipts_told.pop(frame_id)
            self._receipt(conversation, self.person, delivered, read)
        elif frame_id in self._expected:
            client_id, seq = self._expected.pop(frame_id)
            if frame["seq"] != seq:
                self.world.complain(f"{client_id} was stored at {seq}, and a copy of it at {frame['seq']}")
        elif frame_id in self.under_way:
            typed = self.typed[self.under_way.pop(frame_id)]
            if typed.version and (typed.seq, typed.version) != (frame["seq"], frame["version"]):
                self.world.complain(f"{typed.client_id} has two ticks: {typed.seq} and {frame['seq']}")
            typed.seq, typed.version = frame["seq"], frame["version"]
            self._own(typed, frame)
            self._pump()

    def _own(self, typed: Typed, frame: dict[str, Any]) -> None:
        """The socket that sent a command gets the answer only, so what it did is shown from here."""
        original = self.typed[typed.target] if typed.target else typed
        known = self.rows.get(frame["conversation"], {}).get(frame["seq"])
        deleted = typed.kind == "delete" or (known is not None and known.deleted)
        shown = Shown.of(
            {**frame, "client_id": original.client_id, "sender": self.person, "body": "" if deleted else typed.body},
            self._heard,
        )
        if not self._live(shown, deleted=deleted):
            self._sync()

    def _page(self, frame: dict[str, Any]) -> None:
        for change in frame["changes"]:
            if change["type"] == "receipt":
                self._receipt(change["conversation"], change["user"], change["delivered"], change["read"])
            else:
                self._show(Shown.of(change, self._heard), deleted=change.get("deleted", False))
        self.token = frame["next"]
        self._syncing = ""
        if frame["more"] or self._sync_again:
            self._sync()
        else:
            self.caught_up = True
            self._pump()

    def _error(self, frame: dict[str, Any]) -> None:
        frame_id = frame["id"] or ""
        if frame_id == self._syncing:
            self._syncing = ""
            if frame["code"] != "unavailable":
                self.world.complain(f"{self.name} cannot read on: {frame}")
            self._later(SYNC_AGAIN, self._sync_later)
        elif frame_id in self.under_way:
            typed = self.typed[self.under_way.pop(frame_id)]
            typed.refused = frame["code"]
            self.world.note(self.name, f"refused {typed.client_id}: {frame['code']}")
            self._pump()
        elif not frame_id.startswith("c") and frame["code"] != "internal":
            # A command that went again on the same socket has two answers, and the later one says nothing new. A
            # receipt that was in hand each time router died is set aside as any command.
            self.world.complain(f"{self.name} was told {frame}")

    def _sync_later(self) -> None:
        if self._usable and not self._syncing:
            self._sync()

    # The screen.

    def _live(self, shown: Shown, *, deleted: bool) -> bool:
        if shown.version > self.screen.versions.get(shown.conversation, 0) + 1:
            return False
        self._show(shown, deleted=deleted)
        return True

    def _show(self, shown: Shown, *, deleted: bool) -> None:
        before = len(self.screen.shown)
        self.screen.catch_up(shown)
        if len(self.screen.shown) == before:
            return
        rows = self.rows.setdefault(shown.conversation, {})
        if shown.seq not in rows:
            self.shown.append(shown)
        rows[shown.seq] = Row(shown.version, shown.client_id, shown.sender, shown.body, deleted)
        if shown.sender != self.person and not self._telling:
            self._telling = True
            self._later(DELIVERED_WAIT, self._delivered)

    def _delivered(self) -> None:
        self._telling = False
        for conversation, seq in self._incoming().items():
            self._claim(conversation, seq, 0)
        self._tell_receipts()

    # Receipts.

    def _claim(self, conversation: str, delivered: int, read: int) -> None:
        known = self.claimed.get(conversation, (0, 0))
        claimed = (max(known[0], delivered), max(known[1], read))
        if claimed != known:
            self.claimed[conversation] = claimed
            self.world.claimed(self.person, conversation, *claimed)

    def _tell_again(self) -> None:
        self._told.clear()
        self._tell_receipts()

    def _tell_receipts(self) -> None:
        if not self._usable:
            return
        for conversation, (delivered, read) in self.claimed.items():
            told = self._told.get(conversation, (0, 0))
            if delivered > told[0]:
                self._tell_receipt("delivered", conversation, delivered)
            if read > told[1]:
                self._tell_receipt("read", conversation, read)
            self._told[conversation] = (delivered, read)

    def _tell_receipt(self, kind: str, conversation: str, seq: int) -> None:
        frame = {"type": kind, "conversation": conversation, "seq": seq}
        if self.world.plan.receipts_answered:
            self._receipts_told[self._transmit(frame, "r")] = (conversation, seq, seq if kind == "read" else 0)
        elif self.wire is not None and not self.wire.over:
            self.wire.up.put(json.dumps(frame))

    def _receipt(self, conversation: str, user: str, delivered: int, read: int) -> None:
        known = self.receipts.get((conversation, user), (0, 0))
        self.receipts[conversation, user] = (max(known[0], delivered), max(known[1], read))

    @property
    def settled(self) -> bool:
        """Whether it is connected, and has read what there was to read."""
        return self._usable and self.caught_up and not self._syncing and not self._telling

    @property
    def unanswered(self) -> list[str]:
        return [*self.under_way.values(), *self.outbox]
