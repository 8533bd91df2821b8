"""What is done to an installation, to whom and when: a pure function of a seed, written and read as a log of lines."""

import math
import random
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

Verb = Literal["kill", "freeze", "stop", "start", "restart"]

CYCLE = 60.0
"""Seconds for a round in which every victim has its turn. Shorter rounds would run into the supervisor's own limit of
restarts in a window, and the drill would measure its backoff."""
TAIL = 4.0
"""Seconds at the end in which nothing is done any more, so that the last blow is seen to be survived."""
HEAD = 2.0
"""Seconds at the beginning in which people chat undisturbed."""
TOGETHER = 0.3
"""Seconds between two blows that are to hit at once."""


class Deed(Struct, frozen=True):
    """`verb` is done to `name` at `at` seconds after the beginning. freeze is SIGSTOP, the rest the command line's."""

    at: float
    verb: Verb
    name: str


def crash(seed: int, seconds: float, victims: Sequence[str], *, freezable: Sequence[str] = ()) -> tuple[Deed, ...]:
    """Kills for so many seconds, in rounds: each victim at least once a round, at a random time of its own slice.

    Every round but the first has one more blow that hits together with another, and freezes one of `freezable`
    (whose death the supervisor must find out by itself) instead of killing it. Raises ValueError when a round does
    not fit.
    """
    room = seconds - HEAD - TAIL
    if not victims or room <= 0:
        raise ValueError(
            f"{seconds:g} s are too short for a crash drill: {HEAD + TAIL:g} s go to its beginning and end"
        )
    dice = random.Random(seed)  # noqa: S311  (reproducible on purpose)
    rounds = max(1, math.floor(seconds / CYCLE))
    deeds: list[Deed] = []
    for number in range(rounds):
        deeds.extend(_round(dice, HEAD + number * room / rounds, room / rounds, victims, freezable if number else ()))
    return tuple(sorted(deeds, key=lambda deed: deed.at))


def _round(
    dice: random.Random, begin: float, length: float, victims: Sequence[str], freezable: Sequence[str]
) -> Iterable[Deed]:
    order = dice.sample(list(victims), len(victims))
    piece = length / len(order)
    frozen = dice.choice(list(freezable)) if freezable else ""
    for place, name in enumerate(order):
        at = begin + (place + dice.random() * 0.8) * piece
        yield Deed(round(at, 3), "freeze" if name == frozen else "kill", name)
        if freezable and place == 0 and len(order) > 1:
            other = dice.choice([one for one in order if one not in {name, frozen}])
            yield Deed(round(at + dice.random() * TOGETHER, 3), "kill", other)


def rolling(begin: float, names: Sequence[str], gap: float) -> tuple[Deed, ...]:
    """Restart one after the other: `gap` seconds after the last one was begun, or when that has ended."""
    return tuple(Deed(round(begin + place * gap, 3), "restart", name) for place, name in enumerate(names))


def write(deeds: Iterable[Deed]) -> str:
    """A log of one JSON object a line, which `read` takes."""
    return "".join(f"{msgspec.json.encode(deed).decode()}\n" for deed in deeds)


def read(log: str) -> tuple[Deed, ...]:
    """The deeds of a log in the order of their times. Raises ValueError that names the line which is none."""
    deeds = []
    for number, line in enumerate(log.splitlines(), 1):
        if not line.strip():
            continue
        try:
            deed = msgspec.json.decode(line, type=Deed)
        except msgspec.DecodeError as error:
            raise ValueError(f"line {number} is no deed: {error}") from error
        if deed.at < 0:
            raise ValueError(f"line {number}: a deed cannot be done {-deed.at:g} s before the beginning")
        deeds.append(deed)
    return tuple(sorted(deeds, key=lambda deed: deed.at))
