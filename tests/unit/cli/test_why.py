"""`parley why`: one line a step, from what the databases and the supervisor's log say, and never the message itself."""

from datetime import datetime
from pathlib import Path

import pytest
from msgspec import structs

from cli.exits import CommandError
from cli.why import Event, events, find, read_log, told
from protocols.errors import Refusal
from protocols.router import DeleteMessage, EditMessage
from protocols.values import conversation_of, rfc3339
from settings import Paths
from tests.support.chat import place
from tests.support.notices import Office
from tests.support.people import ANN, BOB

MESSAGE = place(ANN, BOB, 1)
SECRET = "what nobody else may read"
HUMAN = (
    "2026-01-31T12:00:00.000Z INFO    router: ready after 0.9 s",
    "2026-01-31T12:00:01.500Z ERROR   router: ended (SIGKILL); starting again at once",
    "2026-01-31T12:00:01.600Z DEBUG   router: started as process 7",
    "2026-01-31T12:00:02.000Z ERROR   front.2: no sign of life for 10 s; it is replaced",
    "2026-01-31T12:00:02.100Z INFO    supervisor: stopped",
    "2026-01-31T12:00:03.000Z INFO    status said router: ended (by itself)",
    "a line of another kind",
)
AT = round(datetime.fromisoformat("2026-01-31T12:00:00+00:00").timestamp() * 1000)


@pytest.fixture
async def paths(tmp_path: Path) -> Paths:
    """An installation with one message of Ann's to Bob, which notifier has decided about."""
    paths = Paths(data=tmp_path, run=tmp_path)
    paths.databases.mkdir()
    paths.logs.mkdir()
    office = await Office.open(paths.databases)
    await office.house.say(ANN, BOB, SECRET, "her-id")
    await office.look()
    await office.close()
    return paths


def steps(lines: list[str]) -> dict[str, str]:
    return {line[:10].strip(): line[11:] for line in lines}


async def test_each_step_has_its_line_and_none_shows_the_message(paths: Paths) -> None:
    lines = told(find(paths, MESSAGE))
    assert [line.split()[0] for line in lines] == ["stored", "pushed", "delivered", "read", "decided", "meanwhile"]
    said = steps(lines)
    assert said["stored"].endswith(f"of conversation {conversation_of(ANN, BOB)}, from ann to bob, client_id her-id")
    assert said["delivered"] == "no, bob has none of it yet"
    assert said["decided"].endswith(
        "quiet (desktop_off): Listed, not announced: desktop notifications are switched off."
    )
    assert said["meanwhile"] == "no actor ended or started"
    assert SECRET not in "\n".join(lines)


@pytest.mark.parametrize(("private", "read"), [(False, "yes"), (True, "yes, in private: the sender is not told")])
async def test_what_was_read_is_said_and_whether_the_sender_knows(tmp_path: Path, private: bool, read: str) -> None:
    paths = Paths(data=tmp_path, run=tmp_path)
    paths.databases.mkdir()
    office = await Office.open(paths.databases)
    await office.house.say(ANN, BOB, "one")
    await office.house.tell(BOB, ANN, delivered=1, read=1, private=private)
    await office.house.do(
        ANN, EditMessage(conversation=conversation_of(ANN, BOB), message_id=MESSAGE, body="two"), "edit"
    )
    await office.close()
    said = steps(told(find(paths, MESSAGE)))
    assert (said["delivered"], said["read"]) == ("yes, to a device of bob", read)
    assert said["pushed"].startswith("yes")
    assert said["changed"].startswith("last edited ")
    assert said["decided"].startswith("nothing is kept")


async def test_a_deleted_message_says_so(tmp_path: Path) -> None:
    paths = Paths(data=tmp_path, run=tmp_path)
    paths.databases.mkdir()
    office = await Office.open(paths.databases)
    await office.house.say(ANN, BOB, SECRET)
    await office.house.do(ANN, DeleteMessage(conversation=conversation_of(ANN, BOB), message_id=MESSAGE))
    await office.look()
    await office.close()
    said = steps(told(find(paths, MESSAGE)))
    assert said["changed"] == "deleted by its sender since"
    assert "(deleted_before)" in said["decided"]


@pytest.mark.parametrize("message", ["", "x", "-", f"{MESSAGE}9", f"{conversation_of(ANN, BOB)}-0", "../x-1"])
async def test_what_does_not_exist_is_not_there(paths: Paths, message: str) -> None:
    with pytest.raises(CommandError, match="there is no message"):
        find(paths, message)


async def test_what_cannot_be_read_is_said_and_the_rest_is_told(paths: Paths) -> None:
    for name in ("notifier", "auth"):
        paths.database(name).unlink()
    said = steps(told(find(paths, MESSAGE)))
    assert said["decided"] == "unknown: notifier's database cannot be read now"
    assert "from ann to bob" in said["stored"]
    paths.database("router").unlink()
    with pytest.raises(Refusal):
        find(paths, MESSAGE)


async def test_a_push_may_be_lost_with_its_router(paths: Paths) -> None:
    story = find(paths, MESSAGE)
    at = story.message.at
    died = Event(at + 300, "router", "ended (SIGKILL); starting again at once")
    lines = told(structs.replace(story, events=[died]))
    assert steps(lines)["pushed"] == "perhaps not: router ended (SIGKILL) 300 ms later; pages read it from the log"
    assert lines[-1] == f"meanwhile  {rfc3339(at + 300)} router: ended (SIGKILL); starting again at once"
    for other in (
        Event(at + 300, "notifier", "ended"),
        Event(at - 1, "router", "ended"),
        Event(at + 3000, "router", "x"),
    ):
        assert steps(told(structs.replace(story, events=[other])))["pushed"].startswith("to every front")


def test_the_supervisors_log_is_understood_in_both_its_forms() -> None:
    found = [
        Event(AT, "router", "ready after 0.9 s"),
        Event(AT + 1_500, "router", "ended (SIGKILL); starting again at once"),
        Event(AT + 2_000, "front.2", "no sign of life for 10 s; it is replaced"),
        Event(AT + 2_100, "supervisor", "stopped"),
    ]
    assert events(HUMAN, AT - 1, AT + 10_000) == found
    as_json = [
        f'{{"at": "{line[:24]}", "level": "INFO", "actor": "supervisor", "message": "{line[33:]}"}}'
        for line in HUMAN[:5]
    ]
    assert events(as_json, AT - 1, AT + 10_000) == found
    assert events(HUMAN, AT + 1, AT + 1_999) == found[1:2]


def test_what_was_rotated_away_is_read_first(tmp_path: Path) -> None:
    log = tmp_path / "supervisor.log"
    for name, text in (("", "4\n"), (".1", "3\n"), (".2", "2\n"), (".10", "1\n")):
        log.with_name(f"supervisor.log{name}").write_text(text)
    assert list(read_log(log)) == ["1", "2", "3", "4"]
    assert list(read_log(tmp_path / "none.log")) == []
