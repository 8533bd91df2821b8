"""Bad moments: answers that are late, tabs that get into each other's way, clocks that are put back."""

import pytest
from playwright.sync_api import Route, expect

from tests.support.real_page import Person

pytestmark = pytest.mark.e2e

Pair = tuple[Person, Person, str]


def test_what_is_written_before_the_history_is_here_is_seen_at_once_and_stays(pair: Pair) -> None:
    ada, _, conversation = pair
    ada.post(conversation, "long ago")
    held: list[Route] = []
    ada.page.route("**/messages?*", lambda route: held.append(route))  # noqa: PLW0108  (a builtin cannot be a handler)
    ada.visit(f"/chat/{conversation}")
    ada.connected()
    ada.write("hello already")
    expect(ada.page.locator(".msg .body")).to_have_text(["hello already"])
    expect(ada.page.locator(".msg.own[data-seq='2']")).to_have_count(1)
    for route in held:
        route.continue_()
    expect(ada.page.locator(".msg .body")).to_have_text(["long ago", "hello already"])
