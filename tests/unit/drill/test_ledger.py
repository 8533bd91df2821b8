"""The account must find each way in which the promise can be broken, or its zeros mean nothing."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from drill.ledger import Account, Logged, Sent, settle
from drill.screen import Shown


def typed(count: int = 3) -> list[Sent]:
    return [Sent(f"a-{seq}", "ann", "bob", f"text {seq}", float(seq), seq=seq) for seq in range(1, count + 1)]


def shown(one: Sent, seq: int | None = None) -> Shown:
    place = one.seq if seq is None else seq
    return Shown("c", place, place, f"m{place}", one.client_id, one.sender, one.body, one.at + 0.1)


def logged(sent: Sequence[Sent]) -> list[Logged]:
    return [Logged(one.seq, one.client_id, one.sender, one.body) for one in sent]


def account(sent: Sequence[Sent], bob: Sequence[Shown], log: Sequence[Logged] | None = None) -> Account:
    return settle(sent, {"bob": bob, "ann": [shown(one) for one in sent if one.seq]}, log)


def broken(found: Account) -> set[str]:
    kinds = ("lost", "duplicated", "reordered", "gap", "unexpected", "unlogged", "refused", "unanswered")
    return {kind for kind in kinds if getattr(found, kind)}


def test_a_promise_that_was_kept() -> None:
    sent = typed()
    found = account(sent, [shown(one) for one in sent], logged(sent))
    assert found.kept
    assert broken(found) == set()
    assert (found.sent, found.stored, found.shown) == (3, 3, 3)


def test_the_last_message_was_never_shown() -> None:
    sent = typed()
    found = account(sent, [shown(one) for one in sent[:2]])
    assert found.lost == ["a-3"]
    assert not found.kept


def test_one_in_the_middle_was_never_shown() -> None:
    sent = typed()
    found = account(sent, [shown(sent[0]), shown(sent[2])])
    assert (found.lost, found.gap) == (["a-2"], ["c/2"])


def test_one_was_shown_twice() -> None:
    sent = typed()
    found = account(sent, [*(shown(one) for one in sent), shown(sent[2], seq=4)])
    assert found.duplicated == ["a-3"]
    assert not found.kept


def test_two_were_shown_in_the_wrong_order() -> None:
    sent = typed()
    found = account(sent, [shown(sent[0]), shown(sent[2]), shown(sent[1])])
    assert found.reordered == ["a-2"]
    assert not found.kept


def test_two_were_stored_in_another_order_than_typed() -> None:
    one, two, three = typed()
    sent = [one, structs.replace(two, seq=3), structs.replace(three, seq=2)]
    found = account(sent, sorted((shown(each) for each in sent), key=lambda each: each.seq))
    assert "a-3" in found.reordered


@pytest.mark.parametrize("change", [{"client_id": "nobody"}, {"body": "another text"}, {"sender": "mallory"}])
def test_something_was_shown_that_nobody_typed_so(change: dict[str, str]) -> None:
    sent = typed(1)
    found = account(sent, [structs.replace(shown(sent[0]), **change)])
    assert found.unexpected
    assert not found.kept


def test_something_was_shown_that_was_refused() -> None:
    sent = [structs.replace(typed(1)[0], refused="not_a_contact")]
    found = account(sent, [shown(sent[0])])
    assert found.unexpected == ["a-1"]
    assert found.refused == ["a-1"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_has_its_tick_and_is_not_in_the_log(place: int) -> None:
    sent = typed()
    log = logged(sent)
    del log[place]
    found = account(sent, [shown(one) for one in sent], log)
    assert found.unlogged == [sent[place].client_id]
    assert not found.kept


@pytest.mark.parametrize("change", [{"seq": 9}, {"body": "another text"}, {"sender": "mallory"}])
def test_the_log_tells_it_otherwise_than_the_tick(change: dict[str, object]) -> None:
    sent = typed()
    log = logged(sent)
    log[1] = structs.replace(log[1], **change)
    assert account(sent, [shown(one) for one in sent], log).unlogged == ["a-2"]


def test_the_log_holds_one_twice() -> None:
    sent = typed()
    log = [*logged(sent), structs.replace(logged(sent)[0], seq=4)]
    assert account(sent, [shown(one) for one in sent], log).unlogged == ["a-1"]


def test_what_has_no_tick_is_listed_and_no_lie() -> None:
    sent = [*typed(), Sent("a-4", "ann", "bob", "waits", 4.0)]
    found = account(sent, [shown(one) for one in sent[:3]], logged(sent[:3]))
    assert found.unanswered == ["a-4"]
    assert found.kept
