"""Whether what notifier kept about a conversation is what it should be. No I/O."""

from collections.abc import Sequence
from itertools import pairwise

from protocols.notifier import Decision, Notice


def mistakes(notices: Sequence[Notice], decisions: Sequence[Decision], last: int, *, read: bool) -> list[str]:
    """Everything wrong with what one person was told of messages 1 to `last` of another in one conversation.

    `read`: some of them were read meanwhile; otherwise all must stand in one notice.
    """
    found: list[str] = []
    for seq in range(1, last + 1):
        times = sum(one.first <= seq <= one.last for one in decisions)
        if times != 1:
            found.append(f"message {seq} was decided {times} times")
    spans = sorted((one.data.from_seq, one.data.to_seq) for one in notices)
    found += [f"{one} and {other} tell the same" for one, other in pairwise(spans) if other[0] <= one[1]]
    if not read and ([one.read for one in notices], spans) != ([False], [(1, last)]):
        found.append(f"told of {spans} instead of {(1, last)}")
    return found
