"""What goes into the protocol of a socket, frames and outcomes, and what is in the actions that come out of it."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Raw, msgpack

from protocols.errors import ErrorBody
from protocols.mail import Outcome
from protocols.router import Stored
from web.session import Action, Hangup, Session, Tell, Transmit


def session(window: int = 4, wait: float = 0.0) -> Session:
    return Session(window=window, admit=lambda _: wait)


def send(number: int, **changed: Any) -> str:
    frame = {"type": "send", "id": f"f{number}", "client_id": f"c{number}", "to": "bob", "body": "hello", **changed}
    return json.dumps(frame)


def stored(seq: int) -> Outcome:
    value = Stored(conversation="k", seq=seq, version=seq, message_id=f"m{seq}", at=1_700_000_000_123)
    return Outcome(correlation="x", value=Raw(msgpack.encode(value)))


def error(code: str) -> Outcome:
    return Outcome(correlation="x", error=ErrorBody(code, "no"))


def sent(actions: Sequence[Action]) -> list[dict[str, Any]]:
    return [json.loads(action.frame) for action in actions if isinstance(action, Transmit)]


def told(actions: Sequence[Action]) -> list[Tell]:
    return [action for action in actions if isinstance(action, Tell)]


def hung_up(actions: Sequence[Action]) -> int | None:
    codes = [action.code for action in actions if isinstance(action, Hangup)]
    return codes[0] if codes else None
