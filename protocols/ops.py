"""What the operator's page is told, and what it asks: JSON over HTTP and over a socket of its own."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

SUBPROTOCOL = "parley.ops.v1"

LOG_LINES = 200
"""Lines of a log that are told at once."""

Action = Literal["start", "stop", "restart", "kill"]
ActorName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z][a-z_]*(\.[0-9]{1,3})?$")]
"""An actor, one copy of it, or the broker: router, front, front.2, broker."""


class SupervisorRow(Struct, frozen=True, kw_only=True):
    """`uptime` in seconds, `memory` in bytes. `alarm`: what is wrong with many actors at once."""

    pid: int
    state: str
    uptime: float
    address: str
    memory: int | None = None
    alarm: str | None = None


class ActorRow(Struct, frozen=True, kw_only=True):
    """An actor as the supervisor sees it, and as this front hears it.

    `state`: starting, running, stopping, stopped, backoff or failing; without a supervisor running, degraded or down.
    `heard`: running, degraded or down by its beats, "" for what sends none; `note`: what is the matter, in words.
    `uptime` in seconds, `memory` in bytes, `rate` in messages a second, `depth` in messages that wait. None: unknown.
    """

    name: str
    state: str
    heard: str = ""
    note: str = ""
    pid: int | None = None
    uptime: float | None = None
    restarts: int | None = None
    last_exit: str | None = None
    depth: int | None = None
    rate: float | None = None
    memory: int | None = None


class Overview(Struct, frozen=True, kw_only=True, tag="overview"):
    """How everything is at the moment `at`. `supervisor` None: none answers.

    `actions`: what may be done to actors; none is allowed where `why_not` says why.
    """

    at: str
    supervisor: SupervisorRow | None
    actors: list[ActorRow]
    actions: list[Action]
    why_not: str = ""


class Sample(Struct, frozen=True, array_like=True):
    """How an actor was. `age`: seconds ago. An array on the wire, because there are many."""

    age: float
    state: str
    depth: int | None
    restarts: int | None


class History(Struct, frozen=True, kw_only=True, tag="history"):
    """What this front has seen in the last `span` seconds, the oldest first, about every `step` seconds."""

    span: float
    step: float
    actors: dict[str, list[Sample]]


class LogLines(Struct, frozen=True, kw_only=True, tag="log"):
    """Lines of the log that is followed: the newest ones at first (`fresh`), then what is added."""

    name: str
    lines: list[str]
    fresh: bool = False


OpsServerFrame = Overview | History | LogLines


class Follow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="follow"):
    """Follow the log of this one from now on, and of no other; without a name, of none."""

    name: ActorName | None = None


OpsClientFrame = Follow


class Letter(Struct, frozen=True, kw_only=True):
    """Mail that an actor could not handle. `mark` names it; `command_id` is "" when it was not one command."""

    mark: str
    actor: str
    at: str
    reason: str
    command_id: str


class Letters(Struct, frozen=True):
    """The oldest come first; `more`: there may be others behind them."""

    letters: list[Letter]
    more: bool


class LetterBody(Struct, frozen=True, kw_only=True):
    """A letter with what it carries, as `parley dead show` prints it."""

    letter: Letter
    sender: str
    text: str


class Acted(Struct, frozen=True):
    """`done`, or `under_way`: the supervisor is at it, and the table shows what comes of it."""

    outcome: Literal["done", "under_way"]
