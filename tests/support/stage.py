"""A conversation of the real page's own parts with made-up people and files: every state of a card, and no server."""

import mimetypes
import re
import struct
import zlib
from typing import Any

from playwright.sync_api import Browser, Page, Route

from tests.support.real_page import ROOT
from web.security import CSP

ORIGIN = "http://stage.test"
STATIC = ROOT / "web" / "static"

SHEETS = [
    f'<link rel="stylesheet" href="/static/{name}">'
    for template in ("base.html", "app.html")
    for name in re.findall(r"static\('(css/\w+\.css)'\)", (ROOT / "web" / "templates" / template).read_text())
]
HTML = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width, initial-scale=1">{"".join(SHEETS)}</head>
<body><div id="view"></div><div id="toasts"></div></body></html>"""

PLAY = """async ({messages, frames, locals, down}) => {
    const at = "/static/js";
    const {Store} = await import(`${at}/core/store.js`);
    const {Outbox} = await import(`${at}/core/outbox.js`);
    const {Files} = await import(`${at}/files.js`);
    const {Chat} = await import(`${at}/view/chat.js`);
    const store = new Store({id: "me", username: "ada", display_name: "Ada"});
    store.conversationList([{id: "c", peer: {id: "p", username: "noor", display_name: "Noor"}, relation: "contact",
        last_message: null, unread: 0, version: 0, seq: messages.length, my_read: messages.length, my_delivered: 0,
        peer_read: messages.length - 1, peer_delivered: messages.length}]);
    const done = window.done = [];
    const note = name => (...what) => void done.push([name, ...what.filter(one => typeof one === "string")]);
    const api = {get: async path => (note("get")(path), {files: []})};
    const older = async () => store.history("c", messages, false);
    const command = async (method, path) => note(method)(path);
    const client = {store, api, older, command, outbox: new Outbox(), enqueue: note("enqueue"), read: () => {}};
    const nothing = () => {};
    const drafts = {get: () => "", set: nothing, begun: new Map()};
    const notifier = {attention: {focused: false, visible: true, listen: nothing}, typed: nothing, stopped: nothing};
    const known = new Map(Object.entries(locals));
    const uploads = {view: key => known.get(key) ?? null, picture: () => "", pause: note("pause"),
        cancel: note("cancel"), resume: note("resume"), retry: note("retry"),
        choose: (key, file) => note("choose")(key, file.name)};
    const files = new Files({client, uploads});
    if (down) store.actor("file_chunker", "down");
    const chat = new Chat({client, notifier, files, drafts, places: new Map(), people: {}, go: nothing, id: "c",
        trays: new Map(), limits: {body: 8000, file: 2 ** 31}});
    document.getElementById("view").replaceChildren(chat.element);
    const draw = (topic, id) => topic === "file" ? chat.filesChanged(new Set([id])) : chat.update();
    store.listen((topic, id) => queueMicrotask(() => draw(topic, id)));
    Object.assign(window, {store, files, chat, known});
    for (const frame of frames) files.frame({type: "file", ...frame});
    await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""


def message(seq: int, sender: str, body: str = "", **more: Any) -> dict[str, Any]:
    """A row of history; `sender` is "me" or "p". The server leaves an empty body out."""
    row = {
        "type": "message",
        "conversation": "c",
        "seq": seq,
        "version": seq,
        "message_id": f"m{seq}",
        "client_id": f"k{seq}",
        "sender": sender,
        "at": "2026-03-01T10:00:00.000Z",
        **more,
    }
    return {**row, "body": body} if body else row


def picture(width: int, height: int, hue: int = 0) -> bytes:
    """A PNG: two slopes of colour."""
    lines = b"".join(
        b"\0" + bytes(v for x in range(width) for v in ((x * 255 // width + hue) % 256, y * 255 // height, 120))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def tone(seconds: int) -> bytes:
    """A WAV: silence, 8 kHz, 8 bits."""
    data = b"\x80" * (8_000 * seconds)
    form = struct.pack("<HHIIHH", 1, 1, 8_000, 8_000, 1, 8)
    return b"".join(
        [
            b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVE",
            b"fmt " + struct.pack("<I", len(form)) + form,
            b"data" + struct.pack("<I", len(data)) + data,
        ]
    )


class Stage:
    """`blobs` are what the files hold, by id; the others are not there."""

    def __init__(self, chromium: Browser, **context: Any) -> None:
        self.page: Page = chromium.new_page(locale="en-GB", timezone_id="Europe/Berlin", **context)
        self.blobs: dict[str, tuple[str, bytes]] = {}
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self._complain(message.text))
        self.page.route(f"{ORIGIN}/**", self._serve)

    def _complain(self, text: str) -> None:
        if "404" not in text:
            self.complaints.append(text)

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).split("?")[0]
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file.name)[0]
            route.fulfill(body=file.read_bytes(), content_type=kind)
        elif path.startswith("/api/"):
            kind, blob = self.blobs.get(path.removeprefix("/api/v1/files/"), ("", b""))
            route.fulfill(status=200 if kind else 404, body=blob, content_type=kind or "application/json")
        else:
            route.fulfill(body=HTML, content_type="text/html", headers={"Content-Security-Policy": CSP})

    def play(
        self,
        messages: list[dict[str, Any]],
        frames: list[dict[str, Any]] | None = None,
        *,
        uploads: dict[str, Any] | None = None,
        down: bool = False,
    ) -> None:
        """Shows a conversation. `frames` are what was pushed, `uploads` those of this browser by the file's id."""
        self.page.goto(ORIGIN)
        self.page.evaluate(PLAY, {"messages": messages, "frames": frames or [], "locals": uploads or {}, "down": down})
        self.page.wait_for_selector(".timeline[aria-busy=false]")

    def push(self, **frame: Any) -> None:
        """A `file` frame."""
        self.page.evaluate("frame => files.frame({type: 'file', ...frame})", frame)

    @property
    def done(self) -> list[list[str]]:
        """What the person's clicks asked for."""
        found: list[list[str]] = self.page.evaluate("window.done")
        return found
