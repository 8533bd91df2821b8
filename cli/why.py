"""`parley why MESSAGE_ID`: what became of a message, a line a step, and which actor was restarting meanwhile.

It reads the databases and the supervisor's log, so it needs nothing to run. It never shows what the message says.
"""

import argparse
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from cli.exits import FAILED, CommandError
from protocols.errors import Refusal
from protocols.notifier import Decision
from protocols.records import Conversation, MessageRecord, seq_of
from protocols.values import rfc3339
from settings import Paths, load
from storage.auth import AUTH
from storage.notifier import NOTIFIER
from storage.router import ROUTER, RouterUnit
from storage.sibling import Sibling

BEFORE_MS: Final = 10_000
AFTER_MS: Final = 60_000
"""How long before and after a message restarts are told: a push that was lost is made up for well within that."""
PUSHED_MS: Final = 2_000
"""A router that ends so soon after storing a message may not have pushed it."""
RESTARTS_MOST: Final = 20

_TIME: Final = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z"
# As the supervisor writes it for people, and as JSON.
_LINE: Final = re.compile(
    rf'(?:\{{"at": ?")?{_TIME}(?:"| ).*?(?:"message": ?"|(?:INFO|ERROR|WARNING|DEBUG) +)'
    r"([a-z_]+(?:\.\d+)?): ((?:ready after|ended|stopped|no sign of life)[^\"]*)"
)


class Event(Struct, frozen=True):
    """Something that happened to an actor. `at` is Unix ms."""

    at: int
    name: str
    what: str


class Story(Struct, frozen=True, kw_only=True):
    """All that is known of a message. `delivered` and `read` are how far its recipient has come.

    `seen` is as much of `read` as its sender may know. `decisions` are those about its recipient, None when notifier's
    database cannot be read. `names` maps ids of people to usernames.
    """

    message: MessageRecord
    recipient: str
    delivered: int
    read: int
    seen: int
    decisions: Sequence[Decision] | None
    names: dict[str, str]
    events: Sequence[Event]


def add_parser(subparsers: Any) -> None:
    """Add why."""
    parser = subparsers.add_parser("why", help="what became of a message: stored, pushed, delivered, read, announced")
    parser.add_argument("message", metavar="MESSAGE_ID", help="as its `ok`, or the page's message details, name it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 there is no such message, or router's database cannot be read."""
    try:
        story = find(Paths.of(load()), args.message)
    except Refusal as refusal:
        raise CommandError(refusal.body.message, FAILED) from refusal
    print("\n".join(told(story)))
    return 0


def find(paths: Paths, message_id: str) -> Story:
    """Gather it. Raises CommandError when there is no such message, and Refusal when router's log cannot be read."""
    conversation = message_id.rpartition("-")[0]
    seq = seq_of(conversation, message_id)
    router = Sibling(ROUTER, paths.databases)
    try:
        found = router.read(lambda tx: _message(tx, conversation, seq)) if seq is not None else None
    finally:
        router.close()
    if found is None:
        raise CommandError(f"there is no message {message_id}")
    talk, message, (delivered, read, seen) = found
    recipient = talk.peer_of(message.sender)
    decisions = _decisions(paths, message, recipient)
    until = max([message.at, *(one.at for one in decisions or ())]) + AFTER_MS
    return Story(
        message=message,
        recipient=recipient,
        delivered=delivered,
        read=read,
        seen=seen,
        decisions=decisions,
        names=_names(paths, [message.sender, recipient]),
        events=events(read_log(paths.logs / "supervisor.log"), message.at - BEFORE_MS, until),
    )


def told(story: Story) -> list[str]:
    """The story, a line a step."""
    message, recipient = story.message, story.names[story.recipient]
    place = f"place {message.seq} of conversation {message.conversation}"
    lines = [
        _line(
            "stored",
            f"{rfc3339(message.at)} at {place}, from {story.names[message.sender]} to {recipient}, "
            f"client_id {message.client_id}",
        )
    ]
    if message.deleted:
        lines.append(_line("changed", "deleted by its sender since"))
    elif message.edited_at is not None:
        lines.append(_line("changed", f"last edited {rfc3339(message.edited_at)}"))
    lines.append(_line("pushed", _pushed(story)))
    reached = story.delivered >= message.seq
    lines.append(
        _line("delivered", f"yes, to a device of {recipient}" if reached else f"no, {recipient} has none of it yet")
    )
    lines.append(_line("read", _read(story)))
    lines += [_line("decided", text) for text in _decided(story)]
    lines += [_line("meanwhile", f"{rfc3339(one.at)} {one.name}: {one.what}") for one in story.events]
    if not story.events:
        lines.append(_line("meanwhile", "no actor ended or started"))
    return lines


def events(lines: Iterable[str], since: int, until: int) -> list[Event]:
    """What the supervisor's log tells of actors that ended and came back in that time (Unix ms), in order."""
    found: list[Event] = []
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        at = round(datetime.fromisoformat(f"{match[1]}+00:00").timestamp() * 1000)
        if since <= at <= until:
            found.append(Event(at, match[2], match[3].strip()))
    return found[:RESTARTS_MOST]


def read_log(path: Path) -> Iterable[str]:
    """The lines of a log and of what was rotated away before it, the oldest first."""
    older = sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda one: -int(one.suffix[1:]))
    for one in (*older, path):
        try:
            yield from one.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            # Rotated away this moment, or there never was a supervisor.
            continue


