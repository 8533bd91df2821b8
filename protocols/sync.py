"""The sync token: how far a client has read router's log. Opaque to clients."""

import re

from protocols.errors import Refusal

_TOKEN = re.compile(r"([0-9a-f]{1,64})\.([0-9]{1,15})", re.ASCII)


def sync_token(epoch: str, change: int) -> str:
    """Everything up to `change` of the database that `epoch` names has been read."""
    return f"{epoch}.{change}"


def parse_sync_token(token: str) -> tuple[str, int]:
    """(epoch, change). Raises Refusal("invalid") for what is no token."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise Refusal("invalid", fields={"since": "This is not a sync token."})
    return match[1], int(match[2])


def resume_at(token: str, epoch: str, head: int) -> int:
    """The change to read on from, in the database that `epoch` and its latest change `head` describe.

    0, the beginning, for the empty token, for one of another database, and for one that is ahead of this database,
    which has lost its last changes then. Raises Refusal("invalid") for what is no token.
    """
    if not token:
        return 0
    named, change = parse_sync_token(token)
    return change if named == epoch and change <= head else 0
