"""What each actor is for, and what works and what pauses while it is away: data, tried out by the demonstrations."""

from collections.abc import Sequence

from msgspec import Struct

from drill.probes import Feature


class Part(Struct, frozen=True):
    """`does` completes "NAME ..."; `pauses` is what waits or is refused while it is away, everything else works.

    Of an actor that runs more than once, one copy is meant.
    """

    name: str
    does: str
    pauses: Sequence[Feature]
    away: str


PARTS = {
    part.name: part
    for part in (
        Part(
            "front",
            "holds the browsers' connections, together with another one.",
            (),
            "Its people come back through the other, which listens on the same socket.",
        ),
        Part(
            "router",
            "writes messages into the log, gives each its number, and tells the fronts.",
            ("chat",),
            "Messages wait in its mailbox, in order. Nothing else notices.",
        ),
        Part(
            "contacts",
            "knows who may write to whom: requests, contacts, blocks.",
            ("new contacts",),
            "Requests pause. Chat goes on, because the router reads consent from the database by itself.",
        ),
        Part(
            "notifier",
            "decides who should be told of what, and knows who is there.",
            ("notices",),
            "Notices wait and come later, in one go. It reads on in the logs of the others, so none is missing then.",
        ),
        Part(
            "file_chunker",
            "writes files to the disk, piece by piece, and knows how far each has come.",
            ("files",),
            "Uploads pause, and go on by themselves where they were. What is here already can still be fetched.",
        ),
        Part(
            "auth",
            "keeps accounts, passwords and sessions.",
            ("sign in",),
            "Nobody can sign in now. Those who are signed in chat on: the fronts check sessions by themselves.",
        ),
        Part(
            "broker",
            "carries the mail between all of them. RabbitMQ, a process like any other.",
            ("chat", "sign in", "new contacts", "notices", "files"),
            "What is typed waits where it is. What is written can still be read.",
        ),
    )
}
