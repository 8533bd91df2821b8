"""What an actor's author writes: a class with handlers. Nothing here touches a broker, a database or a clock.

    class Counter(Actor[CounterUnit]):
        name = "counter"

        @handles(Increment)
        def increment(self, tx: CounterUnit, mail: Mail[Increment]) -> Counted:
            return Counted(total=tx.counters.add(mail.person, mail.command.by))

A handler is a plain function of an open transaction and a command. What it returns is stored with the command's id
in the same transaction. A duplicate is answered from what was stored, and its effects are told anew from the rows as
they are then: that is why effects are rendered by `tells`, a function of the reply, and never from the command.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from actors.runtime.environment import Environment
from actors.runtime.errands import Errands
from protocols.errors import Refusal
from protocols.mail import Command, Push, Remembered, SessionsOver

C = TypeVar("C", bound=Command[Any])
R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U", bound="JournaledUnit")
U_co = TypeVar("U_co", bound="JournaledUnit", covariant=True)
C_co = TypeVar("C_co", bound=Command[Any], covariant=True)

Effect = Push | SessionsOver
"""What a committed transaction lets out to the fronts."""


class JournalPort(Protocol):
    """What the runtime needs of a database's journal; storage.journal.Journal is one."""

    def change(self) -> int: ...
    def recall(self, person: str, command: str, /) -> Remembered | None: ...
    def remember(self, person: str, command: str, outcome: Remembered, at: int, /) -> None: ...
    def forget_outcomes(self, before: int, /) -> int: ...
    def begin_attempt(self, person: str, command: str, /) -> int: ...
    def end_attempt(self, person: str, command: str, /) -> None: ...


class JournaledUnit(Protocol):
    """A unit of any database: its repositories, the journal, and a way to undo one command of a batch."""

    @property
    def journal(self) -> JournalPort: ...

    def savepoint(self) -> AbstractContextManager[None]: ...


class DatabasePort(Protocol[U_co]):
    """What the runtime needs of a database; storage.Database is one."""

    async def run(self, work: Callable[[U_co], T], /) -> T:
        """Run `work` in one transaction, committed when this returns."""


@dataclass(frozen=True, slots=True)
class Mail(Generic[C_co]):
    """A command as a handler sees it.

    `person`: on whose behalf. `now`: Unix milliseconds, one value for the whole batch. `prepared`: what the
    handler's `prepare` step returned. `correlation` goes into a Push, so that the socket which sent the command gets
    its outcome and not the push as well. `after`: the person's command that its sender knows to stand before this one.
    `expires`: Unix milliseconds after which nobody waits any more, 0 for never.
    """

    id: str
    person: str
    command: C_co
    now: int
    correlation: str = ""
    prepared: Any = None
    after: str = ""
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """What a batch handler says of one command: a reply with its effects, or a refusal."""

    reply: R | None = None
    refusal: Refusal | None = None
    effects: Sequence[Effect] = ()


@dataclass(frozen=True)
class Handler:
    """How one type of command is done. Made by `handles` and `handles_batch`."""

    command: type[Command[Any]]
    function: Callable[..., Any]
    tells: Callable[..., Iterable[Effect]] | None = None
    prepare: Callable[..., Awaitable[Any]] | None = None
    batch: bool = False
    recalls: Callable[[Any, Mail[Any]], "Answer[Any] | None"] | None = None


@dataclass(frozen=True)
class Timer:
    """Work that an actor does by itself every `seconds`, in a transaction of its own."""

    seconds: float
    function: Callable[..., Iterable[Effect] | None]


_MARK = "__parley__"


