"""What a device shows when pushes are late, doubled or missing."""

from drill.screen import Screen, Shown


def message(version: int) -> Shown:
    return Shown("c", version, version, f"m{version}", f"a-{version}", "ann", "text", 0.0)


def test_the_next_one_is_shown_and_a_seen_one_dropped() -> None:
    screen = Screen()
    assert screen.receive(message(1))
    assert screen.receive(message(1))
    assert [one.version for one in screen.shown] == [1]
    assert screen.dropped == 1


def test_one_further_on_waits_until_the_gap_was_read() -> None:
    screen = Screen()
    assert not screen.receive(message(2))
    assert screen.shown == []
    screen.catch_up(message(1))
    screen.catch_up(message(2))
    assert screen.receive(message(3))
    assert [one.version for one in screen.shown] == [1, 2, 3]
