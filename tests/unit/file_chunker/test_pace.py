"""The cap and its fairness, in numbers: no clock runs here."""

from hypothesis import given
from hypothesis import strategies as st

from actors.file_chunker.pace import LEAST, TURN, Pace, Ticket

MIB = 1024 * 1024
PIECE = 256 * 1024
TOGETHER = TURN // PIECE


def run(pace: Pace, now: float, seconds: float) -> list[Ticket]:
    """Serve as the shell does, for so long."""
    gone = pace.due(now)
    end = now + seconds
    while (wait := pace.wait()) is not None and now + wait <= end:
        now += wait
        gone += pace.due(now)
    return gone


def fill(pace: Pace, person: str, upload: str, pieces: int) -> list[Ticket]:
    tickets = [Ticket(person, upload, PIECE) for _ in range(pieces)]
    for ticket in tickets:
        pace.add(ticket)
    return tickets


def test_no_more_goes_than_the_cap_and_what_may_go_at_once() -> None:
    pace = Pace(8 * MIB)
    pace.due(100.0)
    fill(pace, "ann", "a", 1_000)
    gone = sum(ticket.bytes for ticket in run(pace, 100.0, 10.0))
    assert 80 * MIB <= gone <= 80 * MIB + LEAST + TURN


def test_after_a_pause_only_little_goes_at_once() -> None:
    pace = Pace(8 * MIB)
    pace.due(100.0)
    fill(pace, "ann", "a", 1_000)
    assert sum(ticket.bytes for ticket in pace.due(10_000.0)) <= LEAST + TURN


def test_people_share_alike_whatever_the_number_of_their_uploads() -> None:
    pace = Pace(16 * MIB)
    for upload in ("a1", "a2", "a3", "a4"):
        fill(pace, "ann", upload, 100)
    fill(pace, "bob", "b", 100)
    gone = run(pace, 0.0, 2.0)
    count = {name: sum(ticket.upload == name for ticket in gone) for name in ("a1", "a2", "a3", "a4", "b")}
    assert abs(count["b"] - sum(count[name] for name in ("a1", "a2", "a3", "a4"))) <= TOGETHER
    assert max(count[name] for name in ("a1", "a2")) - min(count[name] for name in ("a3", "a4")) <= TOGETHER


def test_what_waits_of_one_upload_goes_together() -> None:
    pace = Pace(16 * MIB)
    pace.due(1.0)
    for upload in ("a1", "a2"):
        fill(pace, "ann", upload, 2 * TOGETHER)
    names = [ticket.upload for ticket in run(pace, 1.0, 10.0)]
    assert names == (["a1"] * TOGETHER + ["a2"] * TOGETHER) * 2


def test_who_comes_late_does_not_wait_for_all_that_is_there() -> None:
    pace = Pace(16 * MIB)
    fill(pace, "ann", "a", 64)
    pace.due(1.0)
    late = fill(pace, "bob", "b", 1)[0]
    gone = run(pace, 1.0, 0.1)
    assert gone.index(late) <= TOGETHER


def test_what_is_dropped_does_not_go_and_costs_nothing() -> None:
    pace = Pace(1 * MIB)
    first, second, third = fill(pace, "ann", "a", 3)
    pace.drop(second)
    pace.drop(second)
    assert run(pace, 0.0, 10.0) == [first, third]
    pace.drop(first)
    assert pace.wait() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(1, PIECE)), max_size=60))
def test_each_goes_once_and_in_the_order_of_its_upload(wanted: list[tuple[str, str, int]]) -> None:
    pace = Pace(1 * MIB)
    tickets = [Ticket(person, person + upload, size) for person, upload, size in wanted]
    for ticket in tickets:
        pace.add(ticket)
    gone = run(pace, 0.0, 1_000.0)
    assert sorted(map(id, gone)) == sorted(map(id, tickets))
    for upload in {ticket.upload for ticket in tickets}:
        assert [one for one in gone if one.upload == upload] == [one for one in tickets if one.upload == upload]