def handles(
    command: type[Command[R]],
    *,
    tells: Callable[[Any, Any, Mail[Any], R], Iterable[Effect]] | None = None,
    prepare: Callable[[Any, Mail[Any]], Awaitable[Any]] | None = None,
) -> Callable[[Callable[[Any, Any, Mail[Any]], R]], Callable[[Any, Any, Mail[Any]], R]]:
    """Mark a method `(self, tx, mail) -> reply` as the handler of a command.

    It raises Refusal for a definite no; nothing of it is kept then but the refusal. `tells(self, tx, mail, reply)`
    renders the effects from the rows; of `mail` it may use who and when, not what. `prepare(self, mail)` is an async
    step for what is slow or outside (a password hash): it runs before, outside any transaction, several at a time;
    its result is `mail.prepared`, and a Refusal that it raises is the answer.
    """

    def mark(function: Callable[[Any, Any, Mail[Any]], R]) -> Callable[[Any, Any, Mail[Any]], R]:
        setattr(function, _MARK, Handler(command, function, tells, prepare))
        return function

    return mark


def handles_batch(
    command: type[Command[R]],
    *,
    recalls: Callable[[Any, Mail[Any]], Answer[R] | None] | None = None,
    prepare: Callable[[Any, Mail[Any]], Awaitable[Any]] | None = None,
) -> Callable[
    [Callable[[Any, Any, Sequence[Mail[Any]]], Sequence[Answer[R]]]],
    Callable[[Any, Any, Sequence[Mail[Any]]], Sequence[Answer[R]]],
]:
    """Mark a method `(self, tx, mails) -> answers`, one answer a mail, in order, as the handler of a hot command.

    It does what the runtime does for the others: recognise duplicates, and tell effects from the rows. `recalls(tx,
    mail)` gives the answer of a command that was done before, or None: a command is not given up as the one that
    ends the process when only a copy of it is in hand. `prepare(self, mail)` is that of `handles`; the steps of mails
    begin in the order of the mails, and each joins the batch that is made when it has ended.
    """

    def mark(
        function: Callable[[Any, Any, Sequence[Mail[Any]]], Sequence[Answer[R]]],
    ) -> Callable[[Any, Any, Sequence[Mail[Any]]], Sequence[Answer[R]]]:
        setattr(function, _MARK, Handler(command, function, prepare=prepare, batch=True, recalls=recalls))
        return function

    return mark


Ticking = TypeVar("Ticking", bound=Callable[..., Iterable[Effect] | None])


def every(seconds: float) -> Callable[[Ticking], Ticking]:
    """Mark a method `(self, tx, now) -> effects or None`: done in a transaction of its own, in the actor's loop."""

    def mark(function: Ticking) -> Ticking:
        setattr(function, _MARK, Timer(seconds, function))
        return function

    return mark


class Actor(Generic[U]):
    """The owner of one database and one mailbox. Subclasses name themselves and mark their handlers.

    `self.read(work)` runs a function of the unit on a snapshot: for `prepare` steps, not for handlers.
    `self.errands.run(work)` has something written for a task of the actor's own, between started() and stopped().
    """

    name: ClassVar[str]
    schema: ClassVar[Any]
    """The storage.Schema of its database."""
    hints: ClassVar[Sequence[str]] = ()
    """Other owners that are told, by a Changed that may be lost, when its log has moved on."""
    follows: ClassVar[Sequence[str]] = ()
    """Other owners whose hints it takes. It handles Changed then."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.settings = environment.settings
        self.read: Callable[[Callable[[U], Any]], Awaitable[Any]] = _not_started
        self.errands: Errands[U] = Errands()

    async def started(self) -> None:
        """Called once the database is open and before the first command."""

    async def stopped(self) -> None:
        """Called after the last command and before the database is closed."""

    @classmethod
    def handlers(cls) -> dict[type[Command[Any]], Handler]:
        """Every command that this actor takes. Raises TypeError when two methods take the same one."""
        found: dict[type[Command[Any]], Handler] = {}
        for mark in cls._marks(Handler):
            if mark.command in found:
                raise TypeError(f"{cls.__name__} handles {mark.command.__name__} twice")
            found[mark.command] = mark
        return found

    @classmethod
    def timers(cls) -> list[Timer]:
        return list(cls._marks(Timer))

    @classmethod
    def _marks(cls, kind: type[R]) -> Iterable[R]:
        for name in dir(cls):
            mark = getattr(getattr(cls, name, None), _MARK, None)
            if isinstance(mark, kind):
                yield mark


async def _not_started(_: Any) -> Any:
    raise RuntimeError("an actor reads only between started() and stopped()")
