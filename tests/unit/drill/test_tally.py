"""The counters on the wall agree with what the ledger would say."""

from drill.screen import Shown
from drill.tally import Tally


def shown(seq: int, client_id: str = "", sender: str = "ann", conversation: str = "c") -> Shown:
    return Shown(conversation, seq, seq, f"m{seq}", client_id or f"a-{seq}", sender, "text", 0.0)


def tally(*screen: Shown) -> Tally:
    counted = Tally("bob")
    counted.take(screen)
    return counted


def counted(one: Tally) -> tuple[int, int, int, int]:
    return one.shown, one.lost, one.duplicated, one.reordered


def test_what_is_in_order_counts_as_shown() -> None:
    assert counted(tally(shown(1), shown(2), shown(3))) == (3, 0, 0, 0)


def test_own_messages_are_not_shown_to_the_other() -> None:
    assert counted(tally(shown(1), shown(2, "b-1", "bob"), shown(3))) == (2, 0, 0, 0)


def test_a_hole_is_a_loss_as_soon_as_something_later_is_there() -> None:
    assert counted(tally(shown(1), shown(4))) == (2, 2, 0, 0)
    assert counted(tally(shown(3))) == (1, 2, 0, 0)


def test_twice_is_doubled_wherever_it_is_the_second_time() -> None:
    assert counted(tally(shown(1), shown(1)))[2] == 1
    assert counted(tally(shown(1), shown(2, "a-1")))[2] == 1


def test_something_older_is_out_of_order() -> None:
    assert counted(tally(shown(2), shown(1))) == (2, 1, 0, 1)


def test_conversations_have_sequences_of_their_own() -> None:
    assert counted(tally(shown(1), shown(1, "x", conversation="d"), shown(2))) == (3, 0, 0, 0)


def test_it_reads_on_from_where_it_was() -> None:
    screen = [shown(1)]
    one = Tally("bob")
    one.take(screen)
    screen.append(shown(2))
    one.take(screen)
    one.take(screen)
    assert counted(one) == (2, 0, 0, 0)
