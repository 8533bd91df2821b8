"""What one run, or several pieces of one, have shown: numbers and promises. Pure."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from drill.report import Spread, spread
from tests.chaos.checker import PROMISED, Verdict, judge
from tests.chaos.record import Begun, Device, Did, Record, Settled, Showed, Told, Typed
from tests.chaos.schedule import BAD_NETWORK, Step
from tests.soak.figures import Figure

ROUTER = "router"
NEXT_WITHIN = 1.0
LOOKED_FOR = 60.0
"""Seconds after a kill within which the next message is looked for."""
MOST_NAMED = 10


class Outcome(Struct, frozen=True, kw_only=True):
    """One run. `done` counts what was done by verb and target; times are in seconds.

    after: by victim, from its kill to the next message's being shown: one that was typed after the kill, by anybody.
    waited: by victim, how long the slowest conversation's next message took from typing to being shown.
    """

    seed: int
    began: str
    seconds: float
    reconnects: int
    done: Mapping[str, int]
    omitted: Sequence[str]
    after: Mapping[str, Sequence[float]]
    waited: Mapping[str, Sequence[float]]
    memory: Mapping[str, int]
    verdict: Verdict


def outcome(records: Iterable[Record]) -> Outcome:
    """Of a run's log. Raises ValueError when the run did not come to its end."""
    every = list(records)
    verdict = judge(every)
    begun = next(one for one in every if isinstance(one, Begun))
    settled = next(one for one in every if isinstance(one, Settled))
    told = [one for one in every if isinstance(one, Told) and one.about == "crowd"]
    steps = [(one, begun.steps[one.number]) for one in every if isinstance(one, Did) and not one.over]
    done = [(did.at, step) for did, step in steps if not did.omitted]
    after, waited = _recoveries(every, [(at, step.target) for at, step in done if step.verb == "kill"])
    return Outcome(
        seed=begun.seed,
        began=begun.began,
        seconds=settled.at,
        reconnects=sum(one.fields["reconnects"] for one in told),
        done=Counter(_label(step) for _, step in done),
        omitted=sorted({did.text for did, _ in steps if did.omitted}),
        after=after,
        waited=waited,
        memory=settled.memory,
        verdict=verdict,
    )


def _label(step: Step) -> str:
    return f"{step.verb} {step.target}"


def _recoveries(
    records: Sequence[Record], kills: Sequence[tuple[float, str]]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    people = {one.device: one.person for one in records if isinstance(one, Device)}
    typed = [one for one in records if isinstance(one, Typed)]
    shown: dict[str, float] = {}
    for one in records:
        if isinstance(one, Showed) and people[one.device] != one.sender:
            shown.setdefault(one.client_id, one.at)
    times = [one.at for one in typed]
    after: dict[str, list[float]] = defaultdict(list)
    waited: dict[str, list[float]] = defaultdict(list)
    for at, name in kills:
        following = [
            one for one in typed[bisect_left(times, at) : bisect_left(times, at + LOOKED_FOR)] if one.client_id in shown
        ]
        first: dict[str, Typed] = {}
        for one in following:
            first.setdefault(one.device, one)
        if following:
            after[name].append(min(shown[one.client_id] for one in following) - at)
            waited[name].append(max(shown[one.client_id] - one.at for one in first.values()))
    return after, waited


def figures(outcomes: Sequence[Outcome], *, alone: bool) -> list[Figure]:
    """What was promised and measured. `alone`: only kills of router were done, so its recovery is a promise, too.

    Otherwise other things went wrong at the same time, and times are for information.
    """
    verdicts = [one.verdict for one in outcomes]
    found = [_promise(verdicts, name) for name in PROMISED]
    broken = [one for one in found if not one.kept]
    return [
        _delivery(outcomes),
        *broken,
        _recovery("from a kill to the next message shown", [one.after for one in outcomes], promised=alone),
        _recovery("the slowest conversation's next message took", [one.waited for one in outcomes], promised=False),
    ]


def _delivery(outcomes: Sequence[Outcome]) -> Figure:
    total: Counter[str] = Counter()
    for one in outcomes:
        total.update(one.done)
    verdicts = [one.verdict for one in outcomes]
    zeros = ", ".join(f"{sum(len(getattr(one, name)) for one in verdicts)} {name}" for name in PROMISED)
    killed = {key.removeprefix("kill "): count for key, count in sorted(total.items()) if key.startswith("kill ")}
    frozen = sum(count for key, count in total.items() if key.startswith("freeze "))
    network = sum(count for key, count in total.items() if key.split()[0] in BAD_NETWORK)
    special = {key.removeprefix("fault "): count for key, count in sorted(total.items()) if key.startswith("fault ")}
    memory: dict[str, int] = defaultdict(int)
    for each in outcomes:
        for name, held in each.memory.items():
            memory[name] = max(memory[name], held)
    said = [
        f"{_sum(verdicts, 'acknowledged')} messages acknowledged, {_sum(verdicts, 'shown')} times shown on a screen",
        f"{sum(killed.values())} kills ({_list(killed)})",
        f"{frozen} freezes, {network} times a bad network" + (f", {_list(special)}" if special else ""),
        zeros,
        f"{_sum(verdicts, 'recovered')} recovered, {_sum(verdicts, 'repeated')} sent again",
        f"{sum(one.reconnects for one in outcomes)} reconnects",
        "memory at most " + ", ".join(f"{name} {held >> 20} MiB" for name, held in sorted(memory.items())),
    ]
    omitted = sorted({text for one in outcomes for text in one.omitted})
    said += [f"LEFT OUT {text}" for text in omitted]
    return Figure(
        name="delivery",
        goal="every acknowledged message once, in order, on every screen; nothing left behind",
        measured="\n          " + "\n          ".join(said),
        kept=all(one.kept for one in verdicts) and bool(_sum(verdicts, "acknowledged")),
    )


def _promise(verdicts: Sequence[Verdict], name: str) -> Figure:
    named = [text for one in verdicts for text in getattr(one, name)]
    more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return Figure(name=name, goal="0", measured=f"{len(named)}: {', '.join(named[:MOST_NAMED])}{more}", kept=not named)


def _recovery(name: str, times: Sequence[Mapping[str, Sequence[float]]], *, promised: bool) -> Figure:
    joined: dict[str, list[float]] = defaultdict(list)
    for each in times:
        for victim, values in each.items():
            joined[victim].extend(values)
    spreads: dict[str, Spread] = {victim: spread(values) for victim, values in sorted(joined.items())}
    router = spreads.get(ROUTER)
    return Figure(
        name=name,
        goal=f"router: p95 within {NEXT_WITHIN:g} s" if promised else "for information",
        measured=f"router p50 {router.p50:g} s, p95 {router.p95:g} s" if router else "router was not killed",
        kept=not promised or (router is not None and router.p95 <= NEXT_WITHIN),
        spreads=spreads,
    )


def _sum(verdicts: Sequence[Verdict], name: str) -> int:
    return sum(getattr(one, name) for one in verdicts)


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