def _message(
    tx: RouterUnit, conversation: str, seq: int
) -> tuple[Conversation, MessageRecord, tuple[int, int, int]] | None:
    talk, message = tx.conversations.get(conversation), tx.messages.get(conversation, seq)
    thread = tx.conversations.thread(conversation)
    if talk is None or message is None or thread is None:
        return None
    side = thread.peer(message.sender)
    return talk, message, (side.delivered, side.read, side.seen)


def _decisions(paths: Paths, message: MessageRecord, recipient: str) -> list[Decision] | None:
    notifier = Sibling(NOTIFIER, paths.databases)
    try:
        rows = notifier.read(lambda tx: tx.decisions.about(message.conversation, message.seq))
    except Refusal:
        return None
    finally:
        notifier.close()
    return [decision for person, decision in rows if person == recipient]


def _names(paths: Paths, people: Sequence[str]) -> dict[str, str]:
    auth = Sibling(AUTH, paths.databases)
    try:
        users = auth.read(lambda tx: tx.accounts.users(people))
    except Refusal:
        users = {}
    finally:
        auth.close()
    return {one: users[one].username if one in users and users[one].username else one for one in people}


def _pushed(story: Story) -> str:
    if story.delivered >= story.message.seq:
        return "yes, or read from the log: it was delivered"
    at = story.message.at
    ended = next((one for one in story.events if one.name == "router" and at <= one.at <= at + PUSHED_MS), None)
    if ended is not None:
        return (
            f"perhaps not: router {ended.what.partition(';')[0]} {ended.at - at} ms later; pages read it from the log"
        )
    return "to every front, when it was stored; pages that were away then read it from the log"


def _read(story: Story) -> str:
    recipient = story.names[story.recipient]
    if story.read < story.message.seq:
        return f"no, {recipient} has seen the conversation up to place {story.read}"
    return "yes" if story.seen >= story.message.seq else "yes, in private: the sender is not told"


def _decided(story: Story) -> list[str]:
    if story.decisions is None:
        return ["unknown: notifier's database cannot be read now"]
    if not story.decisions:
        return ["nothing is kept: notifier has not come to it yet, or it is more than a week ago"]
    return [f"{rfc3339(one.at)} {one.what} ({one.code}): {one.reason}" for one in story.decisions]


def _line(step: str, text: str) -> str:
    return f"{step:<10} {text}"
