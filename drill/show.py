"""One demonstration from its curtain to its account."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from msgspec import Struct, structs

from drill.demos import BACK_WITHIN, Demo
from drill.ledger import Account
from drill.report import INVARIANTS, MOST_NAMED, Blow, Report, felt, judged, label, spreads, versions
from drill.stage import Cast, InterruptedShowError, Stage

SETTLED_WITHIN = 60.0
"""Seconds, once every actor runs again, for the last message to be shown."""


class Bill(Struct, frozen=True):
    """What is played. `command` is how to see the same again."""

    demo: str
    command: str
    cast: Cast


async def perform(
    bill: Bill, demo: Demo, folder: Path, stream: TextIO, *, stop: asyncio.Event, pace: float = 1.0
) -> Report:
    """Play it, settle the account, and clear away all but the folder. `stop` ends it early, with the account so far.

    Raises DrillError when the installation does not start, InterruptedShowError when it was stopped before it did.
    """
    began = datetime.now(UTC)
    interrupted = False
    async with Stage(bill.demo, bill.cast, folder, stream, stop=stop) as stage:
        stage.pace = pace
        stage.scene.type_on()
        try:
            await demo(stage)
        except InterruptedShowError:
            interrupted = True
        seconds = stage.elapsed
        account = await _settle(stage)
        return _report(bill, stage, account, began=began, seconds=seconds, interrupted=interrupted or stop.is_set())


async def _settle(stage: Stage) -> Account:
    """Let everything come to rest, then hold what was typed against screens and log."""
    stage.explain("Nobody types any more. What is on its way arrives; then every message is accounted for.")
    await stage.scene.be_quiet()
    await stage.executor.recovered()
    if not await stage.watch.all_running(BACK_WITHIN):
        down = [f"{name} is {row['state']}" for name, row in stage.watch.rows.items() if row["state"] != "running"]
        stage.require(kept=False, sentence=f"not everything came back: {', '.join(down)}")
    if not await stage.scene.quiesce(SETTLED_WITHIN):
        stage.require(kept=False, sentence=f"not everything was shown within {SETTLED_WITHIN:g} s of quiet")
    return await stage.scene.account()


def _report(
    bill: Bill, stage: Stage, account: Account, *, began: datetime, seconds: float, interrupted: bool
) -> Report:
    blows = felt(stage.executor.blows, stage.scene.sent, stage.scene.shown_at())
    blows = [structs.replace(blow, at=round(blow.at - stage.began, 3)) for blow in blows]
    broken = [*judged(account, seconds), *stage.executor.failures, *stage.scene.casualties()]
    # What an interrupted drill had no time to do is not a promise that was broken.
    broken += [] if interrupted else stage.broken
    return Report(
        demo=bill.demo,
        command=bill.command,
        seed=bill.cast.seed,
        began=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        seconds=round(seconds, 1),
        interrupted=interrupted,
        pairs=bill.cast.pairs,
        rate=bill.cast.rate,
        versions=versions(stage.broker_version()),
        sent=account.sent,
        stored=account.stored,
        shown=account.shown,
        **{kind: len(getattr(account, kind)) for kind in INVARIANTS},
        reconnects=stage.scene.reconnects,
        kills=_kills(blows),
        ready=spreads([(label(blow), blow.ready) for blow in blows]),
        felt=spreads([(label(blow), blow.felt) for blow in blows]),
        blows=blows,
        examples={kind: named[:MOST_NAMED] for kind in INVARIANTS if (named := getattr(account, kind))},
        broken=broken,
    )


def _kills(blows: list[Blow]) -> dict[str, int]:
    return dict(sorted(Counter(blow.name for blow in blows if blow.verb == "kill").items()))
