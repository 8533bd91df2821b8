"""`parley dead list|show|replay|purge ACTOR`: mail that an actor could not handle, kept for the operator to judge.

A letter is named by its mark, the beginning of a hash of it, so that it stays itself while others come and go.
"""

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.runtime.letters import Found, described, look, summary
from cli.exits import FAILED, CommandError
from protocols.errors import Refusal
from protocols.mail import Envelope, decode_envelope, encoder
from protocols.values import rfc3339
from settings import Paths, Settings, load
from settings.owners import OWNERS

if TYPE_CHECKING:
    from actors.runtime.amqp import AmqpBroker

ACTORS: Final = OWNERS
MOST: Final = 1_000
"""Letters that one command looks at: they are held in memory, and the oldest come first."""

WITHIN: Final = 60.0
"""Seconds for a whole command."""

Act = Callable[[argparse.Namespace], Coroutine[Any, Any, str]]


def add_parser(subparsers: Any) -> None:
    """Add `dead` and what it does."""
    dead = subparsers.add_parser("dead", help="mail that could not be handled: list, show, replay, purge")
    actions = dead.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = _action(actions, "list", _list, "one line a letter, the oldest first", actor="?")
    listing.add_argument("--json", action="store_true", help="as JSON")
    _action(actions, "show", _show, "everything about one letter, its command included", which="one")
    _action(actions, "replay", _replay, "hand letters to the actor again, and take them away here", which="some")
    _action(actions, "purge", _purge, "take letters away for good", which="some")


def run(args: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 no such letter, or the broker is not there."""
    act: Act = args.act
    try:
        print(asyncio.run(act(args)))
    except Refusal as refusal:
        raise CommandError(f"{refusal.body.message} `parley status` shows whether it runs.", FAILED) from refusal
    return 0


def renewed(found: Found) -> bytes:
    """The envelope to send again. Raises CommandError for what must not be.

    A command that was set aside has its definite error stored under its id, and would only be told it again: it gets
    a new id, the same one at every try, so that two replays of one letter do it once.
    """
    letter = found.letter
    if letter.reason.startswith("forged"):
        # Sent on by us, it would carry our name, and be believed.
        raise CommandError(f"{found.mark} was forged; it can be purged, not replayed")
    try:
        envelope = decode_envelope(letter.raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Perhaps the actor is of a newer version by now, and understands it.
        return letter.raw
    items = [
        msgspec.structs.replace(item, id=f"replay-{found.mark}-{number}", correlation="", expires=0)
        for number, item in enumerate(envelope.items)
    ]
    return encoder.encode(Envelope(sender=envelope.sender, items=items))


def chosen(letters: Sequence[Found], marks: Sequence[str], every: bool) -> list[Found]:
    """The letters that a command is about. Raises CommandError unless each mark is one letter's."""
    if every:
        return list(letters)
    picked = []
    for mark in marks:
        fitting = [found for found in letters if found.mark.startswith(mark)]
        if len(fitting) != 1:
            many = "no letter" if not fitting else "more than one letter"
            raise CommandError(f"{many} here has the mark {mark}; `parley dead list` shows them")
        picked += fitting
    return list({found.mark: found for found in picked}.values())


def _action(
    actions: Any, name: str, act: Act, text: str, *, which: str = "", actor: str | None = None
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text)
    parser.add_argument("actor", metavar="ACTOR", choices=ACTORS, nargs=actor, help=", ".join(ACTORS))
    if which == "one":
        parser.add_argument("mark", metavar="MARK", help="the letter's mark, or its beginning")
    if which == "some":
        some = parser.add_mutually_exclusive_group(required=True)
        some.add_argument("marks", metavar="MARK", nargs="*", default=[], help="marks of letters, or their beginnings")
        some.add_argument("--all", action="store_true", help="all of them")
    parser.set_defaults(run=run, act=act)
    return parser


async def _list(args: argparse.Namespace) -> str:
    actors = [args.actor] if args.actor else ACTORS
    async with _opened() as office:
        letters = [found for actor in actors for found in await office.letters(actor)]
    if args.json:
        return json.dumps({"letters": [summary(found) for found in letters]}, ensure_ascii=False)
    if not letters:
        return f"{args.actor} has no dead letters" if args.actor else "there are no dead letters"
    lines = [
        f"{found.mark}  {rfc3339(found.letter.at)}  {found.letter.actor:<8}  {found.letter.reason}" for found in letters
    ]
    if len(letters) >= MOST:
        lines.append(f"... and perhaps more: these are the {MOST} oldest")
    return "\n".join(lines)


async def _show(args: argparse.Namespace) -> str:
    async with _opened() as office:
        (found,) = chosen(await office.letters(args.actor), [args.mark], every=False)
    return json.dumps(described(found), indent=2, ensure_ascii=False, default=bytes.hex)


async def _replay(args: argparse.Namespace) -> str:
    async with _opened() as office:
        letters = chosen(await office.letters(args.actor), args.marks, args.all)
        # Judged before the first one is sent: all that was asked for, or nothing.
        bodies = [renewed(found) for found in letters]
        for found, body in zip(letters, bodies, strict=True):
            await office.send(args.actor, body)
            # Only now: between the two it is at both places, and done once all the same.
            await found.settle(True)
    return f"{_count(letters)} went to {args.actor} again"


async def _purge(args: argparse.Namespace) -> str:
    async with _opened() as office:
        letters = chosen(await office.letters(args.actor), args.marks, args.all)
        for found in letters:
            await found.settle(True)
    return f"{_count(letters)} of {args.actor} purged"


class _Office:
    """The broker's dead letters of each actor, over one connection; letters not settled go back when it closes."""

    def __init__(self, broker: "AmqpBroker", settings: Settings) -> None:
        self._broker = broker
        self._settings = settings

    async def letters(self, actor: str) -> list[Found]:
        return await look(self._broker, actor, MOST)

    async def send(self, actor: str, body: bytes) -> None:
        """Return when the broker has it on disk."""
        from actors.runtime.broker import Outgoing  # noqa: PLC0415  (as below)
        from actors.runtime.topology import mailbox  # noqa: PLC0415

        queue = mailbox(self._settings.broker, actor)
        await self._broker.publish(Outgoing("", queue, body, durable=True, must_arrive=True))


@contextlib.asynccontextmanager
async def _opened() -> AsyncIterator[_Office]:
    # Imported here, because the broker's client takes longer to import than most commands of this program take.
    from actors.runtime import Environment  # noqa: PLC0415
    from actors.runtime.broker import BrokerError  # noqa: PLC0415
    from actors.runtime.client import open_broker  # noqa: PLC0415

    settings = load()
    try:
        async with (
            asyncio.timeout(WITHIN),
            open_broker(Environment(settings, Paths.of(settings)), "cli") as broker,
        ):
            yield _Office(broker, settings)
    except (BrokerError, TimeoutError) as error:
        raise CommandError("the broker was lost or does not answer; the letters not named as done are there") from error


def _count(letters: Sequence[Found]) -> str:
    return "1 letter" if len(letters) == 1 else f"{len(letters)} letters"
