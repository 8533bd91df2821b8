"""People write, read, delete and look away while notifier looks, dies before its commit and begins again, in any order.

Whatever the order: each message is decided once, and whatever is to be told and was not read stands in one notice.
"""

import asyncio
import itertools
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from protocols.notifier import Device, SetPreferences
from protocols.records import MessageRecord
from protocols.router import DeleteMessage
from protocols.values import conversation_of
from storage.notifier import NotifierUnit
from tests.support.chat import place
from tests.support.notices import Office
from tests.support.people import ANN, BOB, CAT

PAIRS = ((ANN, BOB), (BOB, ANN), (ANN, CAT))

pairs = st.sampled_from(PAIRS)
thens = st.sampled_from(["wait", "look", "look", "hint", "die", "restart"])
"""What notifier does right after something has happened."""


class Killed(Exception):  # noqa: N818  (the process ends)
    pass


class Following(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.office = self.runner.run(Office.open(self.folder))

    @rule(pair=pairs, count=st.integers(1, 3), then=thens)
    def say(self, pair: tuple[str, str], count: int, then: str) -> None:
        for _ in range(count):
            self.runner.run(self.office.house.say(*pair, "x"))
        self._then(then)

    @rule(pair=pairs, seq=st.integers(1, 8), then=thens)
    def read(self, pair: tuple[str, str], seq: int, then: str) -> None:
        self.runner.run(self.office.house.tell(*pair, delivered=seq, read=seq))
        self._then(then)

    @rule(pair=pairs, seq=st.integers(1, 8), then=thens)
    def delete(self, pair: tuple[str, str], seq: int, then: str) -> None:
        command = DeleteMessage(conversation=conversation_of(*pair), message_id=place(*pair, seq))
        self.runner.run(self.office.house.do(pair[0], command))
        self._then(then)

    @rule(pair=pairs, viewing=st.booleans(), visible=st.booleans())
    def attend(self, pair: tuple[str, str], viewing: bool, visible: bool) -> None:
        where = conversation_of(*pair) if viewing else ""
        self.office.seen.here[pair[0]] = [Device(session="s", visible=visible, viewing=where)]

    @rule(pair=pairs, desktop=st.booleans())
    def prefer(self, pair: tuple[str, str], desktop: bool) -> None:
        self.runner.run(self.office.do(pair[0], SetPreferences(desktop=desktop)))

    @rule(minutes=st.integers(1, 3))
    def pass_time(self, minutes: int) -> None:
        self.office.house.now += minutes * 60_000

    def teardown(self) -> None:
        if not hasattr(self, "office"):
            return
        try:
            for _ in range(2):
                self.runner.run(self.office.look())
            for sender, recipient in PAIRS:
                self.runner.run(self._check(sender, recipient))
        finally:
            self.runner.run(self.office.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    def _then(self, then: str) -> None:
        if then == "look":
            self.runner.run(self.office.look())
        elif then == "hint":
            self.runner.run(self.office.hint())
        elif then == "die":
            self.runner.run(self._die())
        if then in {"die", "restart"}:
            self.office.begin()

    async def _die(self) -> None:
        """Before the commit: what was found is found again by the next."""

        def work(tx: NotifierUnit) -> None:
            list(self.office.actor.look(tx, self.office.house.now))
            raise Killed

        try:
            await self.office.database.run(work)
        except Killed:
            return

    async def _check(self, sender: str, recipient: str) -> None:
        conversation = conversation_of(sender, recipient)
        log, _ = await self.office.house.database.read(lambda tx: tx.messages.before(conversation, None, 1_000))
        receipts = await self.office.house.database.read(lambda tx: tx.receipts.of(conversation))
        read = next((one.read for one in receipts if one.user == recipient), 0)
        mine = [one for one in log if one.sender == sender]
        decisions = [one for one in await self.office.decisions(recipient) if one.subject == conversation]
        for message in mine:
            covering = [one for one in decisions if one.first <= message.seq <= one.last]
            assert len(covering) == 1, f"{message.seq} was decided {len(covering)} times: {decisions}"
        notices = [one for one in await self.office.notices(recipient) if one.data.conversation == conversation]
        spans = sorted((one.data.from_seq, one.data.to_seq) for one in notices)
        assert all(before[1] < after[0] for before, after in itertools.pairwise(spans)), spans
        open_ = [one for one in notices if not one.read]
        assert len(open_) <= 1
        told = {
            one.seq for one in mine for why in decisions if why.first <= one.seq <= why.last and why.what != "not told"
        }
        for message in mine:
            if message.seq > read and not message.deleted and message.seq in told:
                assert any(one.data.from_seq <= message.seq <= one.data.to_seq for one in open_), message
        for one in open_:
            assert any(_waits(message, read) for message in mine), f"{one} has nothing left to tell"


def _waits(message: MessageRecord, read: int) -> bool:
    return message.seq > read and not message.deleted


TestFollowing = Following.TestCase
TestFollowing.settings = hypothesis_settings(max_examples=40, stateful_step_count=15, deadline=None)
