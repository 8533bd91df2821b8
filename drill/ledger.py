"""Account for every message: what was sent, what was acknowledged, what was shown. Pure; in Jepsen's words."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct

from drill.screen import Shown


class Sent(Struct, frozen=True):
    """A message that somebody typed, in the order of typing. `seq` is what the tick said, 0 without a tick."""

    client_id: str
    sender: str
    to: str
    body: str
    at: float
    seq: int = 0
    refused: str = ""


class Logged(Struct, frozen=True):
    """A message of the log, as the server tells it to somebody who reads it from the beginning."""

    seq: int
    client_id: str
    sender: str
    body: str


class Account(Struct, frozen=True, kw_only=True):
    """Every list names client_ids; all but `sent`, `stored` and `shown` are empty when the promise was kept.

    lost: acknowledged, and not on the recipient's screen. duplicated: on it twice. reordered: shown or stored in
    another order than typed. gap: a hole in a conversation's sequence. unexpected: shown, and never typed or refused,
    or with another text. unlogged: acknowledged, and not at that place of the log that the server tells afterwards.

    The promise is about what has its tick. What has none is listed too: `refused`, and `unanswered`, which waits still.
    """

    sent: int
    stored: int
    shown: int
    lost: Sequence[str]
    duplicated: Sequence[str]
    reordered: Sequence[str]
    gap: Sequence[str]
    unexpected: Sequence[str]
    unlogged: Sequence[str] = ()
    refused: Sequence[str] = ()
    unanswered: Sequence[str] = ()

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.duplicated or self.reordered or self.gap or self.unexpected or self.unlogged)


def settle(
    sent: Sequence[Sent], screens: Mapping[str, Sequence[Shown]], log: Sequence[Logged] | None = None
) -> Account:
    """Hold what people typed against what the others' screens (by person) showed, and against the log when given."""
    typed = {one.client_id: one for one in sent}
    lost: list[str] = []
    duplicated: list[str] = []
    reordered: list[str] = []
    gap: list[str] = []
    unexpected: list[str] = []
    shown_to: dict[str, Counter[str]] = {}
    total = 0
    for person, shown in screens.items():
        incoming = [one for one in shown if one.sender != person]
        total += len(incoming)
        shown_to[person] = Counter(one.client_id for one in incoming)
        duplicated.extend(client_id for client_id, times in shown_to[person].items() if times > 1)
        last: dict[str, int] = defaultdict(int)
        for one in incoming:
            source = typed.get(one.client_id)
            if source is None or source.refused or source.body != one.body or source.sender != one.sender:
                unexpected.append(one.client_id)
            if one.seq <= last[one.conversation]:
                reordered.append(one.client_id)
            last[one.conversation] = one.seq
        seqs: dict[str, set[int]] = defaultdict(set)
        for one in shown:
            seqs[one.conversation].add(one.seq)
        gap.extend(
            f"{conversation}/{seq}"
            for conversation, seen in seqs.items()
            for seq in range(1, max(seen) + 1)
            if seq not in seen
        )
    order: dict[tuple[str, str], int] = defaultdict(int)
    for typed_one in sent:
        if not typed_one.seq:
            continue
        if typed_one.seq <= order[typed_one.sender, typed_one.to]:
            reordered.append(typed_one.client_id)
        order[typed_one.sender, typed_one.to] = typed_one.seq
        if typed_one.to in shown_to and not shown_to[typed_one.to][typed_one.client_id]:
            lost.append(typed_one.client_id)
    return Account(
        sent=len(sent),
        stored=sum(1 for one in sent if one.seq),
        shown=total,
        lost=lost,
        duplicated=duplicated,
        reordered=reordered,
        gap=gap,
        unexpected=unexpected,
        unlogged=[] if log is None else _unlogged(sent, log),
        refused=[one.client_id for one in sent if one.refused],
        unanswered=[one.client_id for one in sent if not one.seq and not one.refused],
    )


def _unlogged(sent: Sequence[Sent], log: Sequence[Logged]) -> list[str]:
    """What has a tick and is not in the log as typed and acknowledged, and what is in it more than once."""
    logged = Counter(log)
    times = Counter(one.client_id for one in log)
    missing = [
        one.client_id for one in sent if one.seq and not logged[Logged(one.seq, one.client_id, one.sender, one.body)]
    ]
    return missing + [client_id for client_id, count in times.items() if count > 1]
