"""What becomes of two people by what one of them does. Pure: the database, the clock and the mail are elsewhere.

Each rule takes the pair as the acting person looks at it and returns the pair as it is afterwards, or raises Refusal.
What the other must not learn (a decline, a block) is in no rule's change of the other's view.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from protocols.errors import Refusal
from storage.sides import Pair, Side

QUIET_MS: Final = 30 * 86_400_000
"""After a decline the same person may cancel and ask again, but for so long it is not shown: nobody is pestered."""

HOUR_MS: Final = 3_600_000


def ask(pair: Pair, now: int, request: str) -> Pair:
    """Ask to be in contact. When the other has asked too, shown or not, the two are in contact.

    A request to somebody who blocks, or who declined within QUIET_MS, is hidden: pending to whoever asked, and never
    shown to the other.
    """
    mine, theirs = pair
    if mine.blocks:
        raise Refusal("conflict", "You blocked this person; unblock them first.")
    if mine.stance in {"contact", "asked"}:
        return pair
    if theirs.stance == "asked":
        return _in_contact(pair)
    quiet = mine.declined_at > 0 and now - mine.declined_at < QUIET_MS
    return pair._replace(mine=_with(mine, stance="asked", request=request, hidden=theirs.blocks or quiet))


def accept(pair: Pair) -> Pair:
    """Accept the other's request. Once accepted, accepting it again changes nothing."""
    if pair.theirs.stance == "contact":
        return pair
    if pair.view.relation != "incoming":
        raise Refusal("not_found")
    return _in_contact(pair)


def decline(pair: Pair, now: int) -> Pair:
    """Decline the other's request, silently: to them it stays pending."""
    mine, theirs = pair
    if theirs.stance == "contact":
        raise Refusal("conflict", "This request was accepted already.")
    if theirs.stance != "asked":
        raise Refusal("not_found")
    if theirs.hidden:
        return pair
    return Pair(mine, _with(theirs, hidden=True, declined_at=now))


def cancel(pair: Pair) -> Pair:
    """Take back one's own pending request."""
    if pair.mine.stance == "contact":
        raise Refusal("conflict", "This request was accepted already.")
    if pair.mine.stance != "asked":
        raise Refusal("not_found")
    return pair._replace(mine=_alone(pair.mine))


def remove(pair: Pair) -> Pair:
    """End being in contact. To the other it looks as if the two had never been."""
    mine, theirs = pair
    if mine.stance == "removed":
        return pair
    if mine.stance != "contact":
        raise Refusal("not_found")
    return Pair(_with(_alone(mine), stance="removed"), _alone(theirs))


def block(pair: Pair) -> Pair:
    """Block the other. They are as if removed; what they asked, and ask later, stays pending to them, and hidden."""
    mine, theirs = pair
    if mine.blocks:
        return pair
    if theirs.stance == "contact":
        theirs = _alone(theirs)
    elif theirs.stance == "asked":
        theirs = _with(theirs, hidden=True)
    return Pair(_with(_alone(mine), blocks=True), theirs)


def unblock(pair: Pair) -> Pair:
    """Take a block back. What the other asked meanwhile stays hidden, so that nothing changes to them."""
    if not pair.mine.blocks:
        return pair
    return pair._replace(mine=_with(pair.mine, blocks=False))


def settled(before: Pair, after: Pair, now: int, change: int) -> Pair:
    """`after` with time and number of the change on each side that sees something else than before."""

    def side(old: Pair, new: Pair) -> Side:
        return new.mine if old.view == new.view else _with(new.mine, at=now, change=change)

    return Pair(side(before, after), side(before.turned, after.turned))


def told_to_both(pair: Pair) -> bool:
    """Whether the last change of what the acting person sees was one of what the other sees as well.

    Only then may the other be told of it: a push that repeats what they see already would give away a decline.
    """
    return pair.mine.change == pair.theirs.change


def wait_ms(newest: Sequence[int], limit: int, now: int) -> int:
    """How long somebody who asked at these times (Unix ms, newest first) has to wait before asking again; 0: not."""
    if limit == 0 or len(newest) < limit:
        return 0
    return max(0, newest[limit - 1] + HOUR_MS - now)


def _in_contact(pair: Pair) -> Pair:
    # The request's id stays, so that accepting it twice is no error.
    mine, theirs = (_with(side, stance="contact", hidden=False, met=True, declined_at=0) for side in pair)
    return Pair(mine, theirs)


def _alone(side: Side) -> Side:
    return _with(side, stance="none", request="", hidden=False)


def _with(side: Side, **changes: object) -> Side:
    return msgspec.structs.replace(side, **changes)
