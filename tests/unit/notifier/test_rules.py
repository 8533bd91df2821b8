"""Who is told of messages, and how: the whole table, and hours and zones."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from actors.notifier import rules
from protocols.notifier import Device, Preferences

PLAIN = Preferences(desktop=True)
NOTHING = rules.Facts(conversation="c", unread=True, present=True, devices=(), muted=False, quiet=False)
HIDDEN = Device(session="s1", visible=False, viewing="")
ELSEWHERE = Device(session="s2", visible=True, viewing="d")
HERE = Device(session="s3", visible=True, viewing="c")
STALE = Device(session="s4", visible=False, viewing="c")


def at(clock: str, day: str = "2026-01-15") -> int:
    """Unix ms of a time in UTC."""
    return int(datetime.fromisoformat(f"{day}T{clock}:00").replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("facts", "wishes", "what", "code"),
    [
        ({}, {}, "told", "offline"),
        ({"devices": (HIDDEN,)}, {}, "told", "away"),
        ({"devices": (HIDDEN, ELSEWHERE)}, {}, "told", "elsewhere"),
        ({"devices": (HIDDEN, ELSEWHERE, HERE)}, {}, "not told", "in_view"),
        ({"devices": (STALE,)}, {}, "told", "away"),
        ({}, {"desktop": False}, "quiet", "desktop_off"),
        ({"quiet": True}, {}, "quiet", "quiet_hours"),
        ({"quiet": True}, {"desktop": False}, "quiet", "quiet_hours"),
        ({"muted": True}, {}, "not told", "muted"),
        ({"muted": True, "quiet": True}, {"desktop": False}, "not told", "muted"),
        ({"muted": True, "devices": (HERE,)}, {}, "not told", "in_view"),
        ({"present": False, "devices": (HERE,)}, {}, "not told", "deleted_before"),
        ({"unread": False, "present": False, "devices": (HERE,), "muted": True}, {}, "not told", "read_before"),
    ],
)
def test_the_first_reason_that_applies_is_the_one(
    facts: dict[str, object], wishes: dict[str, bool], what: str, code: str
) -> None:
    verdict = rules.judge(NOTHING._replace(**facts), structs.replace(PLAIN, **wishes))  # type: ignore[arg-type]
    assert (verdict.what, verdict.code) == (what, code)
    assert verdict.session == ("s3" if code == "in_view" else "")


def test_every_code_has_a_sentence_and_only_that_of_a_view_names_a_device() -> None:
    for code in rules.SENTENCES:
        assert ("Firefox" in rules.reason(code, "Firefox")) == (code == "in_view")
        assert rules.reason(code).endswith(".")


@pytest.mark.parametrize("quiet", [True, False])
def test_how_it_is_announced_is_as_wished_and_silent_in_quiet_hours(quiet: bool) -> None:
    loud = Preferences(desktop=True, sound=True, previews=True)
    assert rules.announcement(loud, quiet=quiet) == (not quiet, not quiet, True)
    assert rules.announcement(Preferences(desktop=False, sound=False, previews=False), quiet=quiet) == (False,) * 3
    assert rules.judge_other(loud, quiet=quiet).what == ("quiet" if quiet else "told")
    assert rules.judge_other(Preferences(), quiet=False) == ("quiet", "desktop_off", "")


@pytest.mark.parametrize(
    ("begin", "end", "zone", "clock", "quiet"),
    [
        ("", "", "", "23:00", False),
        ("22:00", "07:00", "", "21:59", False),
        ("22:00", "07:00", "", "22:00", True),
        ("22:00", "07:00", "", "00:00", True),
        ("22:00", "07:00", "", "06:59", True),
        ("22:00", "07:00", "", "07:00", False),
        ("12:00", "14:00", "", "11:59", False),
        ("12:00", "14:00", "", "13:59", True),
        ("12:00", "14:00", "", "14:00", False),
        ("22:00", "07:00", "Europe/Berlin", "21:00", True),
        ("22:00", "07:00", "Europe/Berlin", "06:00", False),
        ("22:00", "07:00", "Asia/Kathmandu", "16:15", True),
        ("22:00", "07:00", "Asia/Kathmandu", "16:14", False),
    ],
)
def test_quiet_hours_are_by_the_persons_own_clock(begin: str, end: str, zone: str, clock: str, quiet: bool) -> None:
    wishes = Preferences(quiet_from=begin, quiet_to=end, zone=zone)
    assert rules.nonsense(wishes) == {}
    assert rules.quiet(wishes, at(clock)) is quiet


def test_quiet_hours_follow_summer_time() -> None:
    wishes = Preferences(quiet_from="22:00", quiet_to="07:00", zone="Europe/Berlin")
    assert not rules.quiet(wishes, at("20:30"))
    assert rules.quiet(wishes, at("20:30", "2026-07-15"))


def test_a_zone_that_vanished_from_the_database_counts_as_utc() -> None:
    assert rules.quiet(Preferences(quiet_from="22:00", quiet_to="07:00", zone="Old/Place"), at("22:30"))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"quiet_from": "24:00", "quiet_to": "07:00"}, {"quiet_from"}),
        ({"quiet_from": "7:00", "quiet_to": "later"}, {"quiet_from", "quiet_to"}),
        ({"quiet_from": "\u0662\u0662:\u0660\u0660", "quiet_to": "07:00"}, {"quiet_from"}),
        ({"quiet_from": "22:00\n", "quiet_to": "07:00"}, {"quiet_from"}),
        ({"quiet_from": "22:00"}, {"quiet_to"}),
        ({"quiet_to": "22:00"}, {"quiet_from"}),
        ({"quiet_from": "22:00", "quiet_to": "22:00"}, {"quiet_to"}),
        ({"zone": "Mars/Olympus"}, {"zone"}),
        ({"zone": "../../etc/passwd"}, {"zone"}),
        ({"zone": "/etc/localtime"}, {"zone"}),
        ({"zone": "Europe"}, {"zone"}),
        ({"zone": "Europe/Berlin\0"}, {"zone"}),
        ({"zone": "x" * 10_000}, {"zone"}),
        ({"zone": "tzdata.zi"}, {"zone"}),
        ({"zone": "leapseconds"}, {"zone"}),
    ],
)
def test_nonsense_is_named_by_field(changes: dict[str, str], wrong: set[str]) -> None:
    assert set(rules.nonsense(structs.replace(Preferences(), **changes))) == wrong


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iOS"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge, Windows"),
        ("curl/8.0", "curl/8.0"),
        ("", "a device"),
        ("x" * 500, "x" * 40),
    ],
)
def test_a_device_is_called_what_people_call_it(agent: str, name: str) -> None:
    assert rules.device_name(agent) == name
