"""What each send of a socket must not overtake."""

from web.chain import ANSWERED_MOST, Chain


def test_each_send_names_the_one_before_it_until_that_is_answered() -> None:
    chain = Chain()
    assert [chain.after(name) for name in ("a", "b", "c")] == ["", "a", "b"]
    chain.answered("a")
    assert chain.after("d") == "c"
    # Whatever stands before it was decided, too; its own outcome was lost.
    chain.answered("c")
    assert len(chain) == 1
    chain.answered("b")
    chain.answered("d")
    assert len(chain) == 0
    assert chain.after("e") == ""


def test_a_send_that_is_repeated_keeps_its_place() -> None:
    chain = Chain()
    assert [chain.after(name) for name in ("a", "b", "a", "b", "c")] == ["", "a", "", "a", "b"]


def test_a_copy_of_what_was_answered_moves_nobody() -> None:
    chain = Chain()
    assert [chain.after(name) for name in ("a", "b", "c")] == ["", "a", "b"]
    chain.answered("a")
    # It was on its way a second time when its answer came, and is answered at once, while b may be lost.
    assert chain.after("a") == ""
    chain.answered("a")
    assert [chain.after(name) for name in ("b", "c", "d")] == ["a", "b", "c"]


def test_only_the_latest_answered_ones_are_known() -> None:
    chain = Chain()
    for number in range(ANSWERED_MOST + 1):
        chain.after(str(number))
        chain.answered(str(number))
    assert chain.after("pending") == ""
    assert chain.after("0") == "pending"
    assert chain.after("1") == ""
