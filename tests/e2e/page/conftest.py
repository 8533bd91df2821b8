"""One chromium for all tests of the page; people of their own for each test."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

from drill.installation import Installation
from tests.support.real_page import CHROMIUM, LIGHT, SCRIPTS, House, Person, browser, person
from tests.support.waiting import SCALE, eventually_sync

expect.set_options(timeout=5_000 * SCALE)

_numbers = itertools.count(1)

Meet = Callable[..., Person]


@pytest.fixture(scope="session")
def house(installation: Installation) -> House:
    one = House(installation.folder, installation.port)
    eventually_sync(one.ready, within=30)
    return one


@dataclass(frozen=True)
class Engine:
    """Browsers for the whole run, and the loop in which their driver lives in this thread."""

    driver: Playwright
    loop: asyncio.AbstractEventLoop
    stack: contextlib.ExitStack
    running: dict[str | None, Browser] = field(default_factory=dict)

    def browser(self, program: str | None) -> Browser:
        """Of that program, started when it is first asked for. To be called, and used, `at_work`."""
        if program not in self.running:
            self.running[program] = self.stack.enter_context(browser(self.driver, program))
        return self.running[program]

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """For as long as this lasts, the thread's running loop is the driver's, and async tests could not run in it."""
        asyncio._set_running_loop(self.loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Driver and browser take two seconds of a processor to start, so files share them; each has it by `chromium`."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with sync_playwright() as driver, contextlib.ExitStack() as stack:
        one = Engine(driver, asyncio.get_running_loop(), stack)
        asyncio._set_running_loop(None)
        yield one
        # All are closed in their own loop.
        asyncio._set_running_loop(one.loop)


@pytest.fixture(scope="module")
def chromium(engine: Engine) -> Iterator[Browser]:
    """A file whose tests need more than the light one has a fixture of this name of its own."""
    with engine.at_work():
        yield engine.browser(LIGHT)


@pytest.fixture
def meet(chromium: Browser, house: House) -> Iterator[Meet]:
    """`meet("Ada")` is somebody new called Ada7 or so, signed in, in a browser of their own.

    `meet(ada.name, again=True)` is a further device of somebody who was met. They sign in by the API, or `by_form` as
    people do it. The page shows the chats; with `at=""` it stays empty, for who goes elsewhere first: each page loaded
    costs a second of a processor. Afterwards nobody's console may have complained: a CSP report or an uncaught error
    fails the test.
    """
    met: list[Person] = []

    def make(name: str, *, again: bool = False, by_form: bool = False, at: str = "/chat", **context: Any) -> Person:
        one = person(chromium, house, name if again else f"{name}{next(_numbers)}", **context)
        met.append(one)
        if by_form:
            one.register_by_form()
            return one
        if again:
            one.log_in()
        else:
            one.register()
        if at:
            one.visit(at)
        return one

    yield make
    complaints = [f"{one.name}: {text}" for one in met for text in one.complaints]
    for one in met:
        one.context.close()
    assert not complaints


@pytest.fixture
def pair(meet: Meet) -> tuple[Person, Person, str]:
    """Two people in contact, and their conversation's id. Nothing is on their pages yet."""
    ada, noor = meet("Ada", at=""), meet("Noor", at="")
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
