"""What two people are to each other, as stored, and what each of them may see of it. No I/O."""

from typing import Literal, NamedTuple

from msgspec import Struct

from protocols.values import Relation

Stance = Literal["none", "asked", "contact", "removed"]


class Side(Struct, frozen=True, kw_only=True):
    """One person's half of a pair.

    `blocks`: the person blocks the other. `hidden`: the person's request is kept from the other, who declined it or
    blocks. `request` is the id of the person's request, kept after it was accepted. `declined_at`: when the other
    last declined. `met`: the two were in contact at some time. `at`: since when the person sees what they see;
    `change`: the number of the change by which they came to see it. Times are Unix ms, 0 for never.
    """

    stance: Stance = "none"
    blocks: bool = False
    hidden: bool = False
    met: bool = False
    request: str = ""
    declined_at: int = 0
    at: int = 0
    change: int = 0


class View(NamedTuple):
    """What the other is to a person, and the id of the request that is pending between them, or ""."""

    relation: Relation
    request: str = ""


class Pair(NamedTuple):
    """Both halves, as the person called `mine` looks at them."""

    mine: Side
    theirs: Side

    @property
    def view(self) -> View:
        """What the person sees. Blocks, removals and declines of the other do not show in it."""
        mine, theirs = self
        if mine.blocks:
            return View("blocked")
        if mine.stance == "contact":
            return View("contact")
        if mine.stance == "asked":
            return View("outgoing", mine.request)
        if theirs.stance == "asked" and not theirs.hidden:
            return View("incoming", theirs.request)
        return View("removed" if mine.stance == "removed" else "none")

    @property
    def turned(self) -> "Pair":
        """The same pair as the other looks at it."""
        return Pair(self.theirs, self.mine)

    @property
    def consent(self) -> bool:
        """Whether the two may write to each other."""
        both = self.mine.stance == self.theirs.stance == "contact"
        return both and not self.mine.blocks and not self.theirs.blocks


STRANGERS = Pair(Side(), Side())
