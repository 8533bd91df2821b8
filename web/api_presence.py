"""HTTP route of presence: how one's contacts are now. Whatever changes later is pushed."""

from typing import Final, Literal

from msgspec import Struct

from protocols.errors import Refusal
from protocols.rendering import presence_frame
from storage.notifier import NotifierUnit
from web.routing import API, Call, Route


class Seen(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`last_seen`: when the contact was last online, where that may be known."""

    user: str
    state: Literal["online", "away", "offline"]
    last_seen: str | None = None


class PresenceList(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whoever is left out is not to be seen by you. `late`: nobody can tell at the moment, ask again."""

    presence: list[Seen]
    late: bool = False


async def _presence(call: Call[None, None]) -> PresenceList:
    services, me = call.services, call.me.user
    friends = await services.contacts.read(lambda tx: tx.relations.friends_of(me))
    users = await services.auth.read(lambda tx: tx.accounts.users(friends))
    # With its lease on the world gone, what was kept last says nothing about now.
    if not services.post.connected or services.hub.state("notifier") == "down":
        return PresenceList(presence=[], late=True)

    def known(tx: NotifierUnit) -> list[Seen]:
        kept = tx.presences.of(friends)
        found = []
        for friend in friends:
            if friend not in users or users[friend].deleted:
                continue
            one = kept.get(friend)
            state, last_seen = (one.state, one.last_seen) if one else ("offline", 0)
            frame = presence_frame(friend, state, last_seen, tx.wishes.preferences(friend))
            if frame.state != "unknown":
                found.append(Seen(user=friend, state=frame.state, last_seen=frame.last_seen))
        return found

    try:
        return PresenceList(presence=await services.notifier.read(known))
    except Refusal:
        return PresenceList(presence=[], late=True)


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        f"{API}/presence",
        _presence,
        answer=PresenceList,
        tag="contacts",
        summary="How your contacts are, as far as they let it be known.",
    ),
)
