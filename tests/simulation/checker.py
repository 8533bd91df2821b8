"""Whether the promise was kept, in the words of the drills: lost, duplicated, reordered, gap, unexpected."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from actors.runtime.dispatch import TRIES
from drill.ledger import Account, Logged, Sent, settle
from drill.report import judged
from drill.screen import Shown
from storage.conversations import Conversations
from tests.simulation.device import Device, Typed


@dataclass(frozen=True)
class Ending:
    """What is left in the end. `claims`: what people's devices have and have read, by person and conversation.

    `deaths` counts all processes that ended. `deleted`: somebody deleted a mailbox with what was in it. That is sent
    again; messages keep their order then, and changes of messages may not.
    """

    log: sqlite3.Connection
    devices: Sequence[Device]
    claims: Mapping[tuple[str, str], tuple[int, int]]
    letters: Sequence[int]
    deaths: int
    recovered: bool
    deleted: bool


@dataclass(frozen=True)
class Entry:
    """A message of the log."""

    conversation: str
    seq: int
    version: int
    first_version: int
    client_id: str
    sender: str
    body: str
    deleted: bool


def judge(ending: Ending) -> list[str]:
    """A sentence for each promise that was broken."""
    entries = [
        Entry(*row)
        for row in ending.log.execute(
            "SELECT c.id, m.seq, m.version, m.first_version, m.client_id, m.sender, m.body, m.deleted "
            "FROM message AS m JOIN conversation AS c ON c.key = m.conversation ORDER BY c.id, m.seq"
        )
    ]
    broken = [] if ending.recovered else ["it did not recover"]
    typed = {client_id: one for device in ending.devices for client_id, one in device.typed.items()}
    for account in _accounts(ending, entries):
        broken += judged(_forgiven(account, typed, ending), 0.0) if account.sent else []
    broken += _log_as_typed(entries, typed, ordered=not ending.deleted)
    for device in ending.devices:
        broken += _screen(device, entries)
        broken += [f"{device.name} waits for {one}" for one in device.unanswered]
        broken += _counts(device, ending)
    broken += _receipts(ending, given_up=any(ending.letters))
    problem = ending.log.execute("PRAGMA integrity_check").fetchone()[0]
    if problem != "ok":
        broken.append(f"the database is broken: {problem}")
    if any(ending.letters) and ending.deaths < TRIES - 1:
        broken.append("mail is left in the queues")
    return broken


def _accounts(ending: Ending, entries: Sequence[Entry]) -> list[Account]:
    """The drills' own account, once for each person's first device and once for the others."""
    original = {one.client_id: one.body for device in ending.devices for one in device.typed.values()}
    sent = [
        Sent(one.client_id, device.person, one.to, one.body, 0.0, one.seq, one.refused)
        for device in ending.devices
        for one in device.typed.values()
        if one.kind == "send"
    ]
    logged = [Logged(one.seq, one.client_id, one.sender, original.get(one.client_id, "")) for one in entries]
    accounts = []
    for others in (False, True):
        screens = {
            device.person: _as_typed(device.shown, original, plain=all(one.version == one.seq for one in entries))
            for device in ending.devices
            if (device.name != device.person) == others
        }
        if screens:
            accounts.append(settle(sent, screens, logged))
    return accounts


def _as_typed(shown: Sequence[Shown], original: Mapping[str, str], *, plain: bool) -> list[Shown]:
    """What was shown, under the words that were typed first; where messages were changed, in the order of places.

    A message that was changed comes later than its neighbours to a device that was away, and is shown at its place.
    """
    first = [structs.replace(one, body=original.get(one.client_id, "")) for one in shown]
    return first if plain else sorted(first, key=lambda one: (one.conversation, one.seq))


def _forgiven(account: Account, typed: Mapping[str, Typed], ending: Ending) -> Account:
    """A command that was in hand each time that router died may be set aside, with an answer."""
    if ending.deaths < TRIES - 1:
        return account
    refused = [one for one in account.refused if typed[one].refused != "internal"]
    return structs.replace(account, refused=refused, stored=account.stored or 1)


def _log_as_typed(entries: Sequence[Entry], typed: Mapping[str, Typed], *, ordered: bool) -> list[str]:
    broken = []
    places = {one.client_id: one for one in entries}
    if len(places) != len(entries):
        broken.append("a client_id stands in the log twice")
    wanted = {client_id: (one.body, False) for client_id, one in typed.items() if one.kind == "send" and one.version}
    for one in typed.values():
        if one.kind != "send" and one.version and not wanted[one.target][1]:
            wanted[one.target] = ("", True) if one.kind == "delete" else (one.body, False)
    for client_id, (body, deleted) in wanted.items():
        entry = places.get(client_id)
        if entry is None:
            broken.append(f"{client_id} has a tick and is not in the log")
        elif ordered and (entry.body, entry.deleted) != (body, deleted):
            broken.append(f"{client_id} should be {body!r} in the log and is {entry.body!r}")
    broken += [f"{one} is in the log and was refused" for one in places if typed[one].refused]
    return broken


def _screen(device: Device, entries: Sequence[Entry]) -> list[str]:
    """In the end every device shows what the log has, and it came in the log's order."""
    mine = {
        (row[0].conversation, row[0].seq): row[0]
        for row in ((one,) for one in entries)
        if row[0].conversation in device.rows or row[0].sender == device.person
    }
    broken = []
    shown = {(conversation, seq): row for conversation, rows in device.rows.items() for seq, row in rows.items()}
    for place, entry in mine.items():
        row = shown.get(place)
        if row is None:
            broken.append(f"{device.name} does not show {entry.client_id}")
        elif (row.client_id, row.sender, row.body, row.deleted, row.version) != (
            entry.client_id, entry.sender, entry.body, entry.deleted, entry.version,
        ):  # fmt: skip
            broken.append(f"{device.name} shows {row}, and the log has {entry}")
    broken += [f"{device.name} shows {place}, which is not in the log" for place in shown if place not in mine]
    latest: dict[str, int] = {}
    first = {(one.conversation, one.seq): one.first_version for one in entries}
    for one in device.shown:
        if first.get((one.conversation, one.seq)) == one.version:
            if one.seq <= latest.get(one.conversation, 0):
                broken.append(f"{device.name} showed {one.client_id} out of order")
            latest[one.conversation] = one.seq
    return broken


