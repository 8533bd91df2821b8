"""What may be said, and what follows from what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.router.rules import (
    REACTION_KINDS,
    Progress,
    advanced,
    check_body,
    check_client_id,
    check_emoji,
    place_of,
    reacted,
)
from protocols.errors import Refusal
from protocols.frames import Reaction


@pytest.mark.parametrize("body", ["a", "  a ", "\u4f60" * 8_000, "a\x00b", "<script>"])
def test_bodies_that_are_taken(body: str) -> None:
    check_body(body)


@pytest.mark.parametrize("body", ["", " ", "\n\t\u2003", "a" * 8_001])
def test_bodies_that_are_refused(body: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_body(body)
    assert (refused.value.code, list(refused.value.body.fields or {})) == ("invalid", ["body"])


@pytest.mark.parametrize("client_id", ["", "a" * 65, "a b", "a\n", "\u0661", "a/b"])
def test_client_ids_that_are_refused(client_id: str) -> None:
    check_client_id("0b7f6c1e-8d0e-4a3c-9b1f-4d1f0a9f7c11")
    with pytest.raises(Refusal, match="invalid"):
        check_client_id(client_id)


@pytest.mark.parametrize(
    "emoji", ["\U0001f44d", "1\ufe0f\u20e3", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764"]
)
def test_emoji_that_are_taken(emoji: str) -> None:
    check_emoji(emoji)


@pytest.mark.parametrize("emoji", ["", "lol", "1", "\u2764 \u2764", "\u2764\x00", "\u2764" * 33])
def test_emoji_that_are_refused(emoji: str) -> None:
    with pytest.raises(Refusal, match="invalid"):
        check_emoji(emoji)


def test_only_messages_of_the_conversation_are_answered() -> None:
    assert place_of("c", "c-3", latest=3) == 3
    for message_id in ("c-4", "d-3", "c-0", "c-03", "c-+3", "c-", "3", "c-c-3", "c-3 ", "c-\u0663", "c-" + "9" * 30):
        with pytest.raises(Refusal, match="invalid"):
            place_of("c", message_id, latest=3)


def test_a_reaction_is_one_a_person_and_emoji() -> None:
    one = reacted((), "ann", "\u2764", on=True)
    assert one == (Reaction("\u2764", ["ann"]),)
    assert reacted(one, "ann", "\u2764", on=True) is one
    both = reacted(one, "bob", "\u2764", on=True)
    assert both == (Reaction("\u2764", ["ann", "bob"]),)
    assert one == (Reaction("\u2764", ["ann"]),), "the old value was changed in place"
    assert reacted(both, "ann", "\u2764", on=False) == (Reaction("\u2764", ["bob"]),)
    assert reacted(one, "ann", "\u2764", on=False) == ()
    assert reacted(one, "bob", "\u2764", on=False) is one
    assert reacted(one, "bob", "\u2600", on=False) is one


def test_a_message_takes_so_many_kinds() -> None:
    full: tuple[Reaction, ...] = ()
    for number in range(REACTION_KINDS):
        full = reacted(full, "ann", chr(0x1F600 + number), on=True)
    with pytest.raises(Refusal, match="conflict"):
        reacted(full, "ann", "\u2764", on=True)
    assert len(reacted(full, "bob", chr(0x1F600), on=True)) == REACTION_KINDS
    assert len(reacted(full, "ann", chr(0x1F600), on=False)) == REACTION_KINDS - 1


places = st.integers(min_value=0, max_value=12)


@given(places, st.lists(st.builds(Progress, st.integers(-3, 2**70), st.integers(-3, 2**70)), min_size=1))
def test_receipts_never_go_back_nor_beyond(latest: int, claims: list[Progress]) -> None:
    now = Progress(0, 0)
    for claimed in claims:
        then = advanced(now, claimed, latest)
        assert now.read <= then.read <= then.delivered <= latest
        assert then.delivered >= now.delivered
        assert advanced(then, claimed, latest) == then
        now = then
    together = Progress(max(one.delivered for one in claims), max(one.read for one in claims))
    assert advanced(Progress(0, 0), together, latest) == now, "told at once or one by one makes no difference"
