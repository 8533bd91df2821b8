"""One chromium for all tests of the page; people of their own for each test."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

from drill.installation import Installation
from tests.support.real_page import CHROMIUM, SCRIPTS, House, Person, browser, person
from tests.support.waiting import SCALE, eventually_sync

expect.set_options(timeout=5_000 * SCALE)

_numbers = itertools.count(1)

Meet = Callable[..., Person]


@pytest.fixture(scope="session")
def house(installation: Installation) -> House:
    one = House(installation.folder, installation.port)
    eventually_sync(one.ready, within=30)
    return one


# For a file and not for the run: its loop runs for as long as it does, and async tests of the same process need theirs.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with sync_playwright() as one:
        yield one


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    with browser(playwright) as one:
        yield one


@pytest.fixture
def meet(chromium: Browser, house: House) -> Iterator[Meet]:
    """`meet("Ada")` is somebody new called Ada7 or so, signed in, in a browser of their own.

    `meet(ada.name, again=True)` is a further device of somebody who was met. Afterwards nobody's console may have
    complained: a CSP report or an uncaught error fails the test.
    """
    met: list[Person] = []

    def make(name: str, *, again: bool = False, **context: Any) -> Person:
        one = person(chromium, house, name if again else f"{name}{next(_numbers)}", **context)
        met.append(one)
        if again:
            one.log_in()
        else:
            one.register()
        return one

    yield make
    complaints = [f"{one.name}: {text}" for one in met for text in one.complaints]
    for one in met:
        one.context.close()
    assert not complaints


@pytest.fixture
def pair(meet: Meet) -> tuple[Person, Person, str]:
    """Two people in contact, and their conversation's id."""
    ada, noor = meet("Ada"), meet("Noor")
    return ada, noor, ada.befriend(noor)


@pytest.fixture(scope="module")
def bench(chromium: Browser) -> Iterator[Page]:
    """An empty page of an invented origin that serves the modules from disk."""

    def serve(route: Route) -> None:
        path = Path(SCRIPTS / route.request.url.removeprefix("http://modules.test/"))
        if path.is_file():
            route.fulfill(body=path.read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    page = chromium.new_page(locale="en-GB", timezone_id="Europe/Berlin")
    page.route("http://modules.test/**", serve)
    page.goto("http://modules.test/")
    yield page
    page.close()
