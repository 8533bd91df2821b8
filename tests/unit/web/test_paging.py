"""Lists in pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Refusal
from web.paging import Page, cut


@given(st.lists(st.integers(0, 99), unique=True), st.integers(1, 20))
def test_pages_make_up_the_whole_list(numbers: list[int], limit: int) -> None:
    entries = [str(number) for number in numbers]
    read: list[str] = []
    more = True
    while more:
        page, more = cut(entries, Page(limit=limit, after=read[-1] if read else None), str)
        assert len(page) <= limit
        read += page
    assert read == entries


def test_without_a_limit_it_comes_whole() -> None:
    assert cut(["a", "b"], Page(), str) == (["a", "b"], False)
    assert cut(["a", "b"], Page(after="a"), str) == (["b"], False)
    assert cut([], Page(limit=1), str) == ([], False)


def test_an_entry_that_has_gone_is_named() -> None:
    with pytest.raises(Refusal) as caught:
        cut(["a"], Page(after="b"), str)
    assert caught.value.code == "invalid"
    assert list(caught.value.body.fields or {}) == ["after"]
