"""The socket's protocol, whatever comes, in whatever order."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.sessions import error, send, sent, session, stored
from web.session import Action, Tell, Transmit

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=12,
)
_fields = st.sampled_from(
    ["type", "id", "client_id", "to", "body", "conversation", "message_id", "seq", "since", "on", "visible"]
)
_types = st.sampled_from(
    ["send", "edit", "delete", "react", "read", "delivered", "typing", "attention", "sync", "ping", "hello"]
)


@given(st.text() | st.dictionaries(_fields, _json | _types).map(json.dumps))
def test_no_text_whatever_raises_and_none_is_ignored(text: str) -> None:
    one = session()
    actions = one.received(text)
    assert actions
    for answer in sent(actions):
        assert answer["type"] in {"error", "pong"}


class Commands(RuleBasedStateMachine):
    """Against a model: whatever comes in whatever order, each command is told once, in order, and answered once."""

    def __init__(self) -> None:
        super().__init__()
        self.one = session(window=3)
        self.number = 0
        self.given: list[str] = []
        self.told: list[str] = []
        self.open: dict[int, str] = {}
        self.answered: list[str] = []

    def take(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Tell(ticket, _, name):
                    self.told.append(name)
                    self.open[ticket] = f"f{name[1:]}"
                case Transmit(frame):
                    answer = json.loads(frame)
                    if answer["type"] in {"ok", "error"}:
                        self.answered.append(answer["id"])

    @precondition(lambda self: not self.one.full)
    @rule()
    def client_sends(self) -> None:
        self.number += 1
        self.given.append(f"c{self.number}")
        self.take(self.one.received(send(self.number)))

    @precondition(lambda self: bool(self.open))
    @rule(data=st.data(), code=st.sampled_from(["", "not_a_contact", "client_id_reused"]))
    def owner_answers(self, data: st.DataObject, code: str) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.open)))
        frame = self.open.pop(ticket)
        before = len(self.answered)
        self.take(self.one.outcome(ticket, error(code) if code else stored(ticket)))
        assert self.answered[before] == frame
        assert self.one.outcome(ticket, stored(1)) == ()

    @invariant()
    def told_in_order_and_within_the_window(self) -> None:
        assert self.told == self.given[: len(self.told)]
        assert len(self.open) <= 3
        assert self.one.under_way == len(self.open)
        assert len(self.told) >= len(self.given) - 1

    @invariant()
    def answered_once(self) -> None:
        assert len(self.answered) == len(set(self.answered)) == len(self.told) - len(self.open)


TestCommands = Commands.TestCase
