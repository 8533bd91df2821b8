"""Judges a run by its log alone, in Jepsen's words. Pure.

Whoever has a tick has a promise: the message is in the database at the place that the tick named, with the text that
was typed, and on every screen of both people once and in the order of the log.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tests.chaos.record import Device, Receipt, Record, Refused, Repeated, Settled, Showed, Stored, Ticked, Typed

MEMORY_BOUND = 256 << 20
BROKER_BOUND = 768 << 20
"""Bytes of PSS that an actor, the supervisor, or the broker with its helpers may have held at most."""

BROKER = "broker"

PROMISED = (
    "lost", "duplicated", "reordered", "gap", "unexpected", "unequal", "refused", "unanswered", "receipts",
    "queues", "damaged", "zombies", "orphans", "memory", "troubles",
)  # fmt: skip
"""What of a verdict must be empty."""


class Verdict(Struct, frozen=True, kw_only=True):
    """Lists name messages (client_ids) or say in words; all but the numbers are empty when the promise was kept.

    lost: ticked, and not stored at that place as typed, or not on a screen where it belongs. duplicated: stored, shown
    or ticked at two places. reordered: shown or stored in another order than the log's or than typed. gap: a hole in a
    conversation's sequence. unexpected: stored or shown and never typed so. unequal: two who look at the same
    conversation do not see the same. receipts: what one side has read is not what the other was told, or not
    everything. recovered: had no tick, and was stored and shown all the same, which is fine. repeated: sent again.
    """

    typed: int
    acknowledged: int
    shown: int
    repeated: int
    recovered: int
    lost: Sequence[str]
    duplicated: Sequence[str]
    reordered: Sequence[str]
    gap: Sequence[str]
    unexpected: Sequence[str]
    unequal: Sequence[str]
    refused: Sequence[str]
    unanswered: Sequence[str]
    receipts: Sequence[str]
    queues: Sequence[str]
    damaged: Sequence[str]
    zombies: Sequence[str]
    orphans: Sequence[str]
    memory: Sequence[str]
    troubles: Sequence[str]

    @property
    def kept(self) -> bool:
        return not any(getattr(self, name) for name in PROMISED)


class _Findings:
    """Everything that a log holds, sorted out."""

    def __init__(self, records: Iterable[Record]) -> None:
        kinds: dict[type, list[Any]] = defaultdict(list)
        for one in records:
            kinds[type(one)].append(one)
        self.devices: dict[str, Device] = {one.device: one for one in kinds[Device]}
        self.typed: dict[str, Typed] = {one.client_id: one for one in kinds[Typed]}
        self.refused: dict[str, Refused] = {one.client_id: one for one in kinds[Refused]}
        self.ticked: dict[str, list[Ticked]] = _by("client_id", kinds[Ticked])
        self.shown: dict[str, list[Showed]] = _by("device", kinds[Showed])
        self.stored: list[Stored] = kinds[Stored]
        self.receipts: list[Receipt] = kinds[Receipt]
        self.settled: Settled | None = next(iter(kinds[Settled]), None)
        self.repeated = len(kinds[Repeated])

    def person(self, device: str) -> str:
        return self.devices[device].person

    def screens_of(self, device: str) -> list[str]:
        """Every device on which a message of this one belongs: its own person's and the other's."""
        owner = self.devices[device]
        return [name for name, one in self.devices.items() if one.person in {owner.person, owner.peer}]


def _by(field: str, records: Iterable[Any]) -> dict[str, list[Any]]:
    sorted_out: dict[str, list[Any]] = defaultdict(list)
    for one in records:
        sorted_out[getattr(one, field)].append(one)
    return sorted_out


def judge(records: Iterable[Record]) -> Verdict:
    """Raises ValueError for the log of a run that did not come to its end."""
    found = _Findings(records)
    settled = found.settled
    if settled is None:
        raise ValueError("the log has no end: the run was interrupted")
    answered = found.ticked.keys() | found.refused.keys()
    silent = [client_id for client_id in found.typed if client_id not in answered]
    stored = {one.client_id for one in found.stored}
    return Verdict(
        typed=len(found.typed),
        acknowledged=len(found.ticked),
        shown=sum(len(shown) for shown in found.shown.values()),
        repeated=found.repeated,
        recovered=sum(1 for client_id in silent if client_id in stored),
        lost=_lost(found),
        duplicated=_duplicated(found),
        reordered=_reordered(found),
        gap=_gaps(found),
        unexpected=_unexpected(found),
        unequal=_unequal(found),
        refused=[f"{one.client_id} ({one.code})" for one in found.refused.values()],
        unanswered=silent,
        receipts=_receipts(found),
        queues=[f"{name}: {count}" for name, count in settled.queues.items() if count],
        damaged=settled.damaged,
        zombies=settled.zombies,
        orphans=settled.orphans,
        memory=_memory(settled.memory),
        troubles=[*settled.troubles, *([] if settled.calm else ["it did not settle in time"])],
    )


def _lost(found: _Findings) -> list[str]:
    rows = {(one.client_id, one.conversation, one.seq, one.message_id, one.stored, one.body) for one in found.stored}
    on = {device: {one.client_id for one in shown} for device, shown in found.shown.items()}
    lost = []
    for client_id, ticks in found.ticked.items():
        typed = found.typed.get(client_id)
        if typed is None:
            continue  # a tick for what nobody typed is another word
        tick = ticks[0]
        row = (client_id, tick.conversation, tick.seq, tick.message_id, tick.stored, typed.body)
        if row not in rows:
            lost.append(f"{client_id} (not stored as ticked)")
        lost.extend(
            f"{client_id} (not on {device})"
            for device in found.screens_of(typed.device)
            if client_id not in on.get(device, ())
        )
    return lost


def _duplicated(found: _Findings) -> list[str]:
    times = Counter(one.client_id for one in found.stored)
    doubled = [f"{client_id} (stored {count} times)" for client_id, count in times.items() if count > 1]
    for device, shown in found.shown.items():
        seen = Counter(one.client_id for one in shown)
        doubled += [f"{client_id} (shown {count} times on {device})" for client_id, count in seen.items() if count > 1]
    for client_id, ticks in found.ticked.items():
        if len({(one.conversation, one.seq, one.version, one.message_id, one.stored) for one in ticks}) > 1:
            doubled.append(f"{client_id} (ticked differently)")
    return doubled


def _reordered(found: _Findings) -> list[str]:
    wrong = []
    for device, shown in found.shown.items():
        last: dict[str, int] = defaultdict(int)
        for one in shown:
            if one.seq < last[one.conversation]:
                wrong.append(f"{one.client_id} (on {device})")
            last[one.conversation] = max(last[one.conversation], one.seq)
    places = {one.client_id: one.seq for one in found.stored}
    before: dict[str, int] = defaultdict(int)
    # A log holds what a device typed in the order of typing.
    for client_id, typed in found.typed.items():
        place = places.get(client_id)
        if place is None:
            continue
        if place < before[typed.device]:
            wrong.append(f"{client_id} (stored before what was typed earlier)")
        before[typed.device] = max(before[typed.device], place)
    return wrong


def _gaps(found: _Findings) -> list[str]:
    views: dict[tuple[str, str], set[int]] = defaultdict(set)
    for one in found.stored:
        views["the database", one.conversation].add(one.seq)
    for device, shown in found.shown.items():
        for each in shown:
            views[device, each.conversation].add(each.seq)
    return [
        f"{conversation}/{seq} ({who})"
        for (who, conversation), seqs in views.items()
        for seq in range(1, max(seqs) + 1)
        if seq not in seqs
    ]


def _unexpected(found: _Findings) -> list[str]:
    strange = []
    everywhere: list[tuple[str, Stored | Showed]] = [("stored", one) for one in found.stored]
    everywhere += [(f"on {device}", one) for device, shown in found.shown.items() for one in shown]
    for where, one in everywhere:
        typed = found.typed.get(one.client_id)
        if typed is None:
            strange.append(f"{one.client_id} ({where}, never typed)")
        elif one.client_id in found.refused:
            strange.append(f"{one.client_id} ({where}, was refused)")
        elif (one.body, one.sender) != (typed.body, found.person(typed.device)):
            strange.append(f"{one.client_id} ({where}, not as typed)")
    return strange + [f"{client_id} (ticked, never typed)" for client_id in found.ticked.keys() - found.typed.keys()]


def _unequal(found: _Findings) -> list[str]:
    """Whole rows are compared: places, versions, ids, texts and times."""
    log: dict[tuple[str, int], Stored] = {(one.conversation, one.seq): one for one in found.stored}
    unequal = []
    for device, shown in found.shown.items():
        for one in shown:
            row = log.get((one.conversation, one.seq))
            if row is None or any(getattr(row, name) != getattr(one, name) for name in Stored.__struct_fields__):
                unequal.append(f"{one.client_id} ({device} and the database)")
    # Who was shown less than is stored is found here, whether or not it had a tick.
    counts = Counter(one.conversation for one in found.stored)
    for device, shown in found.shown.items():
        for conversation, count in Counter(one.conversation for one in shown).items():
            if count != counts[conversation]:
                unequal.append(f"{device} shows {count} of {counts[conversation]} in {conversation}")
    return unequal


def _receipts(found: _Findings) -> list[str]:
    """In the end everybody has and has read everything, the database says so, and everybody was told so."""
    last: dict[tuple[str, str], int] = defaultdict(int)
    for row in found.stored:
        last[row.conversation, row.sender] = max(last[row.conversation, row.sender], row.seq)
    peers = {device.person: device.peer for device in found.devices.values()}
    kept = {(one.conversation, one.person): (one.delivered, one.read) for one in found.receipts if not one.device}
    wrong = []
    for (conversation, sender), seq in last.items():
        reader = peers.get(sender, "")
        if kept.get((conversation, reader)) != (seq, seq):
            wrong.append(f"{reader} has {kept.get((conversation, reader))} of {seq} in {conversation}")
    return wrong + [
        f"{one.device} was told {one.delivered}, {one.read} of {one.person} in {one.conversation}"
        for one in found.receipts
        if one.device and kept.get((one.conversation, one.person)) != (one.delivered, one.read)
    ]


def _memory(memory: Mapping[str, int]) -> list[str]:
    return [
        f"{name} held {held >> 20} MiB"
        for name, held in memory.items()
        if held > (BROKER_BOUND if name == BROKER else MEMORY_BOUND)
    ]
