"""Whatever people call themselves and write is text to everybody else's browser: no script of theirs ever runs."""

import json

import pytest

from tests.support.real_page import House, Person

pytestmark = pytest.mark.e2e

SIGN = "window.__ran=1"
PAYLOADS = [
    f"<script>{SIGN}</script>",
    f"<ScRiPt >{SIGN}</sCrIpT>",
    f"<<script>{SIGN}//<</script>",
    f"<script\n>{SIGN}</script\n>",
    "<script src=//evil.example/x.js></script>",
    "<script src=data:text/javascript,window.__ran=1></script>",
    f"</script><script>{SIGN}</script>",
    f"</title><script>{SIGN}</script>",
    f"</textarea><script>{SIGN}</script>",
    f"--><script>{SIGN}</script>",
    f"]]><script>{SIGN}</script>",
    f'"><script>{SIGN}</script>',
    f"'><script>{SIGN}</script>",
    f"<img src=x onerror={SIGN}>",
    f"<img src=x onerror='{SIGN}'>",
    f"<img src=x:x onerror={SIGN}//",
    f"<img/src/onerror={SIGN}>",
    f'<img """><script>{SIGN}</script>">',
    f'" onmouseover="{SIGN}" x="',
    f"' onfocus='{SIGN}' autofocus='",
    f"<svg onload={SIGN}>",
    f"<svg/onload={SIGN}>",
    f"<svg><script>{SIGN}</script></svg>",
    f"<svg><animate onbegin={SIGN} attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg/>#x'></svg>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={SIGN}>",
    f"<body onload={SIGN}>",
    f"<iframe srcdoc='<script>parent.__ran=1</script>'></iframe>{SIGN}",
    "<iframe src=javascript:parent.__ran=1></iframe>",
    f"<object data=javascript:{SIGN}></object>",
    f"<embed src=javascript:{SIGN}>",
    f"<details open ontoggle={SIGN}>x</details>",
    f"<input autofocus onfocus={SIGN}>",
    f"<video><source onerror={SIGN}></video>",
    f"<audio src=x onerror={SIGN}></audio>",
    f"<marquee onstart={SIGN}>x</marquee>",
    f"<form><button formaction=javascript:{SIGN}>x</button></form>",
    f"<a href=javascript:{SIGN}>x</a>",
    f"<a href='java\tscript:{SIGN}'>x</a>",
    f"<a href='&#106;avascript:{SIGN}'>x</a>",
    f"javascript:{SIGN}",
    f"JaVaScRiPt:{SIGN}//https://a.example",
    f"data:text/html,<script>{SIGN}</script>",
    f'https://a.example/"onmouseover={SIGN}//',
    f"https://a.example/'><img src=x onerror={SIGN}>",
    f"https://a.example/#<script>{SIGN}</script>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';</style>",
    f"<style onload={SIGN}></style>",
    f"<base href='javascript:{SIGN}//'>",
    f"<meta http-equiv=refresh content='0;url=javascript:{SIGN}'>",
    f"<template><script>{SIGN}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={SIGN}>'>",
    f"<xmp><img src=x onerror={SIGN}></xmp>",
    f"&lt;script&gt;{SIGN}&lt;/script&gt;",
    f"\\u003cscript\\u003e{SIGN}\\u003c/script\\u003e",
    f"%3Cscript%3E{SIGN}%3C/script%3E",
    f"{{{{constructor.constructor('{SIGN}')()}}}}",
    f"${{{SIGN}}}",
    f"`;{SIGN};`",
    f"';{SIGN};'",
    f"\u202e<script>{SIGN}</script>",
]


def test_there_are_enough_of_them() -> None:
    assert len(set(PAYLOADS)) >= 60


def ran(person: Person) -> list[str]:
    """Signs that something ran, or that markup came to life."""
    found: list[str] = person.page.evaluate(
        """() => [
            ...(window.__ran ? ["a script ran"] : []),
            ...[...document.querySelectorAll("*")].filter(node =>
                ["IFRAME", "OBJECT", "EMBED", "MARQUEE", "STYLE", "BASE"].includes(node.tagName)
                || [...node.attributes].some(one => one.name.startsWith("on"))
                || /^\\s*(javascript|data):/i.test(node.getAttribute("href") || "")
            ).map(node => node.outerHTML.slice(0, 200)),
        ]"""
    )
    return found


def test_messages_are_text(pair: tuple[Person, Person, str]) -> None:
    ada, noor, conversation = pair
    noor.open(conversation)
    ada.post(conversation, *PAYLOADS)
    # Pushed while the page is open, then read from history, and the last one in the list of chats too.
    noor.sees("`;window.__ran=1;`")
    assert ran(noor) == []
    noor.open(conversation)
    noor.sees("`;window.__ran=1;`")
    shown = noor.page.evaluate("[...document.querySelectorAll('.msg .body')].map(node => node.textContent)")
    assert [text for text in PAYLOADS[-20:] if not any(text in one for one in shown)] == []
    assert ran(noor) == []


def test_names_are_text(pair: tuple[Person, Person, str], house: House) -> None:
    ada, noor, conversation = pair
    taken = [text for text in PAYLOADS if len(text) <= 64 and text.isprintable()]
    assert len(taken) > 40
    # Every fourth will do: each is a page opened anew.
    for name in taken[::4]:
        ada.api("PATCH", "/me", {"display_name": name})
        noor.open(conversation)
        noor.page.get_by_text(name.strip(), exact=False).first.wait_for(state="attached")
        assert ran(noor) == [], name
    ada.open(conversation)
    boot = ada.page.evaluate("document.getElementById('boot').textContent")
    assert json.loads(boot)
    assert house.origin in ada.page.url
    assert ran(ada) == []
