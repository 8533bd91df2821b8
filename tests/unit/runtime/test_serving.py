"""The ends of a process: nothing is left open, and what failed is told."""

import asyncio
from collections.abc import Callable
from itertools import groupby, pairwise
from types import SimpleNamespace

import pytest

from actors.runtime import serving
from actors.runtime.serving import _cancel, _first_end, _opened, _unless_stopped
from actors.runtime.vitals import Notifier, Vitals
from protocols.mail import Beat, decode_front_mail
from tests.support.memory_house import CONFIGURATION, QUEUE
from tests.support.memory_mail import MemoryBroker, MemoryDatabase
from tests.support.tally import Tally
from tests.support.virtual_time import run_virtually, virtual_environment


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


class Opened:
    closed = False

    async def close(self) -> None:
        self.closed = True


async def test_a_database_that_is_opened_in_spite_of_the_stop_is_closed_again() -> None:
    one = Opened()
    stopping = asyncio.Event()
    begun = asyncio.Event()

    async def stubborn() -> Opened:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return one
        raise AssertionError("was not cancelled")

    opening = asyncio.create_task(_unless_stopped(stubborn(), stopping))
    await begun.wait()
    stopping.set()
    assert await opening is None
    assert one.closed


async def test_a_stop_ends_the_wait_for_a_database_and_its_failure_is_told() -> None:
    stopping = asyncio.Event()

    async def failing() -> Opened:
        raise LookupError("no disk")

    with pytest.raises(LookupError):
        await _unless_stopped(failing(), stopping)
    stopping.set()
    assert await _unless_stopped(asyncio.sleep(1_000), stopping) is None


def test_a_long_migration_is_no_silence() -> None:
    class Heard(Notifier):
        def __init__(self) -> None:
            super().__init__({})
            self.at: list[float] = []

        def send(self, *_: str) -> None:
            self.at.append(asyncio.get_running_loop().time())

    async def migration() -> list[float]:
        clock = asyncio.get_running_loop().time
        heard = Heard()
        begun = clock()
        assert await _opened(asyncio.sleep(300, "open"), asyncio.Event(), Vitals(heard, 2.0, monotonic=clock)) == "open"
        ended = len(heard.at)
        await asyncio.sleep(60)
        assert len(heard.at) == ended
        heard.close()
        return [later - before for before, later in pairwise([begun, *heard.at, begun + 300])]

    assert max(run_virtually(migration())) < 5


async def test_a_part_that_ends_by_itself_ends_the_process_with_its_reason() -> None:
    async def failing() -> None:
        raise LookupError("gone")

    async def returning() -> None:
        return

    forever = asyncio.create_task(wait_for_ever())
    for part, error in ((failing, LookupError), (returning, RuntimeError)):
        with pytest.raises(error):
            await _first_end([forever, asyncio.create_task(part())], asyncio.Event())
    stopping = asyncio.Event()
    stopping.set()
    await _first_end([forever], stopping)
    await _cancel([forever])
    assert forever.cancelled()


def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    async def test() -> None:
        lost = 0

        async def deaf() -> None:
            nonlocal lost
            while lost < 3:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    lost += 1

        task = asyncio.create_task(deaf())
        await asyncio.sleep(1)
        await _cancel([task])
        assert lost == 3

    run_virtually(test())


class Lingering(MemoryBroker):
    """Takes its time from each connection to the reading of the mailbox, and loses each after some time."""

    async def run(self) -> None:
        while True:
            self.connect()
            await asyncio.sleep(10)
            assert self.subscriptions.on_reading is not None
            self.subscriptions.on_reading()
            await asyncio.sleep(10)
            self.cut()


def test_whoever_reads_a_mailbox_has_what_was_told_before_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        broker = Lingering(mailbox=QUEUE)
        database = MemoryDatabase()

        async def close() -> None:
            database.close()

        async def opened() -> SimpleNamespace:
            return SimpleNamespace(run=database.run, read=database.run, close=close)

        def connected(*args: object) -> MemoryBroker:
            broker.subscriptions = args[-1]  # type: ignore[assignment]
            return broker

        stops: list[Callable[[], None]] = []
        monkeypatch.setattr(serving, "_broker", connected)
        monkeypatch.setattr(serving, "on_stop", stops.append)
        environment = virtual_environment(CONFIGURATION)
        serves = asyncio.create_task(serving.serve_owner(Tally(environment), opened, environment))
        await asyncio.sleep(39)
        stops[0]()
        await serves
        beats = [mail for mail in (decode_front_mail(one.body) for one in broker.taken) if isinstance(mail, Beat)]
        # Before the first reading; from then on; from the second one on.
        assert len([name for name, _ in groupby(beat.incarnation for beat in beats)]) == 3

    run_virtually(test())
