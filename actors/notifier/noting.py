"""Making a notice: kept, announced as its person wishes, and with its reason written down."""

from msgspec import structs

from actors.notifier import rules
from protocols.notifier import Decision, Notice, NoticeData
from storage.notifier import NotifierUnit


def note(tx: NotifierUnit, source: str, subject: str, notice: Notice, now: int) -> Notice | None:
    """Keep a notice about something other than messages; None where there is nobody to tell, or it was told before."""
    if not tx.people.active(notice.person):
        return None
    wishes = tx.wishes.preferences(notice.person)
    quiet = rules.quiet(wishes, now)
    data: NoticeData = structs.replace(notice.data, **rules.announcement(wishes, quiet=quiet)._asdict())
    kept = tx.notices.add(structs.replace(notice, data=data), subject, listed=True)
    if kept is not None:
        explain(tx, source, subject, notice.person, rules.judge_other(wishes, quiet=quiet), now=now)
    return kept


def explain(tx: NotifierUnit, source: str, subject: str, person: str, verdict: rules.Verdict, *, now: int) -> None:
    """Write down why a person was told, or not, of something other than messages."""
    tx.decisions.add(
        person,
        Decision(
            source=source,
            subject=subject,
            first=0,
            last=0,
            at=now,
            what=verdict.what,
            code=verdict.code,
            reason=rules.reason(verdict.code),
        ),
    )
