"""What is done to an installation, to whom and when: a pure function of a seed and of how much of each."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct, structs

BROKER = "broker"
SUPERVISOR = "supervisor"

Verb = Literal["kill", "freeze", "cut", "trim", "stall", "delay", "lose", "refuse", "fault"]
BAD_NETWORK: Sequence[Verb] = ("cut", "trim", "stall", "delay", "lose", "refuse")
PLACES = ("doors", "wires")
WAYS = ("up", "down", "both")

HEAD = 2.0
"""Seconds of plain chat before the first step."""
LONGEST_TRIM = 20_000
LONGEST_DELAY = 0.2
SHORTEST_TROUBLE = 0.5
LONGEST_TROUBLE: Mapping[Verb, float] = {"lose": 10.0}
TOGETHER = 0.1
"""The share of steps that come right behind the one before, so that two things go wrong at once."""
EARLY = 0.2
"""The share of kills of actors that may hit one that is only just starting."""


class Step(Struct, frozen=True):
    """`verb` is done to `target` at `wait` seconds after the step before it was begun.

    kill is SIGKILL to a child or to the supervisor; freeze is SIGSTOP, and SIGCONT `length` seconds later. The target
    of a bad network is "doors" (clients to fronts) or "wires" (actors to broker): cut resets connections at once, trim
    after `amount` more bytes, stall holds everything back and delay each chunk for `amount` seconds, lose throws bytes
    away without a word to either end and refuse takes no connection, each for `length` seconds. `way` is the direction.
    The target of a fault is its name. `seed` decides what else is to be decided. A victim that has just been killed is
    waited for until it is ready again; `early`: only until it has a process, so that it dies while it starts.
    """

    wait: float
    verb: Verb
    target: str
    length: float = 0.0
    way: str = ""
    amount: float = 0.0
    seed: int = 0
    early: bool = False


class Size(Struct, frozen=True, kw_only=True):
    """How much of each is done. `pace` is the mean of seconds between two steps; a freeze lasts 1 s to `longest`.

    `faults` is how often each special fault has its turn.
    """

    kills: int = 0
    broker_kills: int = 0
    supervisor_kills: int = 0
    freezes: int = 0
    network: int = 0
    faults: int = 0
    pace: float = 1.0
    longest: float = 20.0


def plan(seed: int, size: Size, actors: Sequence[str], faults: Sequence[str] = ()) -> tuple[Step, ...]:
    """The schedule. Kills go round all actors, so each has its share; everything else is drawn.

    Raises ValueError without actors.
    """
    if not actors:
        raise ValueError("there is nobody to kill")
    dice = random.Random(f"chaos {seed}")  # noqa: S311  (reproducible on purpose)
    steps = [*_blows(dice, size, actors), *_bad_network(dice, size), *_special(dice, size, faults)]
    dice.shuffle(steps)
    return tuple(_timed(dice, steps, size.pace))


def _blows(dice: random.Random, size: Size, actors: Sequence[str]) -> Iterator[Step]:
    for number in range(size.kills):
        yield Step(0.0, "kill", actors[number % len(actors)], early=dice.random() < EARLY)
    for _ in range(size.broker_kills):
        yield Step(0.0, "kill", BROKER)
    for _ in range(size.supervisor_kills):
        yield Step(0.0, "kill", SUPERVISOR)
    freezable = dice.sample([*actors, BROKER], len(actors) + 1)
    for number in range(size.freezes):
        name = freezable[number % len(freezable)]
        yield Step(0.0, "freeze", name, length=round(dice.uniform(1.0, size.longest), 2))


def _bad_network(dice: random.Random, size: Size) -> Iterator[Step]:
    for number in range(size.network):
        verb = BAD_NETWORK[number % len(BAD_NETWORK)]
        amount = {
            "trim": float(dice.randrange(LONGEST_TRIM)),
            "delay": round(dice.uniform(0.005, LONGEST_DELAY), 3),
        }.get(verb, 0.0)
        yield Step(
            0.0,
            verb,
            PLACES[number // len(BAD_NETWORK) % len(PLACES)],
            length=0.0 if verb == "cut" else round(dice.uniform(SHORTEST_TROUBLE, LONGEST_TROUBLE.get(verb, 5.0)), 2),
            way=dice.choice(WAYS),
            amount=amount,
            seed=dice.randrange(1 << 31),
        )


def _special(dice: random.Random, size: Size, faults: Sequence[str]) -> Iterator[Step]:
    for _ in range(size.faults):
        for name in faults:
            yield Step(0.0, "fault", name, seed=dice.randrange(1 << 31))


def _timed(dice: random.Random, steps: Sequence[Step], pace: float) -> Iterator[Step]:
    for number, step in enumerate(steps):
        if number == 0:
            wait = HEAD
        elif dice.random() < TOGETHER:
            wait = dice.uniform(0.0, 0.05)
        else:
            wait = dice.uniform(0.5, 1.5) * pace
        yield structs.replace(step, wait=round(wait, 3))
