"""Origins, proxies and where one may be sent after signing in."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from tests.support.node import installation
from web.pages import HOME, relative
from web.security import Security, behind

OWN = "http://127.0.0.1:8080"
EVIL = "https://evil.example"


def security(**web: Any) -> Security:
    return Security(installation(Path("/nowhere"), web=web))


@pytest.mark.parametrize(
    ("headers", "cookies", "foreign"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True, False),
        ({"Sec-Fetch-Site": "none"}, True, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": EVIL}, True, True),
        ({"Sec-Fetch-Site": "cross-site"}, False, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": OWN}, True, False),
        ({"Origin": OWN}, True, False),
        ({"Origin": "http://localhost:8080"}, True, False),
        ({"Origin": "http://[::1]:8080"}, True, False),
        ({"Origin": "http://127.0.0.1:8081"}, True, True),
        ({"Origin": "https://127.0.0.1:8080"}, True, True),
        ({"Origin": "null"}, False, True),
        ({"Origin": EVIL}, False, True),
        ({}, True, True),
        ({}, False, False),
        ({"Origin": EVIL, "Authorization": "Bearer x"}, True, False),
    ],
)
def test_another_site_is_told_by_what_browsers_say(headers: dict[str, str], cookies: bool, foreign: bool) -> None:
    request = make_mocked_request("POST", "/", headers=headers)
    assert security().cross_site(request, cookies=cookies) is foreign


def test_origins_are_the_public_one_and_those_that_are_configured() -> None:
    guard = security(public_url="https://chat.example", allowed_origins=["http://192.168.1.10:8080/"])
    assert guard.origins == {"https://chat.example", "http://192.168.1.10:8080"}


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({}, False),
        ({"Origin": OWN}, True),
        ({"Origin": EVIL}, False),
        ({"Origin": EVIL, "Authorization": "Bearer x"}, False),
        ({"Authorization": "Bearer x"}, True),
    ],
)
def test_sockets_are_opened_from_our_origins_or_with_a_token(headers: dict[str, str], may: bool) -> None:
    assert security().may_upgrade(make_mocked_request("GET", "/ws", headers=headers)) is may


PROXIES = (ipaddress.ip_network("127.0.0.1/32"), ipaddress.ip_network("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["192.0.2.9, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["192.0.2.9", "198.51.100.1", "10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["198.51.100.1, nonsense"], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: list[str], address: str) -> None:
    assert behind(peer, forwarded, PROXIES) == address


@pytest.mark.parametrize("target", ["/chat", "/chat/0a1b", "/settings?x=1#y", "/"])
def test_one_is_sent_to_paths_of_ours(target: str) -> None:
    assert relative(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "chat",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "\\\\evil.example",
        " //evil.example",
    ],
)
def test_and_to_nothing_else(target: str) -> None:
    assert relative(target) == HOME


@given(st.text())
def test_whatever_is_asked_for_stays_with_us(target: str) -> None:
    path = relative(target)
    assert path.startswith("/")
    assert not path.startswith("//")
    assert "\\" not in path
    assert path.isprintable()
