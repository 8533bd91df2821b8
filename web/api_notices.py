"""HTTP routes of notices, and of why there were some or none."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from protocols.errors import Refusal
from protocols.frames import NoticeFrame, NoticesState
from protocols.mail import Command
from protocols.notifier import Decision, Notice, ReadNotices, TestNotice
from protocols.rendering import notice_frame
from protocols.values import PAGE_DEFAULT, PAGE_MOST, rfc3339
from storage.notifier import NotifierUnit
from web.asking import R, ask
from web.paging import Limit
from web.routing import API, Call, Route, Strict
from web.services import Services

Change = Annotated[int, Meta(ge=0, le=2**53)]
NoticeId = Annotated[str, Meta(min_length=1, max_length=128)]


class Which(Strict, frozen=True):
    """`since`: whatever changed after that, in order. `before`: what the list shows below that, the newest first.

    With neither the list from its newest entry on.
    """

    since: Change | None = None
    before: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: Limit = PAGE_DEFAULT


class NoticePage(Struct, frozen=True, kw_only=True):
    """`next`: to go on from, as `since` where that was asked for, else as `before`. `unread`: of all that are listed.

    Notices of missed messages are listed when they came while no device could be seen; a page `since` has all of them.
    """

    notices: list[NoticeFrame]
    next: int
    more: bool
    unread: int


class Read(Strict, frozen=True):
    """Everything up to the change `up_to`, and those of `ids`; at least one of the two."""

    up_to: Change = 0
    ids: Annotated[tuple[NoticeId, ...], Meta(max_length=PAGE_MOST)] = ()


class Tested(Struct, frozen=True):
    notice: NoticeFrame


class Latest(Strict, frozen=True):
    limit: Limit = PAGE_DEFAULT


class Reason(Struct, frozen=True, kw_only=True):
    """`what`: "told", "quiet" (listed, not announced) or "not told"; `code` is stable, `reason` says it in words.

    `source` is the part in whose log it happened, `subject` a conversation (with its places `first` to `last`), a
    person or a session.
    """

    at: str
    source: str
    subject: str
    first: int
    last: int
    what: str
    code: str
    reason: str


class Reasons(Struct, frozen=True):
    """The newest first; kept for a week."""

    decisions: list[Reason]


async def present(services: Services, user: str) -> NoticesState | None:
    """For hello: everything up to its change can be read. None while nothing can."""
    try:
        return await services.notifier.read(lambda tx: NoticesState(tx.notices.unread(user), tx.notices.head()))
    except Refusal:
        return None


async def _notices(call: Call[None, Which]) -> NoticePage:
    me, wanted = call.me.user, call.query
    if wanted.since is not None and wanted.before is not None:
        raise Refusal("invalid", fields={"since": "Either `since` or `before`, not both."})

    def page(tx: NotifierUnit) -> NoticePage:
        if wanted.since is not None:
            rows, following, more = tx.notices.since(me, wanted.since, wanted.limit)
        else:
            rows, more = tx.notices.before(me, wanted.before, wanted.limit)
            following = rows[-1].change if rows else wanted.before or 0
        return NoticePage(
            notices=[notice_frame(row) for row in rows], next=following, more=more, unread=tx.notices.unread(me)
        )

    return await call.services.notifier.read(page)


async def _read(call: Call[Read, None]) -> None:
    if not call.body.up_to and not call.body.ids:
        raise Refusal("invalid", fields={"up_to": "Say what was read: `up_to`, or `ids`."})
    await ask_notifier(call, ReadNotices(up_to=call.body.up_to, ids=list(call.body.ids)))


async def _test(call: Call[None, None]) -> Tested:
    found: Notice = await ask_notifier(call, TestNotice())
    return Tested(notice_frame(found))


async def _decisions(call: Call[None, Latest]) -> Reasons:
    me, limit = call.me.user, call.query.limit
    rows = await call.services.notifier.read(lambda tx: tx.decisions.of(me, limit))
    return Reasons([_reason(row) for row in rows])


def _reason(row: Decision) -> Reason:
    return Reason(
        at=rfc3339(row.at),
        source=row.source,
        subject=row.subject,
        first=row.first,
        last=row.last,
        what=row.what,
        code=row.code,
        reason=row.reason,
    )


async def ask_notifier(call: Call[Any, Any], command: Command[R]) -> R:
    """See web.asking.ask."""
    return await ask(call, "notifier", command)


COMMAND: Final = ("client_id_reused", "rate_limited")
"""What any command to notifier may be answered."""

ROUTES: Final = (
    Route(
        "GET",
        f"{API}/notices",
        _notices,
        NoticePage,
        query=Which,
        summary="What you were told or missed: the newest, those before a change, or all that changed since one.",
        tag="notices",
    ),
    Route(
        "POST",
        f"{API}/notices/read",
        _read,
        body=Read,
        errors=COMMAND,
        summary="Mark notices as read, on all your devices.",
        tag="notices",
    ),
    Route(
        "POST",
        f"{API}/notices/test",
        _test,
        Tested,
        status=201,
        errors=COMMAND,
        summary="Send yourself a notice, announced as your preferences say.",
        tag="notices",
    ),
    Route(
        "GET",
        f"{API}/notices/decisions",
        _decisions,
        Reasons,
        query=Latest,
        summary="Why you were told of something or not, in the last week.",
        tag="notices",
    ),
)
