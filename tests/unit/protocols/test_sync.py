"""The sync token, and the ids of messages: what is not one is refused, and what is one comes back."""

import pytest

from protocols.errors import Refusal
from protocols.records import message_id, seq_of
from protocols.sync import parse_sync_token, resume_at, sync_token
from protocols.values import conversation_of

EPOCH = "0123456789abcdef"


def test_a_token_comes_back() -> None:
    assert parse_sync_token(sync_token(EPOCH, 0)) == (EPOCH, 0)
    assert parse_sync_token(sync_token(EPOCH, 2**40)) == (EPOCH, 2**40)


@pytest.mark.parametrize(
    "token", ["5", "x.5", f"{EPOCH}.", f"{EPOCH}.-1", f"{EPOCH}.\u0665", f"{EPOCH}.5\n", f"{EPOCH}.5.5", "." * 200]
)
def test_nonsense_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as refused:
        resume_at(token, EPOCH, 10)
    assert (refused.value.code, list(refused.value.body.fields or {})) == ("invalid", ["since"])


@pytest.mark.parametrize(
    ("token", "start"),
    [("", 0), (f"{EPOCH}.7", 7), (f"{EPOCH}.10", 10), (f"{EPOCH}.11", 0), ("fedcba9876543210.7", 0)],
)
def test_where_a_client_goes_on(token: str, start: int) -> None:
    assert resume_at(token, EPOCH, 10) == start


def test_a_message_has_one_id() -> None:
    conversation = conversation_of("ann", "bob")
    assert seq_of(conversation, message_id(conversation, 12)) == 12
    for other in (
        "",
        conversation,
        f"{conversation}-",
        f"{conversation}-0",
        f"{conversation}-012",
        f"{conversation}-1_2",
    ):
        assert seq_of(conversation, other) is None
    assert seq_of(conversation_of("ann", "cat"), message_id(conversation, 12)) is None
