"""Names and arguments of queues and exchanges: pure functions of the settings and an actor's name.

Whoever addresses a mailbox declares it, so both ends must derive the same name and the same arguments. What cannot
be changed on an existing queue is part of its name.
"""

from typing import Any

from settings.model import Broker

CLASSIC = ("file_chunker",)
"""Whose mailbox is a classic queue whatever the setting says: pieces of files are worth nothing on a second machine."""
PUSH_BYTES = 64 * 1024 * 1024
DEAD_LETTERS = 100_000


def mailbox(broker: Broker, actor: str) -> str:
    """The durable queue that an actor owns."""
    return f"{broker.namespace}.{actor}.{_kind(broker, actor)}.{broker.mailbox_bound}"


def mailbox_arguments(broker: Broker, actor: str) -> dict[str, Any]:
    """One active consumer, so that a half-dead owner and its successor never both work.

    At the bound publishers are refused: the default, dropping the oldest, would lose mail silently. No delivery
    limit: it would throw away innocents with the culprit (newer brokers have a limit by default, hence the -1).
    """
    kind = _kind(broker, actor)
    arguments: dict[str, Any] = {
        "x-queue-type": kind,
        "x-single-active-consumer": True,
        "x-max-length": broker.mailbox_bound,
        "x-overflow": "reject-publish",
    }
    if kind == "quorum":
        arguments["x-delivery-limit"] = -1
    return arguments


def dead_letters(broker: Broker, actor: str) -> str:
    """The durable queue of what an actor could not handle."""
    return f"{broker.namespace}.{actor}.dead"


def dead_letter_arguments() -> dict[str, Any]:
    """A full queue refuses: then the mail that could not be handled stays in the mailbox."""
    return {"x-queue-type": "classic", "x-max-length": DEAD_LETTERS, "x-overflow": "reject-publish"}


def fronts(broker: Broker) -> str:
    """The fanout exchange to which owners push, and to which every front binds a queue of its own."""
    return f"{broker.namespace}.fronts"


def push_arguments() -> dict[str, Any]:
    """For a front's own queue. The oldest is dropped at the bound: the front sees the gap and resyncs."""
    return {"x-max-length-bytes": PUSH_BYTES, "x-overflow": "drop-head"}


def _kind(broker: Broker, actor: str) -> str:
    return "classic" if actor in CLASSIC else broker.mailbox_type
