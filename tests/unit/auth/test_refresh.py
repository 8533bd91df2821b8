"""The chain of refresh tokens, as a pure thing."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.auth.refresh import Token, Verdict, begun, first, parse, present, rotated, successor
from storage.auth import Chain

KEY = b"key"
GRACE = 30_000


def test_a_token_reads_back() -> None:
    token = first(os.urandom)
    assert len(token.text) == 64
    assert parse(token.text) == token
    assert first(os.urandom) != token


@pytest.mark.parametrize("text", ["", "x" * 63, "x" * 65, "!" * 64, "é" * 64, "\ud800" * 64, "=" * 64, "A" * 62 + "=="])
def test_what_is_no_token_is_recognised_as_such(text: str) -> None:
    assert parse(text) is None


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    token = parse(text)
    assert token is None or token.text == text


def test_a_successor_depends_on_the_token_and_the_key() -> None:
    token = first(os.urandom)
    following = successor(token, KEY)
    assert following == successor(token, KEY)
    assert following.family == token.family
    assert len({token.link, following.link, successor(token, b"other").link, successor(following, KEY).link}) == 4


def test_the_kept_chain_holds_no_token() -> None:
    token = first(os.urandom)
    chain = rotated(token, successor(token, KEY), 0)
    assert token.link not in {chain.link, chain.previous}


class Bearer:
    """Presents tokens to a chain, as the actor does."""

    def __init__(self) -> None:
        self.tokens: list[Token] = [first(os.urandom)]
        self.chain: Chain = begun(self.tokens[0], 0)

    def show(self, index: int, now: int) -> Verdict:
        token = self.tokens[index]
        verdict = present(self.chain, token, now, GRACE)
        if verdict is Verdict.ROTATE:
            self.tokens.append(successor(token, KEY))
            self.chain = rotated(token, self.tokens[-1], now)
        return verdict


def test_the_old_token_is_good_for_the_same_successor_within_the_grace() -> None:
    bearer = Bearer()
    assert bearer.show(0, 0) is Verdict.ROTATE
    assert bearer.show(0, GRACE) is Verdict.REPEAT
    assert bearer.show(0, GRACE + 1) is Verdict.REUSE


def test_the_old_token_is_spent_once_the_new_one_was_used() -> None:
    bearer = Bearer()
    bearer.show(0, 0)
    assert bearer.show(1, 1) is Verdict.ROTATE
    assert bearer.show(0, 2) is Verdict.REUSE
    assert bearer.show(1, 3) is Verdict.REPEAT
    assert bearer.show(2, 4) is Verdict.ROTATE


def test_an_invented_link_of_a_true_family_is_reuse() -> None:
    bearer = Bearer()
    forged = Token(bearer.tokens[0].family, os.urandom(32))
    assert present(bearer.chain, forged, 0, GRACE) is Verdict.REUSE


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40_000)), max_size=30))
def test_only_the_newest_two_tokens_ever_work(steps: list[tuple[int, int]]) -> None:
    bearer, now, rotated_at = Bearer(), 0, 0
    for back, later in steps:
        now += later
        newest = len(bearer.tokens) - 1
        index = max(0, newest - back)
        verdict = bearer.show(index, now)
        if index == newest:
            assert verdict is Verdict.ROTATE
            rotated_at = now
        elif index == newest - 1 and now - rotated_at <= GRACE:
            assert verdict is Verdict.REPEAT
        else:
            assert verdict is Verdict.REUSE
