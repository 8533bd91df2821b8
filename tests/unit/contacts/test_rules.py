"""What becomes of two people: every reachable state with every command, and what neither may learn of the other."""

import itertools
from collections.abc import Callable
from typing import Final

import pytest

from actors.contacts import rules
from protocols.errors import Refusal
from protocols.values import Relation
from storage.sides import STRANGERS, Pair

NOW: Final = 1_700_000_000_000

COMMANDS: Final[dict[str, Callable[[Pair], Pair]]] = {
    "ask": lambda pair: rules.ask(pair, NOW, "request"),
    "accept": rules.accept,
    "decline": lambda pair: rules.decline(pair, NOW),
    "cancel": rules.cancel,
    "remove": rules.remove,
    "block": rules.block,
    "unblock": rules.unblock,
}


def views(pair: Pair) -> tuple[Relation, Relation]:
    """(what I see, what the other sees)."""
    return pair.view.relation, pair.turned.view.relation


def tried(pair: Pair, command: str) -> Pair | str:
    """The pair afterwards, or the code of the refusal."""
    try:
        return COMMANDS[command](pair)
    except Refusal as refusal:
        return refusal.code


def after(*steps: str) -> Pair:
    """What became of two strangers. Steps of the other are written as `their ask`."""
    pair = STRANGERS
    for step in steps:
        done = tried(pair.turned, step.removeprefix("their ")) if step.startswith("their ") else tried(pair, step)
        assert isinstance(done, Pair), f"{step}: {done}"
        pair = done.turned if step.startswith("their ") else done
    return pair


def reachable() -> list[Pair]:
    """Every state that two people can come into, whichever of them acts."""
    found = {STRANGERS}
    fresh = [STRANGERS]
    while fresh:
        pair = fresh.pop()
        for command in COMMANDS:
            for looked_at in (pair, pair.turned):
                done = tried(looked_at, command)
                if isinstance(done, Pair) and done not in found:
                    found.add(done)
                    fresh.append(done)
    return sorted(found, key=repr)


STATES: Final = reachable()

# Before each: how two people come to be so. Then what the two see after a command of mine, or the refusal.
TABLE: Final[dict[str, tuple[tuple[str, ...], dict[str, tuple[Relation, Relation] | str]]]] = {
    "strangers": (
        (),
        {
            "ask": ("outgoing", "incoming"),
            "accept": "not_found",
            "decline": "not_found",
            "cancel": "not_found",
            "remove": "not_found",
            "block": ("blocked", "none"),
            "unblock": ("none", "none"),
        },
    ),
    "I asked": (
        ("ask",),
        {
            "ask": ("outgoing", "incoming"),
            "accept": "not_found",
            "decline": "not_found",
            "cancel": ("none", "none"),
            "remove": "not_found",
            "block": ("blocked", "none"),
            "unblock": ("outgoing", "incoming"),
        },
    ),
    "I am asked": (
        ("their ask",),
        {
            "ask": ("contact", "contact"),
            "accept": ("contact", "contact"),
            "decline": ("none", "outgoing"),
            "cancel": "not_found",
            "remove": "not_found",
            "block": ("blocked", "outgoing"),
            "unblock": ("incoming", "outgoing"),
        },
    ),
    "I declined": (
        ("their ask", "decline"),
        {
            "ask": ("contact", "contact"),
            "accept": "not_found",
            "decline": ("none", "outgoing"),
            "cancel": "not_found",
            "remove": "not_found",
            "block": ("blocked", "outgoing"),
            "unblock": ("none", "outgoing"),
        },
    ),
    "I was declined": (
        ("ask", "their decline"),
        {
            "ask": ("outgoing", "none"),
            "accept": "not_found",
            "decline": "not_found",
            "cancel": ("none", "none"),
            "remove": "not_found",
            "block": ("blocked", "none"),
            "unblock": ("outgoing", "none"),
        },
    ),
    "in contact": (
        ("ask", "their accept"),
        {
            "ask": ("contact", "contact"),
            "accept": ("contact", "contact"),
            "decline": "conflict",
            "cancel": "conflict",
            "remove": ("removed", "none"),
            "block": ("blocked", "none"),
            "unblock": ("contact", "contact"),
        },
    ),
    "I removed": (
        ("ask", "their accept", "remove"),
        {
            "ask": ("outgoing", "incoming"),
            "accept": "not_found",
            "decline": "not_found",
            "cancel": "not_found",
            "remove": ("removed", "none"),
            "block": ("blocked", "none"),
            "unblock": ("removed", "none"),
        },
    ),
    "I was removed": (
        ("ask", "their accept", "their remove"),
        {
            "ask": ("outgoing", "incoming"),
            "accept": "not_found",
            "decline": "not_found",
            "cancel": "not_found",
            "remove": "not_found",
            "block": ("blocked", "removed"),
            "unblock": ("none", "removed"),
        },
    ),
    "I block": (
        ("block",),
        {
            "ask": "conflict",
            "accept": "not_found",
            "decline": "not_found",
            "cancel": "not_found",
            "remove": "not_found",
            "block": ("blocked", "none"),
            "unblock": ("none", "none"),
        },
    ),
    "I am blocked": (
        ("their block",),
        {
            "ask": ("outgoing", "blocked"),
            "accept": "not_found",
            "decline": "not_found",
            "cancel": "not_found",
            "remove": "not_found",
            "block": ("blocked", "blocked"),
            "unblock": ("none", "blocked"),
        },
    ),
    "I asked whoever blocks me": (
        ("their block", "ask"),
        {
            "ask": ("outgoing", "blocked"),
            "accept": "not_found",
            "decline": "not_found",
            "cancel": ("none", "blocked"),
            "remove": "not_found",
            "block": ("blocked", "blocked"),
            "unblock": ("outgoing", "blocked"),
        },
    ),
}


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_both_see_after_a_command(state: str, command: str) -> None:
    steps, expected = TABLE[state]
    done = tried(after(*steps), command)
    assert (views(done) if isinstance(done, Pair) else done) == expected[command]


