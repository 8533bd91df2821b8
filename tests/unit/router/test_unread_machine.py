"""Two people with two devices each send, delete, read, read in private and mark, in any order: what counts as unread.

The model writes down what happened and looks through all of it each time. Beside it stand the devices: one of each
person lives by pushes alone, the other by pages of sync alone, and a third is new each time; what they can count must
be what the server counts.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from protocols import frames
from protocols.mail import Command
from protocols.rendering import change_frame
from protocols.router import DeleteMessage, MarkUnread, Receipt, SendMessage
from protocols.values import conversation_of
from storage.router import RouterUnit
from tests.support.chat import House, place, pushes
from tests.support.people import ANN, BOB

PEER = {ANN: BOB, BOB: ANN}
CONVERSATION = conversation_of(ANN, BOB)

who = st.sampled_from([ANN, BOB])
seqs = st.integers(1, 5)


class Model:
    """Everything that happened. `log`: (sender, deleted) by place; a person's `shown` is what the other may know."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bool]] = []
        self.read = {ANN: 0, BOB: 0}
        self.shown = {ANN: 0, BOB: 0}
        self.mark = {ANN: 0, BOB: 0}

    def latest(self, person: str) -> int:
        return max((seq for seq, (sender, _) in enumerate(self.log, 1) if sender == person), default=0)

    def do_read(self, person: str, seq: int, *, private: bool) -> None:
        seq = min(seq, self.latest(PEER[person]))
        if seq >= self.mark[person]:
            self.mark[person] = 0
        if seq > self.read[person]:
            self.read[person] = seq
            if not private:
                self.shown[person] = seq

    def do_mark(self, person: str, seq: int) -> None:
        seq = min(seq, self.latest(PEER[person]))
        if seq:
            self.mark[person] = seq if seq <= self.read[person] else 0

    def unread(self, person: str) -> int:
        count = 0
        for seq, (sender, deleted) in enumerate(self.log, 1):
            new = seq > self.read[person] or (self.mark[person] and seq >= self.mark[person])
            count += bool(sender != person and not deleted and new)
        return count


class Device:
    """What a page of `me` knows, and what it counts from that."""

    def __init__(self, me: str) -> None:
        self.me = me
        self.messages: dict[int, tuple[int, str, bool]] = {}
        self.receipts: dict[str, frames.ReceiptFrame] = {}
        self.change = 0

    def take(self, frame: frames.Message | frames.MessageChanged | frames.ReceiptFrame) -> None:
        if isinstance(frame, frames.ReceiptFrame):
            self.receipts[frame.user] = frame
        elif self.messages.get(frame.seq, (0,))[0] < frame.version:
            self.messages[frame.seq] = (frame.version, frame.sender, frame.deleted)

    @property
    def unread(self) -> int:
        mine = self.receipts.get(self.me)
        first = (mine.unread_from or mine.read + 1) if mine else 1
        return sum(
            sender != self.me and not deleted and seq >= first
            for seq, (_, sender, deleted) in self.messages.items()
        )  # fmt: skip

    @property
    def peer_read(self) -> int:
        theirs = self.receipts.get(PEER[self.me])
        return theirs.read if theirs else 0


class Unread(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="parley-unread-"))
        self.house = self.loop.run_until_complete(House.open(self.folder))
        self.model = Model()
        self.pushed = {person: Device(person) for person in PEER}
        self.synced = {person: Device(person) for person in PEER}
        # Most of what can go wrong takes something to be read, and read again.
        self.send([ANN, BOB, ANN, BOB, ANN])
        for person in PEER:
            self.read(person, [(4, False)])

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.loop.run_until_complete(self.house.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    @rule(senders=st.lists(who, min_size=1, max_size=3))
    def send(self, senders: list[str]) -> None:
        self.make([(person, SendMessage(to=PEER[person], body="x")) for person in senders])
        self.model.log += [(person, False) for person in senders]

    @rule(person=who, seq=seqs)
    def delete(self, person: str, seq: int) -> None:
        self.make([(person, DeleteMessage(conversation=CONVERSATION, message_id=place(ANN, BOB, seq)))])
        if seq <= len(self.model.log) and self.model.log[seq - 1][0] == person:
            self.model.log[seq - 1] = (person, True)

    @rule(person=who, receipts=st.lists(st.tuples(seqs, st.booleans()), min_size=1, max_size=3))
    def read(self, person: str, receipts: list[tuple[int, bool]]) -> None:
        """On several devices at once; the preference may change in between."""
        self.make(
            [(person, Receipt(conversation=CONVERSATION, read=seq, private=private)) for seq, private in receipts]
        )
        for seq, private in receipts:
            self.model.do_read(person, seq, private=private)

    @rule(person=who, seq=seqs)
    def mark(self, person: str, seq: int) -> None:
        self.make([(person, MarkUnread(conversation=CONVERSATION, seq=seq))])
        self.model.do_mark(person, seq)

    @rule(person=who, beside=st.integers(-1, 1), private=st.booleans())
    def read_at_the_mark(self, person: str, beside: int, private: bool) -> None:
        """Or just beside it, where chance would seldom come."""
        self.read(person, [(max(0, self.model.mark[person] + beside), private)])

    @rule(person=who, limit=st.integers(1, 3))
    def sync(self, person: str, limit: int) -> None:
        self.read_on(self.synced[person], limit)

    @invariant()
    def everybody_counts_the_same(self) -> None:
        if not hasattr(self, "house"):
            return
        for person in PEER:
            expected = (self.model.unread(person), self.model.shown[PEER[person]])
            for one in self.query(lambda tx, me=person: tx.conversations.of(me)):
                assert (one.unread, one.peer_read) == expected
                assert (one.my_read, one.unread_from) == (self.model.read[person], self.model.mark[person])
            assert (self.pushed[person].unread, self.pushed[person].peer_read) == expected
            new = Device(person)
            while self.read_on(new, 99):
                pass
            assert (new.unread, new.peer_read) == expected

    @rule(person=who)
    def catch_up(self, person: str) -> None:
        device = self.synced[person]
        while self.read_on(device, 2):
            pass
        assert (device.unread, device.peer_read) == (self.model.unread(person), self.model.shown[PEER[person]])

    def read_on(self, device: Device, limit: int) -> bool:
        changes, device.change, more = self.query(lambda tx: tx.messages.changes(device.me, device.change, limit))
        for change in changes:
            device.take(change_frame(change))
        return bool(more)

    def make(self, commands: list[tuple[str, Command[Any]]]) -> None:
        self.house.now += 1
        results = self.loop.run_until_complete(
            self.house.make(*[(person, self.house.fresh(), command) for person, command in commands])
        )
        for result in results:
            for to, frame in pushes(result):
                for person in to:
                    self.pushed[person].take(frame)

    def query(self, work: Any) -> Any:
        def reading(tx: RouterUnit) -> Any:
            return work(tx)

        return self.loop.run_until_complete(self.house.database.read(reading))


TestUnread = Unread.TestCase
TestUnread.settings = hypothesis_settings(max_examples=25, stateful_step_count=30, deadline=None)
