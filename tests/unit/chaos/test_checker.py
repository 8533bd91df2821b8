"""The checker finds each kind of fault in a log that has it, and nothing in one that has none."""

from collections.abc import Callable, Sequence

import pytest
from msgspec import structs

from tests.chaos.checker import BROKER_BOUND, MEMORY_BOUND, PROMISED, Verdict, judge
from tests.chaos.record import Device, Receipt, Record, Refused, Repeated, Settled, Showed, Stored, Ticked, Typed

ANN, BOB = "id-ann", "id-bob"
CONVERSATION = "c"
CALM = Settled(
    at=9.0, calm=True, queues={"router": 0}, damaged=(), zombies=(), orphans=(), troubles=(), memory={"router": 1 << 20}
)
DEVICES = (Device("ann.1", ANN, BOB), Device("ann.2", ANN, BOB), Device("bob.1", BOB, ANN))
SENDERS = {device.device: device.person for device in DEVICES}


def typed(client_id: str, device: str) -> Typed:
    return Typed(1.0, device, client_id, f"text of {client_id}")


def ticked(client_id: str, device: str, seq: int) -> Ticked:
    return Ticked(2.0, device, client_id, CONVERSATION, seq, seq, f"m{seq}", f"t{seq}")


def stored(client_id: str, device: str, seq: int) -> Stored:
    return Stored(CONVERSATION, seq, seq, f"m{seq}", client_id, SENDERS[device], f"text of {client_id}", f"t{seq}")


def showed(client_id: str, device: str, seq: int, on: str) -> Showed:
    row = stored(client_id, device, seq)
    return Showed(3.0, on, **structs.asdict(row))


def receipts(delivered: int, read: int, person: str, *devices: str) -> list[Record]:
    return [Receipt(device, CONVERSATION, person, delivered, read) for device in ("", *devices)]


SENT = (("a1", "ann.1", 1), ("b1", "bob.1", 2), ("a2", "ann.1", 3), ("a3", "ann.2", 4))


def good() -> list[Record]:
    """Four messages between Ann, who has two devices, and Bob; everything as it should be."""
    records: list[Record] = [*DEVICES]
    for client_id, device, seq in SENT:
        records += [typed(client_id, device), ticked(client_id, device, seq), stored(client_id, device, seq)]
        records += [showed(client_id, device, seq, on.device) for on in DEVICES]
    return [*records, *receipts(4, 4, BOB, "ann.1", "ann.2"), *receipts(2, 2, ANN, "bob.1"), CALM]


def without(records: Sequence[Record], wanted: Callable[[Record], bool]) -> list[Record]:
    left = [one for one in records if not wanted(one)]
    assert len(left) < len(records)
    return left


def replaced(records: Sequence[Record], old: Record, new: Record) -> list[Record]:
    assert old in records
    return [new if one == old else one for one in records]


def broken(verdict: Verdict) -> set[str]:
    return {name for name in PROMISED if getattr(verdict, name)}


def test_a_log_where_all_is_well_is_accepted() -> None:
    verdict = judge(good())
    assert broken(verdict) == set()
    assert verdict.kept
    assert (verdict.typed, verdict.acknowledged, verdict.shown, verdict.recovered) == (4, 4, 12, 0)


def test_a_message_that_is_missing_on_one_screen_is_lost() -> None:
    verdict = judge(without(good(), lambda one: one == showed("a3", "ann.2", 4, "bob.1")))
    assert verdict.lost == ["a3 (not on bob.1)"]
    # And that device's view is not the database's.
    assert broken(verdict) == {"lost", "unequal"}


def test_a_message_that_is_missing_on_its_senders_other_device_is_lost() -> None:
    verdict = judge(without(good(), lambda one: one == showed("a3", "ann.2", 4, "ann.1")))
    assert verdict.lost == ["a3 (not on ann.1)"]


def test_a_ticked_message_that_is_not_in_the_database_is_lost() -> None:
    verdict = judge(without(good(), lambda one: one == stored("a3", "ann.2", 4)))
    assert "a3 (not stored as ticked)" in verdict.lost


def test_a_ticked_message_that_is_stored_at_another_place_or_time_is_lost() -> None:
    old = stored("a3", "ann.2", 4)
    for new in (structs.replace(old, seq=5), structs.replace(old, stored="later"), structs.replace(old, body="other")):
        assert "a3 (not stored as ticked)" in judge(replaced(good(), old, new)).lost


def test_what_is_stored_twice_is_duplicated() -> None:
    again = stored("a3", "ann.2", 5)
    assert "a3 (stored 2 times)" in judge([*good(), again]).duplicated


def test_what_is_shown_twice_is_duplicated() -> None:
    verdict = judge([*good(), showed("a3", "ann.2", 4, "bob.1")])
    assert verdict.duplicated == ["a3 (shown 2 times on bob.1)"]


def test_a_second_tick_that_says_something_else_is_a_duplicate() -> None:
    assert judge([*good(), ticked("a3", "ann.2", 4)]).kept
    assert judge([*good(), ticked("a3", "ann.2", 5)]).duplicated == ["a3 (ticked differently)"]