def test_the_table_knows_every_combination_of_views() -> None:
    """Each thing that two people can see of each other at once begins a row, from one side or from the other."""
    begun = {pair for steps, _ in TABLE.values() for pair in (views(after(*steps)), views(after(*steps).turned))}
    mixed = {views(pair) for pair in STATES} - begun
    # What is left comes of both acting at cross purposes: blocks on both sides, and requests beside an old removal.
    assert mixed == {("blocked", "blocked"), ("blocked", "removed"), ("removed", "blocked")} | {
        ("outgoing", "removed"),
        ("removed", "outgoing"),
    }


@pytest.mark.parametrize("pair", STATES)
def test_the_two_views_never_contradict_each_other(pair: Pair) -> None:
    mine, theirs = views(pair)
    assert (mine == "contact") == (theirs == "contact") == pair.consent
    if mine == "incoming":
        assert theirs == "outgoing"
        assert pair.view.request == pair.turned.view.request != ""
    if pair.mine.blocks:
        assert mine == "blocked"
        assert theirs in {"none", "outgoing", "removed", "blocked"}
    assert pair.turned.turned == pair


@pytest.mark.parametrize("pair", STATES)
@pytest.mark.parametrize("command", ["decline", "unblock"])
def test_the_other_sees_nothing_of_a_decline_or_an_unblock(pair: Pair, command: str) -> None:
    done = tried(pair, command)
    if isinstance(done, Pair):
        assert done.turned.view == pair.turned.view


@pytest.mark.parametrize("pair", STATES)
def test_a_block_looks_like_a_removal_to_the_other(pair: Pair) -> None:
    if pair.mine.stance == "contact":
        assert rules.block(pair).turned.view == rules.remove(pair).turned.view
    elif pair.mine.stance == "asked":
        assert rules.block(pair).turned.view == rules.cancel(pair).turned.view
    else:
        assert rules.block(pair).turned.view == pair.turned.view


def seen_after(pair: Pair, commands: tuple[str, ...]) -> list[object]:
    """What I am answered and see while I do this and the other does nothing."""
    seen: list[object] = [pair.view]
    for command in commands:
        done = tried(pair, command)
        pair = done if isinstance(done, Pair) else pair
        seen.append((done if isinstance(done, str) else "done", pair.view))
    return seen


@pytest.mark.parametrize("pair", [pair for pair in STATES if pair.theirs.stance in {"none", "removed"}])
def test_whoever_is_blocked_or_declined_cannot_find_out(pair: Pair) -> None:
    """Blocked or not, declined or not: as long as I see the same at first, whatever I do looks the same to me."""
    shadows = [rules.block(pair.turned).turned]
    if pair.view.relation == "outgoing":
        shadows.append(rules.decline(pair.turned, NOW).turned)
    for shadow in shadows:
        assert shadow.view == pair.view
        for commands in itertools.product(COMMANDS, repeat=3):
            assert seen_after(shadow, commands) == seen_after(pair, commands)


@pytest.mark.parametrize("pair", STATES)
@pytest.mark.parametrize("command", ["ask", "accept", "decline", "remove", "block", "unblock"])
def test_doing_it_twice_is_doing_it_once(pair: Pair, command: str) -> None:
    once = tried(pair, command)
    if isinstance(once, Pair):
        assert tried(once, command) == once


@pytest.mark.parametrize("pair", STATES)
def test_after_an_unblock_the_two_are_strangers_to_whoever_blocked(pair: Pair) -> None:
    if not pair.turned.mine.blocks:
        assert rules.unblock(rules.block(pair)).view.relation == "none"


def test_after_a_decline_asking_again_stays_hidden_for_a_while() -> None:
    declined = rules.decline(after("their ask"), NOW).turned
    again = rules.ask(rules.cancel(declined), NOW + rules.QUIET_MS - 1, "second")
    assert views(again) == ("outgoing", "none")
    later = rules.ask(rules.cancel(declined), NOW + rules.QUIET_MS, "third")
    assert views(later) == ("outgoing", "incoming")


def test_being_in_contact_forgets_the_decline() -> None:
    pair = after("ask", "their decline", "their ask", "remove", "ask")
    assert views(pair) == ("outgoing", "incoming")


def test_only_sides_that_see_something_new_are_dated() -> None:
    asked = rules.settled(STRANGERS, after("ask"), 5, 1)
    assert (asked.mine.at, asked.theirs.at) == (5, 5)
    assert rules.told_to_both(asked)
    declined = rules.settled(asked.turned, rules.decline(asked.turned, 9), 9, 2)
    assert (declined.mine.at, declined.theirs.at) == (9, 5)
    assert not rules.told_to_both(declined)


@pytest.mark.parametrize(
    ("newest", "limit", "wait"),
    [
        ([], 2, 0),
        ([NOW - 1], 2, 0),
        ([NOW - 1, NOW - 10], 2, rules.HOUR_MS - 10),
        ([NOW - 1, NOW - rules.HOUR_MS], 2, 0),
        ([NOW - 1, NOW - 10], 0, 0),
    ],
)
def test_the_wait_is_until_the_oldest_that_counts_is_an_hour_old(newest: list[int], limit: int, wait: int) -> None:
    assert rules.wait_ms(newest, limit, NOW) == wait
