"""How far router's log is, and what stands in it after a token: for hello, for sync frames and for GET /sync."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

from protocols.errors import Refusal
from protocols.frames import Change
from protocols.records import MessageRecord, ReceiptRecord
from protocols.rendering import change_frame
from protocols.sync import resume_at, sync_token
from protocols.values import PAGE_MOST
from storage.router import RouterUnit
from web.file_states import with_states
from web.services import Services

PAGE: Final = PAGE_MOST

PAGE_CHARACTERS: Final = 64 * 1024
"""Of text in a page, the message with which it is full included: more, in a script of many bytes, would be cut off as
too much for a slow reader, again each time that they read on."""


class SyncPage(Struct, frozen=True):
    """`next`: the token to go on from. `more`: whether there is more already."""

    changes: list[Change]
    next: str
    more: bool


async def present(services: Services) -> str:
    """The token of all that is in the log now, or "" while there is none: that one reads from the beginning."""
    try:
        return await services.router.read(_present)
    except Refusal:
        return ""


async def page(services: Services, user: str, since: str, limit: int = PAGE) -> SyncPage:
    """What changed for a person since a token. Raises Refusal: "invalid" for what is no token, "unavailable"."""
    # Checked before the log is asked, so that nonsense is refused while the log cannot be read, too.
    resume_at(since, "", 0)
    found = await services.router.read(lambda tx: _page(tx, user, since, limit))
    return structs.replace(found, changes=await with_states(services, found.changes))


def _present(tx: RouterUnit) -> str:
    return sync_token(tx.journal.epoch(), tx.journal.change())


def _page(tx: RouterUnit, user: str, since: str, limit: int) -> SyncPage:
    epoch = tx.journal.epoch()
    start = resume_at(since, epoch, tx.journal.change())
    records, following, more = tx.messages.changes(user, start, limit)
    fit = _fit(records)
    if fit < len(records):
        records, following, more = records[:fit], records[fit - 1].change, True
    return SyncPage([change_frame(record) for record in records], sync_token(epoch, following), more)


def _fit(records: Sequence[MessageRecord | ReceiptRecord]) -> int:
    """How many of them, from the first on, one page takes; one at least."""
    characters = 0
    for count, record in enumerate(records, 1):
        characters += len(record.body) if isinstance(record, MessageRecord) else 0
        if characters > PAGE_CHARACTERS:
            return count
    return len(records)
