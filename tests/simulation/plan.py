"""What a seed stands for: who talks how much, how the installation is set, and which faults there are. Pure."""

from random import Random

from msgspec import Struct

FAULTS = (
    "kill router",
    "kill front",
    "stop router",
    "stop front",
    "kill router at",
    "kill front at",
    "cut router at",
    "cut front at",
    "cut link",
    "stall link",
    "cut socket",
    "deafen socket",
    "stall socket",
    "reload",
    "kill broker",
    "stop broker",
    "alarm",
    "refuse",
    "lose pushes",
    "slow disk",
    "busy",
    "full",
    "failing",
    "shift clock",
    "delete mailbox",
)
"""Each by the name under which nemesis.py has it."""

POINTS = {
    "router": (
        "published",
        "confirmed",
        "acknowledged",
        "delivered",
        "before the transaction",
        "in the transaction",
        "after the transaction",
    ),
    "front": ("published", "confirmed", "pushed", "heard"),
}
"""Moments of a process at which it can be killed or cut off, besides any time between."""


MOST_BLOWS = 8


class Plan(Struct, frozen=True, kw_only=True):
    """`seconds`: how long faults and typing last. Delays are means, in seconds; `faults` maps each to its weight.

    `neighbours`: when another owner begins anew, in parts of `seconds`. `ignorant`: devices repeat what is unanswered
    whatever owner's pushes were lost.
    """

    seed: int
    people: int
    second_devices: int
    fronts: int
    messages: int
    changes: int
    repeats: int
    seconds: float
    network: float
    wireless: float
    disk: float
    spikes: float
    batch_commands: int
    in_flight: int
    mailbox_bound: int
    lane_commands: int
    receipts_answered: bool
    faults: dict[str, float]
    blows: int
    neighbours: tuple[float, ...]
    ignorant: bool


def plan(seed: int) -> Plan:
    """What seed means. Each draws its own few kinds of faults: in a mixture of all the rare ones would drown."""
    rng = Random(seed)  # noqa: S311  (a seed, not a secret)
    kinds = rng.sample(FAULTS, rng.randint(1, 6))
    in_flight = rng.choice((1, 2, 8, 64))
    narrow = rng.random() < 0.3
    rich = rng.random() < 0.4
    apart = Random(f"{seed} neighbours")  # noqa: S311  (as above; of its own, so that it draws nothing from the others)
    return Plan(
        seed=seed,
        people=rng.choice((2, 2, 2, 3)),
        second_devices=rng.choice((0, 1, 1, 2)),
        fronts=rng.choice((1, 2, 2, 3)),
        messages=rng.randint(4, 24),
        changes=rng.randint(1, 5) if rich else 0,
        repeats=rng.choice((0, 0, 3)),
        seconds=rng.uniform(2.0, 10.0),
        network=rng.choice((0.0005, 0.002, 0.02)),
        wireless=rng.choice((0.001, 0.02, 0.2)),
        disk=rng.choice((0.0002, 0.002, 0.02)),
        spikes=rng.choice((0.0, 0.0, 0.01, 0.05)),
        batch_commands=rng.choice((1, 2, 5, 256)),
        in_flight=in_flight,
        mailbox_bound=rng.choice((2, 100, 100_000)),
        # What all sockets of a front may have under way fits several times, as it does in earnest: told again after
        # each resync, it would keep a lane full that has no room for it.
        lane_commands=20 * in_flight if narrow else 20_000,
        # A receipt that nobody wants an answer to may get lost at the bound.
        receipts_answered=narrow or rng.random() < 0.3,
        faults={kind: rng.uniform(0.2, 1.0) for kind in kinds},
        blows=rng.randint(1, MOST_BLOWS),
        neighbours=tuple(apart.random() for _ in range(apart.choice((0, 0, 2, 5)))),
        ignorant=apart.random() < 0.5,
    )
