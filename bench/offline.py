"""Somebody comes back: how long until all that waited for them is there."""

from typing import Any

from msgspec import Struct

from bench.fleet import Fleet
from bench.guests import GuestBook
from bench.history import Told, fill
from bench.house import House
from bench.orders import Caught, Guest, ReadUp
from drill.installation import Installation

PEERS = 10
"""So many people wrote to the one who was away, in turns."""

READ_WITHIN = 180.0


class Absent(Struct, frozen=True):
    """Somebody for whom so many messages wait."""

    guest: Guest
    waiting: int


async def absent(installation: Installation, book: GuestBook, waiting: int) -> Absent:
    """Make such a person, while the installation does not run."""
    someone, *peers = book.invite(installation, PEERS + 1)
    book.introduce([(someone.id, peer.id) for peer in peers])
    talk = [Told(peer.id, someone.id, round(waiting / PEERS)) for peer in peers]
    await fill(installation.paths.databases, talk)
    return Absent(someone, sum(one.count for one in talk))


async def come_back(fleet: Fleet, house: House, one: Absent) -> dict[str, Any]:
    """Seconds from the first packet of the connection until the last page of sync."""
    order = ReadUp(house.installation.port, one.guest, one.waiting)
    (caught,) = await fleet.all([order], Caught, READ_WITHIN)
    return {
        "seconds": round(caught.seconds, 4),
        "seconds_to_hello": round(caught.hello, 4),
        "pages": caught.pages,
        "mb": round(caught.size / 1e6, 2),
        "messages_a_second": round(one.waiting / caught.seconds),
    }