def _counts(device: Device, ending: Ending) -> list[str]:
    """Unread as the server tells it is what a device counts by itself: the other's messages that I have not read."""
    broken = []
    for summary in Conversations(ending.log).of(device.person):
        read = device.receipts.get((summary.id, device.person), (0, 0))[1]
        rows = device.rows.get(summary.id, {})
        naive = sum(1 for seq, row in rows.items() if row.sender != device.person and seq > read and not row.deleted)
        if naive != summary.unread:
            broken.append(f"{device.name} counts {naive} unread, and the server {summary.unread}")
    return broken


def _receipts(ending: Ending, *, given_up: bool) -> list[str]:
    """Both receipts of each conversation. One that was set aside is told again when its device comes back."""
    broken = []
    rows = ending.log.execute(
        "SELECT id, low, low_delivered, low_read, high, high_delivered, high_read FROM conversation"
    ).fetchall()
    for conversation, *sides in rows:
        for person, delivered, read in (sides[:3], sides[3:]):
            claimed = ending.claims.get((person, conversation), (0, 0))
            if (max(claimed), claimed[1]) != (delivered, read) and not given_up:
                broken.append(f"{person} claims {claimed} of {conversation}, and the log has {(delivered, read)}")
            broken += [
                f"{device.name} sees {person} at {seen} in {conversation}, not at {(delivered, read)}"
                for device in ending.devices
                if device.person in {sides[0], sides[3]}
                and (seen := device.receipts.get((conversation, person), (0, 0))) != (delivered, read)
            ]
    return broken
