"""A part of the soak: everything is killed, frozen and cut while people chat; then router alone, to time its return."""

import asyncio
from pathlib import Path

from msgspec import structs

from drill.installation import DrillError
from tests.chaos import delivery as chaos
from tests.chaos.faults import FAULTS
from tests.chaos.report import ROUTER, figures
from tests.chaos.run import ACTORS
from tests.soak.figures import Figure
from tests.soak.killing import Tell

MOST_KILLS_A_PIECE = 100
RECOVERIES = 40


def delivery(folder: Path, seed: int, messages: int, kills: int, tell: Tell) -> list[Figure]:
    """So many messages and kills; of everything else as much as the release run has for each kill."""
    whole = chaos.RELEASE.size
    share = kills / whole.kills
    counts = ("broker_kills", "supervisor_kills", "freezes", "network", "faults")
    size = structs.replace(
        whole, kills=kills, **{name: max(1, round(getattr(whole, name) * share)) for name in counts}
    )  # fmt: skip
    wanted = structs.replace(
        chaos.RELEASE, seed=seed, size=size, messages=messages, pieces=max(1, kills // MOST_KILLS_A_PIECE)
    )
    timed = structs.replace(
        chaos.RECOVERY, seed=seed, size=structs.replace(chaos.RECOVERY.size, kills=min(kills, RECOVERIES))
    )
    names = [fault.name for fault in FAULTS]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        mixed = asyncio.run(chaos.carry_out(chaos.orders(wanted, names, ACTORS), folder / "all", FAULTS, tell))
        alone = asyncio.run(chaos.carry_out(chaos.orders(timed, (), (ROUTER,)), folder / "router", (), tell))
    except DrillError as error:
        raise AssertionError(str(error)) from error
    return [*figures(mixed, alone=False), *figures(alone, alone=True)]
