"""What each send of a socket must not overtake."""

from web.chain import Chain


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
