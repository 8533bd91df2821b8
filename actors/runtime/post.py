"""How a process that owns nothing talks to owners: it tells, it asks, or it signals."""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from protocols.mail import Command

R = TypeVar("R")


class Asker(Protocol):
    """Questions, and what is not worth a question."""

    async def ask(self, to: str, command: Command[R], *, within: float, id: str = "", person: str = "") -> R:  # noqa: A002  (as in Item)
        """Wait at most `within` seconds for the owner's reply. `id` defaults to a fresh one.

        Raises the owner's Refusal, or Refusal("unavailable") when no answer came in time: a durable command may be
        done later all the same, so repeat it with the same id.
        """

    def signal(self, to: str, command: Command[Any], *, person: str = "", within: float) -> None:
        """Say something that is worth nothing later: transient, unordered, unanswered, gone after `within` seconds.

        Never waits and never raises. At a bound of signals that the broker has not taken, it is dropped.
        """


class Post(Asker, Protocol):
    """Mail out of this process. One ordered lane an owner: what is told arrives in the order of the calls."""

    @property
    def bulk(self) -> Asker:
        """By which to ask what carries much, so that nothing else waits behind it."""
        return self

    @property
    def incarnation(self) -> str:
        """Names this run of this process; outcomes of what it told come back under it."""

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached now. While it cannot, nobody's silence says anything."""

    def tell(self, to: str, command: Command[Any], *, id: str, person: str, correlation: str, after: str = "") -> None:  # noqa: A002  (as in Item)
        """Hand a durable command over. Its Outcome comes by push, with this correlation, whenever it is done.

        `after`: the id of a command of the same person that it must not overtake, even when that one is lost.

        Never waits: while the broker or the owner is away, mail gathers in a bounded lane. Raises
        Refusal("unavailable") at the bound, when nothing was taken.
        """

    def drop(self, correlations: Iterable[str]) -> None:
        """Nobody waits for these outcomes any more: a copy may take the place of what is not with the broker yet."""

    async def kept(self, to: str, within: float) -> bool:
        """Whether all that was told to an owner so far is with the broker, or came to be within so many seconds.

        Until then it is in this process alone, and may end with it.
        """

    async def depth(self, of: str, within: float) -> int:
        """How much mail waits for an owner, whether it runs or not. Raises Refusal("unavailable")."""
