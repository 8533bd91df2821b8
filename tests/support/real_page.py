"""People with browsers before an installation, for tests that look at the page."""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, WebSocketRoute

from actors.runtime import Environment
from actors.runtime.client import open_broker
from settings import Paths, load
from supervision.client import ask
from supervision.control import Request
from tests.support.waiting import SCALE

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "web" / "static" / "js"
PASSWORD = "the quick brown ferry"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LIGHT = shutil.which("chromium-headless-shell") or CHROMIUM
"""The same engine without a window's furniture: a context costs it 0.8 s of a processor, chromium 2. It has no desktop
to put notifications on."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


AWAY = """hidden => {
    document.hasFocus = () => false;
    Object.defineProperty(document, "visibilityState", {value: hidden ? "hidden" : "visible", configurable: true});
    window.dispatchEvent(new Event("blur"));
    document.dispatchEvent(new Event("visibilitychange"));
}"""

BACK = """() => {
    delete document.hasFocus;
    delete document.visibilityState;
    document.dispatchEvent(new Event("visibilitychange"));
    window.dispatchEvent(new Event("focus"));
}"""

# What is there for a moment only, may be gone between two looks from outside.
NOTE = """selector => {
    const noted = (window.noted ??= {})[selector] = [];
    const look = () => {
        for (const {textContent} of document.querySelectorAll(selector)) {
            if (!noted.includes(textContent)) noted.push(textContent);
        }
    };
    const all = {attributes: true, characterData: true, childList: true, subtree: true};
    new MutationObserver(look).observe(document, all);
}"""

FAULTS = """() => {
    const shown = element => element.checkVisibility({visibilityProperty: true}) && element.offsetWidth > 0;
    const all = [...document.querySelectorAll("body *")].filter(shown);
    const sideways = all.filter(e => e.scrollWidth > e.clientWidth + 1
        && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)).map(e => e.className);
    if (document.documentElement.scrollWidth > innerWidth) sideways.push("page");
    const targets = document.querySelectorAll("button, a[href], input, textarea, [role=menuitem], [role=radio]");
    const small = [...targets].filter(e => shown(e) && !e.closest(".body")).filter(e => {
        const box = e.getBoundingClientRect();
        return box.width < 43.9 || box.height < 43.9;
    }).map(e => `${e.tagName}.${e.className}`);
    return {sideways, small};
}"""


def faults(page: Page) -> dict[str, list[str]]:
    """What can be scrolled sideways, and what is too small to hit with a finger."""
    found: dict[str, list[str]] = page.evaluate(FAULTS)
    return found


@dataclass
class House:
    """A running installation as its people and its operator see it: `origin` is where it is served.

    `settings`: what it was started with beside its folder and port, PARLEY_<SECTION>__<KEY>.
    """

    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
        own = {"PARLEY_DATA__DIR": str(self.folder), "PARLEY_WEB__PORT": str(self.port)}
        return {**clean, **self.settings, **own}

    def ready(self) -> bool:
        """Whether every actor has been ready once."""
        way = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(way), contextlib.suppress(OSError):
            way.request("GET", "/readyz")
            return way.getresponse().status == http.HTTPStatus.OK
        return False

    def parley(self, *arguments: str) -> str:
        """One command of the command line, to its end; its output."""
        done = subprocess.run(  # noqa: S603  (our own program)
            [sys.executable, str(ROOT / "supervisor.py"), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60 * SCALE,
            check=True,
        )
        return done.stdout

    def pid(self, actor: str) -> int:
        """The process of an actor that is running; 0 while it is not."""
        paths = Paths.of(load(environ=self.environment))
        found = {one["name"]: one for one in ask(paths, Request("status"))["actors"]}
        return int(found[actor]["pid"] or 0) if found[actor]["state"] == "running" else 0

    def mailbox(self, actor: str) -> int:
        """How many envelopes wait there."""
        settings = load(environ=self.environment)

        async def count() -> int:
            async with open_broker(Environment(settings, Paths.of(settings)), "cli") as broker:
                return await broker.depth(actor)

        # The browser's own loop runs in this thread.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(count())).result(30 * SCALE)


class RefusedError(Exception):
    """An answer of the API that is no success; the text holds its status and body."""


@dataclass
class Person:
    """Somebody with a browser. `complaints` gathers whatever its console says, CSP reports among it.

    `page` is there from its first use on: who only asks the API needs none, and each costs a process.
    """

    name: str
    house: House
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    _page: Page | None = None

    @property
    def page(self) -> Page:
        if self._page is None:
            self._page = self.context.new_page()
            self._page.on("console", lambda message: self.complaints.append(_said(message)))
            self._page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return self._page

    @page.setter
    def page(self, other: Page) -> None:
        self._page = other

    @property
    def username(self) -> str:
        return self.name.lower()

    def register(self) -> None:
        """By the API, which leaves the page where it is."""
        body = {"username": self.username, "password": PASSWORD, "display_name": self.name}
        self.api("POST", "/auth/register", body)

    def register_by_form(self) -> None:
        """As people do it, which leads to the chats."""
        self.page.goto(f"{self.house.origin}/register")
        self.page.fill("#username", self.username)
        self.page.fill("#display_name", self.name)
        self.page.fill("#password", PASSWORD)
        self.page.click("[type=submit]")
        self.page.wait_for_url("**/chat")

    def log_in(self) -> None:
        """As somebody who is registered already, by the API."""
        self.api("POST", "/auth/login", {"username": self.username, "password": PASSWORD})

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A request as the page makes them: same origin, by its cookies. Raises on anything but success.

        Not through the page, which would have to be loaded first: that costs a second of a processor.
        """
        answer = self.context.request.fetch(
            f"{self.house.origin}/api/v1{path}",
            method=method,
            headers={"Origin": self.house.origin, "Idempotency-Key": str(uuid.uuid4())},
            data=body,
        )
        text = answer.text()
        if not answer.ok:
            raise RefusedError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text) if text else None

    @property
    def id(self) -> str:
        return str(self.api("GET", "/me")["user"]["id"])

    def befriend(self, other: "Person") -> str:
        """In contact with the other from now on, by the API. Returns the conversation's id."""
        pending = self.api("POST", "/contacts/requests", {"user_id": other.id})["request"]
        other.api("POST", f"/contacts/requests/{pending['id']}/accept")
        return str(pending["conversation"])

    def post(self, conversation: str, *bodies: str) -> None:
        """Messages by the API, one after the other."""
        for number, body in enumerate(bodies):
            client_id = f"{self.username}-{conversation[:8]}-{number}-{hash(body) & 0xFFFFFF:x}"
            self.api("POST", f"/conversations/{conversation}/messages", {"client_id": client_id, "body": body})

    def visit(self, path: str = "/chat") -> None:
        self.page.goto(f"{self.house.origin}{path}")

    def open(self, conversation: str) -> None:
        self.page.goto(f"{self.house.origin}/chat/{conversation}")
        self.page.wait_for_selector(".timeline[aria-busy=false]")

    def connected(self) -> None:
        """Wait until the page has greeted the front, and nothing on it tells of a lost connection."""
        self.page.wait_for_selector("html[data-link=up]", state="attached")
        self.page.wait_for_function("document.querySelectorAll('[data-strip=lost]').length === 0")

    def write(self, text: str) -> None:
        self.page.fill(".composer textarea", text)
        self.page.press(".composer textarea", "Enter")

    def texts(self, of: str = ".msg") -> list[str]:
        return self.page.locator(f"{of} .body").all_inner_texts()

    def sees(self, text: str, within: float = 10.0) -> None:
        self.page.locator(".msg .body", has_text=text).first.wait_for(timeout=within * 1000 * SCALE)

    def note(self, selector: str) -> None:
        """From now on until the page is loaded anew, write down the text of whatever is there, be it for a moment."""
        self.page.evaluate(NOTE, selector)

    def noted(self, selector: str) -> list[str]:
        found: list[str] = self.page.evaluate("selector => window.noted[selector]", selector)
        return found

    def look_away(self, *, hidden: bool = False) -> None:
        """To another window, or (`hidden`) another tab, until the page is loaded anew or looked at again."""
        self.page.evaluate(AWAY, hidden)

    def look_back(self) -> None:
        self.page.evaluate(BACK)

    def states(self) -> list[str]:
        """What became of each message of mine that is on the page."""
        found: list[str] = self.page.evaluate("[...document.querySelectorAll('.msg.own')].map(n => n.dataset.state)")
        return found


