"""What an owner lets out after a commit: pushes to the fronts, replies to those who asked, dead letters, beats."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence

from actors.runtime import topology
from actors.runtime.broker import Broker, BrokerError, NoSuchQueue, Outgoing
from protocols.mail import Beat, DeadLetter, FrontItem, Outcome, PushBatch, Replies, encoder
from settings.model import Broker as BrokerSettings

RETRY_BASE = 0.05
RETRY_CAP = 2.0
BLOCKED = "The broker takes nothing at the moment."
FULL = "The dead letters are full, or the broker takes nothing at the moment."

log = logging.getLogger(__name__)


class Outlet:
    """Numbers the pushes of one run of an owner. `sent` is the last one that was sent or given up.

    `trouble` is told, in words, why the broker takes nothing at the moment.
    """

    def __init__(
        self,
        broker: Broker,
        settings: BrokerSettings,
        source: str,
        incarnation: str,
        trouble: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._broker = broker
        self._settings = settings
        self._source = source
        self._incarnation = incarnation
        self._trouble = trouble
        self._number = 0
        self.sent = 0

    def renew(self, incarnation: str) -> None:
        """Go on under another name, with the same numbers: fronts that see it have everything unanswered told again.

        Numbers go on, so that a push which is under way just now is not taken for a later one's copy.
        """
        self._incarnation = incarnation

    async def let_out(
        self,
        items: Sequence[FrontItem],
        replies: Mapping[str, Sequence[Outcome]],
        wanted: Callable[[], bool],
    ) -> bool:
        """Hand everything to the broker, in order, and return when it has taken it.

        Tries until `wanted` says that the mail this comes from will be delivered again anyway, and returns False then.
        What is given up leaves a gap in the numbers, from which the fronts see that they missed something.
        """
        outgoing = [
            Outgoing("", queue, encoder.encode(Replies(list(outcomes)))) for queue, outcomes in replies.items() if queue
        ]
        if items:
            self._number += 1
            batch = PushBatch(
                source=self._source, incarnation=self._incarnation, number=self._number, items=list(items)
            )
            outgoing.append(Outgoing(topology.fronts(self._settings), "", encoder.encode(batch)))
        # Not `sent` at once: a beat must not announce a push that is still behind it.
        number = self._number
        try:
            for mail in outgoing:
                if not await self._insist(mail, wanted, BLOCKED):
                    return False
        finally:
            self.sent = max(self.sent, number)
        return True

    async def bury(self, letter: DeadLetter, wanted: Callable[[], bool]) -> bool:
        """Put mail that could not be handled into the dead letters; False when that was given up."""
        mail = Outgoing(
            "",
            topology.dead_letters(self._settings, self._source),
            encoder.encode(letter),
            durable=True,
            must_arrive=True,
        )
        return await self._insist(mail, wanted, FULL)

    async def beat(self, state: str, note: str, depth: int) -> None:
        """Tell the fronts how this owner is. Raises BrokerError; the next beat says it again."""
        beat = Beat(
            source=self._source,
            incarnation=self._incarnation,
            number=self.sent,
            state=state,
            depth=depth,
            note=note,
        )
        await self._broker.publish(Outgoing(topology.fronts(self._settings), "", encoder.encode(beat)))

    async def _insist(self, mail: Outgoing, wanted: Callable[[], bool], trouble: str) -> bool:
        delay = RETRY_BASE
        while True:
            try:
                await self._broker.publish(mail)
            except NoSuchQueue:
                await self._redeclare()
            except BrokerError as error:
                log.info("not taken by the broker: %s", error)
            else:
                return True
            if not wanted():
                return False
            self._trouble(trouble)
            await asyncio.sleep(delay * random.random())  # noqa: S311  (jitter, not a secret)
            delay = min(RETRY_CAP, delay * 2)

    async def _redeclare(self) -> None:
        try:
            await self._broker.declare_mailbox(self._source)
        except BrokerError:
            return
