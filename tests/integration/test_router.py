"""router as a process, at a real RabbitMQ: nothing is lost, doubled or out of order, whatever is killed."""

from pathlib import Path

import pytest
from msgspec import json, msgpack

from actors.runtime import Environment
from protocols import frames
from protocols.records import MessageRecord
from protocols.router import DeleteMessage, Receipt, SendMessage, Stored
from protocols.values import conversation_of
from settings import Paths, Settings
from storage import Reader
from storage.router import ROUTER
from tests.support.chat import place, relate
from tests.support.mailing import Recorder, ground, running_owner
from tests.support.people import ANN, BOB, CAT, make_people
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MODULE = "tests.support.router"
CONVERSATION = conversation_of(ANN, BOB)


@pytest.fixture
async def environment(tmp_path: Path, broker_node: tuple[Settings, Paths]) -> Environment:
    environment = ground(tmp_path, broker_node, runtime={"batch_commands": 16})
    await make_people(environment.paths.databases, ANN, BOB, CAT)
    await relate(environment.paths.databases, [(ANN, BOB)])
    return environment


def send(front: Recorder, number: str, person: str = ANN, to: str = BOB) -> str:
    """Tell router; returns the correlation, by which the outcome is found."""
    correlation = f"{front.post.incarnation}/{number}"
    front.post.tell("router", SendMessage(to=to, body=number), id=number, person=person, correlation=correlation)
    return correlation


async def answered(front: Recorder, correlations: list[str], least: int = 0) -> None:
    """Wait for the outcomes of all of these, or of so many."""
    least = least or len(correlations)
    await eventually(lambda: sum(one in front.outcomes for one in correlations) >= least, within=30)


async def log_of(environment: Environment) -> list[MessageRecord]:
    reader = Reader(ROUTER, environment.paths.databases)
    found: list[MessageRecord] = []
    try:
        more = True
        while more:
            before = found[0].seq if found else None
            page, more = await reader.read(lambda tx, seq=before: tx.messages.before(CONVERSATION, seq, 200))  # type: ignore[misc]
            found = [*page, *found]
    finally:
        await reader.close()
    return found


async def test_the_log_is_whole_and_in_order_though_router_is_killed_again_and_again(
    environment: Environment, front: Recorder
) -> None:
    correlations: list[str] = []
    async with running_owner(environment, MODULE) as owner:
        for life in range(3):
            told = [send(front, f"{life}-{number}") for number in range(300)]
            correlations += told
            # In the middle of this life's mail, unless the machine is so quick that all of it is done.
            await answered(front, told, least=30)
            await owner.kill()
            await owner.start()
        await answered(front, correlations)

        log = await log_of(environment)
        assert [one.body for one in log] == [one.partition("/")[2] for one in correlations]
        assert [one.seq for one in log] == list(range(1, 901))
        for seq, correlation in enumerate(correlations, start=1):
            answers = {msgpack.decode(one.value or b"", type=Stored) for one in front.outcomes[correlation]}
            assert [(one.seq, one.message_id) for one in answers] == [(seq, place(ANN, BOB, seq))]
        shown = [json.decode(push.frame, type=frames.Message) for push in front.pushes]
        assert {one.seq: one.body for one in shown} == {one.seq: one.body for one in log}


async def test_mail_waits_for_a_router_that_is_not_there(environment: Environment, front: Recorder) -> None:
    """The first mail declares the mailbox; whoever wrote it may be long gone when router comes."""
    correlations = [send(front, "early"), send(front, "refused", to=CAT), send(front, "late", person=BOB, to=ANN)]
    assert await front.post.flush(10)
    assert not front.outcomes
    async with running_owner(environment, MODULE):
        await answered(front, correlations)
    assert [one.body for one in await log_of(environment)] == ["early", "late"]
    error = front.outcomes[correlations[1]][0].error
    assert error is not None
    assert error.code == "not_a_contact"


async def test_consent_that_cannot_be_read_means_waiting(environment: Environment, front: Recorder) -> None:
    file = environment.paths.databases / "contacts.db"
    file.rename(file.with_suffix(".away"))
    async with running_owner(environment, MODULE):
        told = [send(front, "first"), send(front, "second")]
        await eventually(lambda: front.beats and front.beats[-1].state == "degraded", within=20)
        assert not front.outcomes
        file.with_suffix(".away").rename(file)
        await answered(front, told)
    assert [one.body for one in await log_of(environment)] == ["first", "second"]


async def test_changes_and_receipts_are_pushed_to_both(environment: Environment, front: Recorder) -> None:
    async with running_owner(environment, MODULE):
        await answered(front, [send(front, "words")])
        for person, number, command in (
            (BOB, "r", Receipt(conversation=CONVERSATION, read=1)),
            (ANN, "d", DeleteMessage(conversation=CONVERSATION, message_id=place(ANN, BOB, 1))),
        ):
            front.post.tell(
                "router", command, id=number, person=person, correlation=f"{front.post.incarnation}/{number}"
            )
        await eventually(lambda: len(front.pushes) == 3, within=20)
    assert [set(push.to) for push in front.pushes] == [{ANN, BOB}] * 3
    _, receipt, deleted = [json.decode(push.frame, type=frames.ServerFrame) for push in front.pushes]
    assert receipt == frames.ReceiptFrame(conversation=CONVERSATION, user=BOB, delivered=1, read=1)
    assert isinstance(deleted, frames.MessageChanged)
    assert (deleted.deleted, deleted.body, deleted.version) == (True, "", 2)
