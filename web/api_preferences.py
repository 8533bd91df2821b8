"""HTTP routes of what a person wants to be known of them and to be told, and whom they have muted."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from protocols.errors import Refusal
from protocols.notifier import MUTE_FOREVER, Clock, Mute, MutePerson, Preferences, SetPreferences, Zone
from protocols.values import rfc3339
from web.api_notices import COMMAND, ask_notifier
from web.routing import API, Call, Route, Strict

LONGEST: Final = 10 * 366 * 24 * 3600
"""Seconds that a mute with an end lasts at most."""

Flag = bool | UnsetType


class NewPreferences(Strict, frozen=True):
    """What is left out stays as it is. Times of day are "22:00" or "" for none, in `zone`, "Europe/Berlin"."""

    presence: Flag = UNSET
    last_seen: Flag = UNSET
    read_receipts: Flag = UNSET
    previews: Flag = UNSET
    sound: Flag = UNSET
    desktop: Flag = UNSET
    quiet_from: Clock | UnsetType = UNSET
    quiet_to: Clock | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET


class Muted(Struct, frozen=True, omit_defaults=True):
    """`until`, or for ever; with neither not at all."""

    user: str
    until: str | None = None
    forever: bool = False


class PreferencesAnswer(Struct, frozen=True):
    """`mutes`: everybody who is muted now."""

    preferences: Preferences
    mutes: list[Muted]


class ChangedPreferences(Struct, frozen=True):
    preferences: Preferences


class NewMute(Strict, frozen=True):
    """Exactly one of them: when it ends, in how many seconds, or never."""

    until: Annotated[datetime, Meta(tz=True)] | None = None
    seconds: Annotated[int, Meta(ge=1, le=LONGEST)] | None = None
    forever: Literal[True] | None = None


class MuteAnswer(Struct, frozen=True):
    mute: Muted


async def _preferences(call: Call[None, None]) -> PreferencesAnswer:
    me, now = call.me.user, call.services.environment.now()
    preferences, mutes = await call.services.notifier.read(
        lambda tx: (tx.wishes.preferences(me), tx.wishes.mutes(me, now))
    )
    return PreferencesAnswer(preferences, [_muted(mute) for mute in mutes])


async def _prefer(call: Call[NewPreferences, None]) -> ChangedPreferences:
    given = {name: value for name, value in structs.asdict(call.body).items() if value is not UNSET}
    preferences: Preferences = await ask_notifier(call, SetPreferences(**given))
    # What this person reads from now on goes by it, without waiting for the next look.
    call.services.privacy.note(call.me.user, preferences)
    return ChangedPreferences(preferences)


async def _mute(call: Call[NewMute, None]) -> MuteAnswer:
    until = _until(call.body, call.services.environment.now())
    return await _set_mute(call, until)


async def _unmute(call: Call[None, None]) -> MuteAnswer:
    return await _set_mute(call, 0)


async def _set_mute(call: Call[Any, None], until: int) -> MuteAnswer:
    mute: Mute = await ask_notifier(call, MutePerson(user=call.params["user_id"], until=until))
    return MuteAnswer(_muted(mute))


def _until(body: NewMute, now: int) -> int:
    given = [name for name, value in structs.asdict(body).items() if value is not None]
    if len(given) != 1:
        raise Refusal("invalid", fields=dict.fromkeys(given or ["until"], "Exactly one: until, seconds or forever."))
    if body.forever:
        return MUTE_FOREVER
    until = now + body.seconds * 1000 if body.seconds is not None else 0
    if body.until is not None:
        until = int(body.until.timestamp() * 1000)
    if not now < until <= now + LONGEST * 1000:
        raise Refusal("invalid", fields=dict.fromkeys(given, "It must end later than now, and within ten years."))
    return until


def _muted(mute: Mute) -> Muted:
    forever = mute.until == MUTE_FOREVER
    return Muted(mute.user, rfc3339(mute.until) if mute.until > 0 else None, forever)


ROUTES: Final = (
    Route(
        "GET",
        f"{API}/me/preferences",
        _preferences,
        PreferencesAnswer,
        summary="What is known of you, what you are told, and whom you have muted.",
        tag="preferences",
    ),
    Route(
        "PATCH",
        f"{API}/me/preferences",
        _prefer,
        ChangedPreferences,
        body=NewPreferences,
        errors=COMMAND,
        summary="Change some of them, on all your devices.",
        tag="preferences",
    ),
    Route(
        "PUT",
        f"{API}/contacts/{{user_id}}/mute",
        _mute,
        MuteAnswer,
        body=NewMute,
        errors=COMMAND,
        summary="Announce no messages of somebody for a while, or ever.",
        tag="preferences",
    ),
    Route(
        "DELETE",
        f"{API}/contacts/{{user_id}}/mute",
        _unmute,
        MuteAnswer,
        errors=COMMAND,
        summary="Announce somebody's messages again.",
        tag="preferences",
    ),
)
