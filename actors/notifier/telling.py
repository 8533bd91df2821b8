"""What goes out of notifier: notices as frames, and the ids by which nobody is told of one thing twice."""

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import json

from protocols.frames import NoticesRead
from protocols.mail import Push
from protocols.notifier import Notice
from protocols.rendering import notice_frame


def notice_id(*parts: str) -> str:
    """The id of the notice about something: the same whenever and however often that is found."""
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def shown(notice: Notice | None, correlation: str = "") -> Iterable[Push]:
    """To all devices of its person, the notice as it is now."""
    if notice is not None:
        yield Push(to=[notice.person], frame=json.encode(notice_frame(notice)), correlation=correlation)


def seen(person: str, ids: Sequence[str], up_to: int = 0, correlation: str = "") -> Iterable[Push]:
    """To all devices of a person, that these were seen."""
    if ids or up_to:
        frame = NoticesRead(up_to=up_to, ids=list(ids))
        yield Push(to=[person], frame=json.encode(frame), correlation=correlation)
