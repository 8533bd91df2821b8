"""Accounts and sessions over HTTP, and the pages that sign people in with scripts switched off."""

from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import PASSWORD, House, open_house

SIGN_IN = {"username": "ann.smith", "password": PASSWORD}


async def form(house: House, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str, str, dict[str, str]]:
    """(status, location, text, cookies) of a form that a browser posts."""
    own = {"Origin": house.environment.settings.web.origin, "Accept": "text/html"}
    async with house.http.post(
        f"{house.url}{path}", data=fields, headers={**own, **headers}, allow_redirects=False
    ) as answer:
        jar: SimpleCookie = SimpleCookie()
        for line in answer.headers.getall("Set-Cookie", []):
            jar.load(line)
        cookies = {name: morsel.value for name, morsel in jar.items()}
        return answer.status, answer.headers.get("Location", ""), await answer.text(), cookies


async def view(house: House, path: str, cookies: dict[str, str]) -> tuple[int, str, str]:
    headers = {"Accept": "text/html", "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    async with house.http.get(f"{house.url}{path}", headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


async def test_registering_answers_with_tokens_and_no_cookie_for_programs(house: House) -> None:
    body = {**SIGN_IN, "display_name": "Ann Smith"}
    async with house.http.post(f"{house.url}/api/v1/auth/register", json=body) as answer:
        assert answer.status == 201
        assert "Set-Cookie" not in answer.headers
        signed = await answer.json()
    assert set(signed) == {"user", "access_token", "refresh_token", "expires_in"}
    assert signed["user"]["username"] == "ann.smith"
    assert signed["expires_in"] == 600
    status, again = await house.call("POST", "/api/v1/auth/register", body)
    assert (status, again["error"]["code"]) == (409, "username_taken")


async def test_unknown_names_and_wrong_passwords_are_answered_alike(house: House) -> None:
    await house.person("ann.smith")
    wrong = await house.call("POST", "/api/v1/auth/login", {**SIGN_IN, "password": "not the right one"})
    unknown = await house.call("POST", "/api/v1/auth/login", {**SIGN_IN, "username": "nobody.here"})
    assert wrong == unknown
    assert (wrong[0], wrong[1]["error"]["code"]) == (401, "wrong_credentials")


async def test_a_refresh_gives_new_tokens_and_the_session_stays(house: House) -> None:
    ann = await house.person("ann.smith")
    status, fresh = await house.call("POST", "/api/v1/auth/refresh", {"refresh_token": ann.refresh})
    assert status == 200
    assert fresh["refresh_token"] != ann.refresh
    _, me = await house.call("GET", "/api/v1/me", None, Authorization=f"Bearer {fresh['access_token']}")
    assert me == (await ann.call("GET", "/api/v1/me"))[1]


async def test_a_browser_refreshes_by_its_cookie(house: House) -> None:
    ann = await house.person("ann.smith")
    own = {"Origin": house.environment.settings.web.origin, "Cookie": f"parley_refresh={ann.refresh}"}
    async with house.http.post(f"{house.url}/api/v1/auth/refresh", json={}, headers=own) as answer:
        assert answer.status == 200
        names = {line.split("=")[0] for line in answer.headers.getall("Set-Cookie")}
    assert names == {"parley_access", "parley_refresh"}


@pytest.mark.parametrize("by", ["token", "session", "cookie"])
async def test_logging_out_ends_the_session_however_it_is_named(house: House, by: str) -> None:
    ann = await house.person("ann.smith")
    body: dict[str, str] | None = {"refresh_token": ann.refresh} if by == "token" else None
    headers = ann.bearer if by == "session" else {}
    if by == "cookie":
        headers = {"Cookie": f"parley_refresh={ann.refresh}", "Sec-Fetch-Site": "same-origin"}
    async with house.http.post(f"{house.url}/api/v1/auth/logout", json=body, headers=headers) as answer:
        assert answer.status == 204
        assert all('=""' in line and "Max-Age=0" in line for line in answer.headers.getall("Set-Cookie"))
    status, _ = await house.call("POST", "/api/v1/auth/refresh", {"refresh_token": ann.refresh})
    assert status == 401


async def test_sessions_are_listed_and_one_is_ended(house: House) -> None:
    ann = await house.person("ann.smith")
    _, second = await house.call("POST", "/api/v1/auth/login", SIGN_IN, **{"User-Agent": "Firefox on a phone"})
    _, listed = await ann.call("GET", "/api/v1/auth/sessions")
    by_agent = {each["agent"]: each for each in listed["sessions"]}
    assert len(by_agent) == 2
    phone = by_agent["Firefox on a phone"]
    assert phone["current"] is False
    assert set(phone) == {"id", "agent", "address", "created_at", "last_used_at", "current"}
    assert (await ann.call("DELETE", f"/api/v1/auth/sessions/{phone['id']}"))[0] == 204
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    assert (await house.call("GET", "/api/v1/me", None, **bearer))[0] == 401
    assert (await ann.call("GET", "/api/v1/me"))[0] == 200


async def test_a_changed_password_ends_the_other_sessions(house: House) -> None:
    ann = await house.person("ann.smith")
    _, second = await house.call("POST", "/api/v1/auth/login", SIGN_IN)
    change = {"current_password": PASSWORD, "new_password": "another long sentence"}
    wrong = {**change, "current_password": "not the right one"}
    status, answer = await ann.call("PUT", "/api/v1/auth/password", wrong)
    assert (status, list(answer["error"]["fields"])) == (400, ["current_password"])
    status, answer = await ann.call("PUT", "/api/v1/auth/password", {**change, "new_password": "short"})
    assert (status, list(answer["error"]["fields"])) == (400, ["new_password"])
    assert (await ann.call("PUT", "/api/v1/auth/password", change))[0] == 204
    refresh = {"refresh_token": second["refresh_token"]}
    assert (await house.call("POST", "/api/v1/auth/refresh", refresh))[0] == 401
    assert (await ann.call("GET", "/api/v1/me"))[0] == 200
    status, _ = await house.call("POST", "/api/v1/auth/login", {**SIGN_IN, "password": "another long sentence"})
    assert status == 200


async def test_an_account_is_changed_and_deleted(house: House) -> None:
    ann = await house.person("ann.smith")
    status, me = await ann.call("PATCH", "/api/v1/me", {"display_name": "Ann S."})
    assert (status, me["user"]["display_name"]) == (200, "Ann S.")
    status, answer = await ann.call("DELETE", "/api/v1/me", {"password": "not the right one"})
    assert (status, list(answer["error"]["fields"])) == (400, ["password"])
    async with ann.socket() as hers:
        assert (await ann.call("DELETE", "/api/v1/me", {"password": PASSWORD}))[0] == 204
        assert await hers.closed(within=1.0) == 4001
    assert (await ann.call("GET", "/api/v1/me"))[0] == 401
    assert (await house.call("POST", "/api/v1/auth/login", SIGN_IN))[0] == 401


async def test_while_auth_is_down_a_live_session_outlives_its_token(tmp_path: Path) -> None:
    async with open_house(tmp_path, auth={"access_ttl": 5}) as house:
        ann = await house.person("ann.smith")
        clock = house.environment.now
        object.__setattr__(house.environment, "now", lambda: clock() + 60_000)
        status, answer = await ann.call("GET", "/api/v1/me")
        assert (status, answer["error"]["code"]) == (401, "unauthenticated")
        house.owners["auth"].beat("stopping")
        assert (await ann.call("GET", "/api/v1/me"))[0] == 200
        house.owners["auth"].beat()
        assert (await ann.call("GET", "/api/v1/me"))[0] == 401


async def test_signing_in_while_auth_is_stopped_is_unavailable(house: House) -> None:
    ann = await house.person("ann.smith")
    house.owners["auth"].running.clear()
    status, answer = await house.call("POST", "/api/v1/auth/login", SIGN_IN)
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    assert (await ann.call("GET", "/api/v1/me"))[0] == 200


async def test_logging_out_while_auth_is_stopped_is_done_when_it_is_back(house: House) -> None:
    ann = await house.person("ann.smith")
    auth = house.owners["auth"]
    auth.running.clear()
    auth.beat("stopping")
    async with house.http.post(f"{house.url}/api/v1/auth/logout", headers=ann.bearer) as answer:
        assert answer.status == 204
        assert all("Max-Age=0" in line for line in answer.headers.getall("Set-Cookie"))
    async with ann.socket() as hers:
        auth.running.set()
        auth.beat()
        assert await hers.closed() == 4001
    status, _ = await house.call("POST", "/api/v1/auth/refresh", {"refresh_token": ann.refresh})
    assert status == 401


async def test_the_key_set_verifies_tokens(house: House) -> None:
    import jwt  # noqa: PLC0415  (the one test that needs it)

    ann = await house.person("ann.smith")
    _, document = await house.call("GET", "/.well-known/jwks.json")
    key = jwt.PyJWKSet.from_dict(document)[jwt.get_unverified_header(ann.access)["kid"]]
    claims: dict[str, Any] = jwt.decode(ann.access, key, ["EdDSA"], audience="parley-front", issuer="parley")
    assert claims["sub"] == ann.id


async def test_forms_sign_in_without_scripts(house: House) -> None:
    fields = {**SIGN_IN, "display_name": "Ann", "next": "/chat"}
    status, location, _, cookies = await form(house, "/register", fields)
    assert (status, location) == (303, "/chat")
    assert set(cookies) == {"parley_access", "parley_refresh"}
    status, _, text = await view(house, "/chat", cookies)
    assert status == 200
    assert '"username": "ann.smith"' in text
    assert (await view(house, "/login", cookies))[:2] == (302, "/chat")
    assert (await view(house, "/", cookies))[:2] == (302, "/chat")
    status, location, _, _ = await form(house, "/login", {**SIGN_IN, "next": "/settings"})
    assert (status, location) == (303, "/settings")


async def test_a_form_comes_back_with_what_was_wrong_and_without_the_password(house: House) -> None:
    await house.person("ann.smith")
    status, _, text, cookies = await form(house, "/login", {"username": '"><b>ann', "password": "secret one 99"})
    assert status == 401
    assert 'data-code="wrong_credentials"' in text
    assert "secret one 99" not in text
    assert "<b>ann" not in text
    assert not cookies
    status, _, text, _ = await form(house, "/register", {"username": "x", "password": "short"})
    assert status == 400
    assert 'aria-invalid="true"' in text


async def test_a_form_that_nobody_can_handle_now_comes_back_as_well(house: House) -> None:
    house.owners["auth"].running.clear()
    status, _, text, cookies = await form(house, "/login", SIGN_IN)
    assert status == 503
    assert 'data-code="unavailable"' in text
    assert not cookies


async def test_a_form_of_another_site_or_kind_is_refused(house: House) -> None:
    assert (await form(house, "/login", SIGN_IN, Origin="https://evil.example"))[0] == 403
    own = {"Origin": house.environment.settings.web.origin}
    status, answer = await house.call("POST", "/login", SIGN_IN, **own)
    assert (status, answer["error"]["code"]) == (415, "unsupported")


async def test_no_form_sends_anybody_away_from_us(house: House) -> None:
    await house.person("ann.smith")
    for target in ("https://evil.example", "//evil.example", "/\\evil.example"):
        status, location, _, _ = await form(house, "/login", {**SIGN_IN, "next": target})
        assert (status, location) == (303, "/chat")
        _, _, text = await view(house, f"/login?next={target}", {})
        assert "evil.example" not in text


async def test_pages_ask_strangers_to_sign_in_and_remember_where_they_went(house: House) -> None:
    for path in ("/chat", "/chat/0a1b", "/contacts", "/settings"):
        status, location, _ = await view(house, path, {})
        assert (status, location) == (302, f"/login?next={path}")
    status, _, _ = await view(house, "/chat/..%2fx", {"parley_access": "forged"})
    assert status == 404


async def test_closed_registration_is_said_on_the_page_and_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, auth={"registration": "closed"}) as house:
        status, answer = await house.call("POST", "/api/v1/auth/register", SIGN_IN)
        assert (status, answer["error"]["code"]) == (403, "registration_closed")
        status, _, text = await view(house, "/register", {})
        assert status == 200
        assert 'action="/register"' not in text