class Wire:
    """The way of a page's socket, which a test can stop: frames vanish, the connection stays.

    `lost`: types of frames that vanish on their way to the server.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cut = False
        self.lost: set[str] = set()
        self.sent: list[Any] = []
        self.way: WebSocketRoute | None = None
        page.route_web_socket("**/ws", self._route)

    def _route(self, route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        self.way = route

        def up(message: str | bytes) -> None:
            self.sent.append(json.loads(message))
            if not self.cut and self.sent[-1]["type"] not in self.lost:
                server.send(message)

        def down(message: str | bytes) -> None:
            if not self.cut:
                route.send(message)

        route.on_message(up)
        server.on_message(down)

    def close(self, code: int) -> None:
        """Closes the page's end of it as a server would."""
        assert self.way is not None
        self.way.close(code=code)

    def frames(self, kind: str) -> list[Any]:
        # The driver takes on what the page did only while somebody waits for the page.
        self.page.evaluate("1")
        return [frame for frame in self.sent if frame["type"] == kind]


@contextlib.contextmanager
def browser(playwright: Playwright, program: str | None = LIGHT) -> Iterator[Browser]:
    """Chromium without its own errands."""
    chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
    try:
        yield chromium
    finally:
        chromium.close()


def _said(message: ConsoleMessage) -> str:
    """What it says, and of a request that failed also which."""
    where = urlsplit(message.location["url"]).path if message.text.startswith("Failed to load") else ""
    return f"{message.text} {where}".rstrip()


def person(chromium: Browser, house: House, name: str, **context: Any) -> Person:
    """Somebody new with a browser of their own, not yet registered."""
    return Person(name, house, chromium.new_context(locale="en-GB", **context))