def test_what_is_shown_behind_a_later_one_is_reordered() -> None:
    records = good()
    one, other = (records.index(showed(*sent, "bob.1")) for sent in SENT[2:])
    records[one], records[other] = records[other], records[one]
    assert judge(records).reordered == ["a2 (on bob.1)"]


def test_what_is_stored_in_another_order_than_typed_is_reordered() -> None:
    records = without(good(), lambda one: isinstance(one, Typed))
    verdict = judge([typed("a2", "ann.1"), typed("a1", "ann.1"), typed("b1", "bob.1"), typed("a3", "ann.2"), *records])
    assert verdict.reordered == ["a1 (stored before what was typed earlier)"]


def test_a_hole_is_a_gap_in_the_database_and_on_a_screen() -> None:
    gone = without(good(), lambda one: isinstance(one, Stored | Showed) and one.seq == 3)
    verdict = judge(gone)
    assert set(verdict.gap) == {f"c/3 ({who})" for who in ("the database", "ann.1", "ann.2", "bob.1")}


def test_what_nobody_typed_is_unexpected() -> None:
    assert "x (stored, never typed)" in judge([*good(), stored("x", "ann.1", 5)]).unexpected
    assert "x (on bob.1, never typed)" in judge([*good(), showed("x", "ann.1", 5, "bob.1")]).unexpected
    assert judge([*good(), ticked("x", "ann.1", 5)]).unexpected == ["x (ticked, never typed)"]


def test_another_text_or_sender_is_unexpected() -> None:
    old = showed("b1", "bob.1", 2, "ann.1")
    for new in (structs.replace(old, body="other"), structs.replace(old, sender=ANN)):
        verdict = judge(replaced(good(), old, new))
        assert verdict.unexpected == ["b1 (on ann.1, not as typed)"]
        assert verdict.unequal == ["b1 (ann.1 and the database)"]


def test_two_times_or_versions_of_the_same_message_are_unequal() -> None:
    old = showed("b1", "bob.1", 2, "ann.1")
    for new in (structs.replace(old, stored="later"), structs.replace(old, version=9)):
        assert broken(judge(replaced(good(), old, new))) == {"unequal"}


def test_a_refusal_breaks_the_promise_and_what_was_refused_must_not_be_stored() -> None:
    assert broken(judge([*good(), typed("a4", "ann.1"), Refused(2.0, "ann.1", "a4", "invalid")])) == {"refused"}
    verdict = judge([*good(), Refused(2.0, "ann.1", "a2", "invalid")])
    assert "a2 (stored, was refused)" in verdict.unexpected


def test_a_message_without_any_answer_is_named_and_counts_as_recovered_when_it_is_stored() -> None:
    verdict = judge([*good(), typed("a4", "ann.1"), Repeated(2.0, "ann.1", "a4")])
    assert (verdict.unanswered, verdict.recovered, verdict.repeated) == (["a4"], 0, 1)
    verdict = judge(without(good(), lambda one: isinstance(one, Ticked) and one.client_id == "a3"))
    assert (verdict.unanswered, verdict.recovered) == (["a3"], 1)
    assert verdict.lost == []


@pytest.mark.parametrize("wrong", [(3, 3), (4, 3), (0, 0)])
def test_receipts_that_do_not_reach_the_end_are_told(wrong: tuple[int, int]) -> None:
    in_the_database = Receipt("", CONVERSATION, BOB, 4, 4)
    on_a_device = structs.replace(in_the_database, device="ann.2")
    for old in (in_the_database, on_a_device):
        new = structs.replace(old, delivered=wrong[0], read=wrong[1])
        assert broken(judge(replaced(good(), old, new))) == {"receipts"}
    assert "receipts" in broken(judge(without(good(), lambda one: one == in_the_database)))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"queues": {"router.dead": 1, "router": 0}}, "queues"),
        ({"damaged": ["router.db: malformed"]}, "damaged"),
        ({"zombies": ["12 (python"]}, "zombies"),
        ({"orphans": ["12"]}, "orphans"),
        ({"troubles": ["router does not run in the end"]}, "troubles"),
        ({"calm": False}, "troubles"),
        ({"memory": {"router": MEMORY_BOUND + 1}}, "memory"),
        ({"memory": {"broker": BROKER_BOUND + 1, "router": 1}}, "memory"),
    ],
)
def test_what_is_left_behind_breaks_the_promise(changed: dict[str, object], name: str) -> None:
    assert broken(judge(replaced(good(), CALM, structs.replace(CALM, **changed)))) == {name}


def test_the_broker_may_hold_more_than_an_actor() -> None:
    held = structs.replace(CALM, memory={"broker": MEMORY_BOUND + 1})
    assert judge(replaced(good(), CALM, held)).kept


def test_a_log_without_an_end_is_not_judged() -> None:
    with pytest.raises(ValueError, match="no end"):
        judge(without(good(), lambda one: one == CALM))
