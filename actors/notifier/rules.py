"""Who should know of a message, and how: pure decisions, each with its reason. No I/O."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from protocols.notifier import Device, Preferences

What = Literal["told", "quiet", "not told"]
Code = Literal[
    "read_before",
    "deleted_before",
    "in_view",
    "page_visible",
    "muted",
    "quiet_hours",
    "desktop_off",
    "elsewhere",
    "away",
    "offline",
    "announced",
]

SENTENCES: Final[dict[Code, str]] = {
    "read_before": "Not shown: it was read before.",
    "deleted_before": "Not shown: it was deleted before.",
    "in_view": "Not shown: the conversation was in view on {device}.",
    "page_visible": "Not shown: a page was visible, which shows files as they come.",
    "muted": "Not shown: the sender is muted.",
    "quiet_hours": "Listed, not announced: it came in the quiet hours.",
    "desktop_off": "Listed, not announced: desktop notifications are switched off.",
    "elsewhere": "Announced: a page was visible, with something else in view.",
    "away": "Announced: no page was visible.",
    "announced": "Announced.",
    "offline": "Kept: no device was connected. It is announced when one is.",
}

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}", re.ASCII)

# As a user agent names them; the first that is found is the one, for most name several.
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class Announcement(NamedTuple):
    """How a notice may be announced. Every channel that is to come gets its field here."""

    desktop: bool
    sound: bool
    preview: bool


class Facts(NamedTuple):
    """What is known of new messages of one sender in one conversation, and of who is to be told.

    `unread`: whether any is above the recipient's read place; `present`: whether any is left, not deleted.
    """

    conversation: str
    unread: bool
    present: bool
    devices: Sequence[Device]
    muted: bool
    quiet: bool


class Verdict(NamedTuple):
    """`session` names the device that the reason speaks of, or is ""."""

    what: What
    code: Code
    session: str = ""


def judge(facts: Facts, wishes: Preferences) -> Verdict:
    """Whether somebody is to be told of messages. The first reason that applies is the one."""
    viewer = next((one for one in facts.devices if one.visible and one.viewing == facts.conversation), None)
    reasons = (
        (not facts.unread, Verdict("not told", "read_before")),
        (not facts.present, Verdict("not told", "deleted_before")),
        (viewer is not None, Verdict("not told", "in_view", viewer.session if viewer else "")),
        (facts.muted, Verdict("not told", "muted")),
        (facts.quiet, Verdict("quiet", "quiet_hours")),
        (not wishes.desktop, Verdict("quiet", "desktop_off")),
        (not facts.devices, Verdict("told", "offline")),
        (visible(facts.devices), Verdict("told", "elsewhere")),
    )
    return next((verdict for applies, verdict in reasons if applies), Verdict("told", "away"))


def judge_other(wishes: Preferences, *, quiet: bool) -> Verdict:
    """How somebody is told of what is no message: always in the list."""
    if quiet:
        return Verdict("quiet", "quiet_hours")
    return Verdict("told", "announced") if wishes.desktop else Verdict("quiet", "desktop_off")


def judge_file(devices: Sequence[Device], *, muted: bool) -> Verdict | None:
    """Why somebody is not told that a file is there; None of whoever is, as of all that is no message."""
    if muted:
        return Verdict("not told", "muted")
    return Verdict("not told", "page_visible") if visible(devices) else None


def visible(devices: Sequence[Device]) -> bool:
    """Whether any device can be seen."""
    return any(device.visible for device in devices)


def announcement(wishes: Preferences, *, quiet: bool) -> Announcement:
    """How a notice may be announced that is made now."""
    return Announcement(desktop=wishes.desktop and not quiet, sound=wishes.sound and not quiet, preview=wishes.previews)


def reason(code: Code, device: str = "") -> str:
    """The sentence of a decision. `device` is what a reason about a device calls it."""
    return SENTENCES[code].format(device=device or "a device")


def quiet(wishes: Preferences, now: int) -> bool:
    """Whether `now` (Unix ms) lies in the person's quiet hours, which may reach over midnight."""
    begin, end = wishes.quiet_from, wishes.quiet_to
    if not begin or not end:
        return False
    clock = datetime.fromtimestamp(now / 1000, zone(wishes.zone) or zone("")).strftime("%H:%M")
    return begin <= clock < end if begin < end else clock >= begin or clock < end


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """A zone of the time zone database, "" for UTC; None for what is none."""
    if name and not _ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name or "UTC")
    except (LookupError, ValueError, OSError):
        # A folder of the database, and what is no zone's file, are errors of other kinds.
        return None


def nonsense(wishes: Preferences) -> dict[str, str]:
    """What is wrong with preferences, by field; empty when all is well."""
    wrong = {
        name: 'A time of day such as "22:00", or "".'
        for name in ("quiet_from", "quiet_to")
        if getattr(wishes, name) and not _CLOCK.fullmatch(getattr(wishes, name))
    }
    if not wrong and bool(wishes.quiet_from) != bool(wishes.quiet_to):
        wrong["quiet_to" if wishes.quiet_from else "quiet_from"] = (
            "Quiet hours have a beginning and an end, or neither."
        )
    elif not wrong and wishes.quiet_from and wishes.quiet_from == wishes.quiet_to:
        wrong["quiet_to"] = "Quiet hours end at another time than they begin."
    if zone(wishes.zone) is None:
        wrong["zone"] = 'A name of the time zone database, such as "Europe/Berlin", or "".'
    return wrong


def device_name(agent: str) -> str:
    """What a browser and its system are called, from a user agent's long line; an unknown one is shortened."""
    names = [next((name for mark, name in table if mark in agent), "") for table in (_BROWSERS, _SYSTEMS)]
    return ", ".join(filter(None, names)) or agent[:40] or "a device"
