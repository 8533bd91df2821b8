"""The delivery core in virtual time: no installation, no broker, and more faults an hour than in years of service."""

from tests.simulation.sweep import chunks, sweep
from tests.soak.figures import Figure
from tests.soak.killing import Tell

SAID_EVERY = 1_000
NAMED = 5


def simulation(seeds: int, tell: Tell) -> Figure:
    """Live so many seeds, the first ones being those of `make test`."""
    broken: list[int] = []
    for chunk in chunks(0, seeds):
        broken += sweep(chunk, lambda seed, what: tell(f"seed {seed}: {'; '.join(what)}")).broken
        if chunk.stop % SAID_EVERY == 0:
            tell(f"{chunk.stop} seeds, {len(broken)} broken")
    named = ", ".join(map(str, broken[:NAMED]))
    return Figure(
        name=f"{seeds} seeds of the simulation",
        goal="nothing lost, doubled, out of order, missing or unread, and everything recovers",
        measured=f"{len(broken)} broken" + (f" (seeds {named})" if named else ""),
        kept=not broken,
    )
