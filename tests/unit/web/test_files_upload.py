"""Pieces in flight: how many at a time, in which order, and what becomes of them when one is refused."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from actors.file_chunker.pacing import Pacing
from protocols.errors import Refusal
from protocols.files import PIECE_BYTES, Append, Appended, CommitPieces, LeaveUpload, Opened
from protocols.mail import Command
from settings.model import Limits as LimitSettings
from tests.support.virtual_time import run_virtually
from web.files_room import Room
from web.files_upload import PIECES_MOST, TURN_WITHIN, WINDOW, Window, in_turn
from web.limits import Limits

OPENED = Opened(generation=3, offset=100, size=10_000)


class Disk:
    """file_chunker as it is seen from here: pieces wait for `answer`."""

    def __init__(self) -> None:
        self.asked: list[Append] = []
        self.waiting: list[asyncio.Future[Appended]] = []
        self.others: list[Command[Any]] = []

    async def ask(self, _to: str, command: Command[Any], *, within: float, id: str = "", person: str = "") -> Any:  # noqa: A002  (as Asker)
        assert within > 0
        assert (id, person) == ("", "ann")
        if not isinstance(command, Append):
            self.others.append(command)
            return Appended(offset=command.offset if isinstance(command, CommitPieces) else 0, state="open")
        self.asked.append(command)
        future: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        return await future

    def signal(self, _to: str, command: Command[Any], *, person: str = "", within: float) -> None:
        assert (person, within > 0) == ("ann", True)
        self.others.append(command)

    def answer(self, number: int, refusal: Refusal | None = None) -> None:
        command = self.asked[number]
        if refusal is None:
            self.waiting[number].set_result(Appended(offset=command.offset + len(command.data), state="open"))
        else:
            self.waiting[number].set_exception(refusal)


def window(disk: Disk, room: Room | None = None, *, hold: bool = False) -> Window:
    return Window(disk, room or Room(1_000), "ann", "u", OPENED, hold=hold)


async def round_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_beyond_the_rate_requests_are_held_back_and_the_last_ones_refused() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        limits = Limits(LimitSettings(messages_per_second=1, messages_burst=2))
        began = loop.time()

        async def one() -> float:
            await in_turn(limits, "ann", loop.time)
            return loop.time() - began

        answers = await asyncio.gather(*(one() for _ in range(12)), return_exceptions=True)
        times = [answer for answer in answers if isinstance(answer, float)]
        refused = [answer.code for answer in answers if isinstance(answer, Refusal)]
        assert sorted(times) == pytest.approx([0, 0, 1, 2, 3, 4, 5], abs=0.01)
        assert refused == ["rate_limited"] * 5
        assert loop.time() - began < TURN_WITHIN + 0.01
        assert limits.message("ann", loop.time()) == 0.0, "text is counted apart"

    run_virtually(test())


async def test_a_few_at_a_time_and_in_order() -> None:
    disk = Disk()
    one = window(disk)

    async def send() -> Appended:
        for number in range(WINDOW + 2):
            await one.put(bytes(number + 1))
        return await one.settle()

    sending = asyncio.create_task(send())
    await round_of_the_loop()
    assert len(disk.asked) == WINDOW
    disk.answer(1)
    await round_of_the_loop()
    assert len(disk.asked) == WINDOW, "the first is not there yet"
    disk.answer(0)
    await round_of_the_loop()
    assert len(disk.asked) == WINDOW + 2
    for number in range(2, WINDOW + 2):
        disk.answer(number)
    ends = [command.offset + len(command.data) for command in disk.asked]
    assert [command.offset for command in disk.asked] == [100, *ends[:-1]]
    assert (await sending).offset == ends[-1]
    assert {(command.generation, command.hold) for command in disk.asked} == {(3, False)}


async def test_the_room_is_shared_and_given_back() -> None:
    disk, room = Disk(), Room(2)
    one, other = window(disk, room), window(disk, room)
    await one.put(b"a")
    await one.put(b"b")
    waiting = asyncio.create_task(other.put(b"c"))
    await round_of_the_loop()
    assert (len(disk.asked), waiting.done()) == (2, False)
    one.leave()
    await waiting
    other.leave()
    await round_of_the_loop()
    assert room.held == 0


def test_who_sends_one_file_has_the_share_of_those_who_send_four() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        pacing = Pacing(16 * 2**20, loop.time)
        sent: Counter[str] = Counter()

        class Owner(Disk):
            async def ask(
                self,
                _to: str,
                command: Command[Any],
                *,
                within: float,
                id: str = "",  # noqa: A002  (as Asker)
                person: str = "",
            ) -> Any:
                assert isinstance(command, Append)
                assert not id
                await pacing.turn(person, command.upload, len(command.data), within)
                # The disk.
                await asyncio.sleep(0.01)
                sent[person] += len(command.data)
                return Appended(offset=command.offset + len(command.data), state="open")

        room = Room(PIECES_MOST)

        async def send(person: str, upload: str) -> None:
            opened = Opened(generation=1, offset=0, size=2**40)
            one = Window(Owner(), room, person, upload, opened, hold=False)
            while True:
                await one.put(bytes(PIECE_BYTES))

        files = [(person, f"{person}-{number}") for person in ("ann", "cat", "dan") for number in range(4)]
        tasks = [asyncio.create_task(send(*file)) for file in (*files, ("bob", "bob-0"))]
        await asyncio.sleep(10)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sent["bob"] / sent.total() > 0.2, sent

    run_virtually(test())


@pytest.mark.parametrize(
    ("code", "told"), [("locked", "locked"), ("storage_full", "storage_full"), ("conflict", "unavailable")]
)
async def test_a_refusal_is_told_at_the_next_piece(code: str, told: str) -> None:
    disk = Disk()
    one = window(disk)
    await one.put(b"a")
    await one.put(b"b")
    await round_of_the_loop()
    disk.answer(0, Refusal(code))
    disk.answer(1, Refusal("conflict"))
    await round_of_the_loop()
    with pytest.raises(Refusal) as refused:
        await one.put(b"c")
    assert refused.value.code == told
    one.leave()
    assert disk.others == [LeaveUpload(upload="u", generation=3)]
    await round_of_the_loop()


async def test_what_is_held_counts_at_the_end() -> None:
    disk = Disk()
    one = window(disk, hold=True)
    await one.put(b"abc")
    await round_of_the_loop()
    assert disk.asked[0].hold
    disk.answer(0)
    await one.settle()
    assert (await one.commit()).offset == 103
    assert disk.others == [CommitPieces(upload="u", generation=3, offset=103)]
