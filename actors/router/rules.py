"""What may be said, and what follows from what: no database, no clock, no mail."""

import re
import unicodedata
from typing import NamedTuple

from protocols.errors import Refusal
from protocols.frames import Reaction
from protocols.records import seq_of
from protocols.values import BODY_CHARACTERS

EMOJI_CHARACTERS = 32
REACTION_KINDS = 20
"""Most different emoji on one message."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)


def check_client_id(client_id: str) -> None:
    """Raises Refusal("invalid")."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise _invalid("client_id", "1 to 64 letters, digits or _ . : - are needed.")


def check_body(body: str, *, caption: bool = False) -> None:
    """Raises Refusal("invalid") for what is empty, blank or too long. Only a file's `caption` may be empty."""
    if len(body) > BODY_CHARACTERS:
        raise _invalid("body", f"At most {BODY_CHARACTERS} characters are taken.")
    if body.isspace() or not (body or caption):
        raise _invalid("body", "There is nothing in it.")


def check_emoji(emoji: str) -> None:
    """Raises Refusal("invalid") for what cannot be an emoji: no list of them, which every year's new ones would miss.

    A reaction is not a second, unlimited channel for text: something beyond ASCII must be in it, and no white space.
    """
    fits = 0 < len(emoji) <= EMOJI_CHARACTERS and not emoji.isascii()
    if not fits or any(one.isspace() or unicodedata.category(one) == "Cc" for one in emoji):
        raise _invalid("emoji", "This is not an emoji.")


def place_of(conversation: str, message_id: str, latest: int) -> int:
    """The place of the message that is answered. Raises Refusal("invalid") unless it is one of this conversation."""
    seq = seq_of(conversation, message_id)
    if seq is None or seq > latest:
        raise _invalid("reply_to", "There is no such message in this conversation.")
    return seq


def reacted(reactions: tuple[Reaction, ...], person: str, emoji: str, on: bool) -> tuple[Reaction, ...]:
    """`reactions` with or without this one; kinds and people stand in the order in which they came.

    Raises Refusal("conflict") when the message has as many kinds as it may.
    """
    users = next((one.users for one in reactions if one.emoji == emoji), None)
    if users is None:
        if not on:
            return reactions
        if len(reactions) >= REACTION_KINDS:
            raise Refusal("conflict", f"A message takes at most {REACTION_KINDS} different reactions.")
        return (*reactions, Reaction(emoji, [person]))
    if on == (person in users):
        return reactions
    left = [*users, person] if on else [user for user in users if user != person]
    return tuple(
        Reaction(emoji, left) if one.emoji == emoji else one for one in reactions if one.emoji != emoji or left
    )


class Progress(NamedTuple):
    """How far somebody has the other's messages: places, `read` never beyond `delivered`."""

    delivered: int
    read: int


def advanced(now: Progress, claimed: Progress, latest: int) -> Progress:
    """Never back, and never beyond `latest`, the other's latest message. What was read was delivered."""
    read = max(now.read, min(claimed.read, latest))
    return Progress(max(now.delivered, min(claimed.delivered, latest), read), read)


def _invalid(field: str, problem: str) -> Refusal:
    return Refusal("invalid", fields={field: problem})
