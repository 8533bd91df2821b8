"""What a declared route says of itself, and what is read from a request."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocols.errors import TABLE, Refusal
from web.assets import Assets
from web.dispatch import refused_fields
from web.routes import ROUTES
from web.routing import Call, Route, Strict, command_key


class Body(Strict, frozen=True):
    name: str
    count: int = 0


async def nothing(_: Call[Any, Any]) -> None:
    return None


def test_a_routes_codes_are_its_own_and_those_of_the_dispatcher() -> None:
    route = Route("POST", "/x/{id}", nothing, body=Body, errors=("conflict",))
    assert set(route.codes) == {
        *("invalid", "internal", "unavailable", "conflict"),
        *("unauthenticated", "forbidden", "too_large", "unsupported", "not_found"),
    }
    assert set(Route("GET", "/x", nothing, who="anyone").codes) == {"invalid", "internal", "unavailable"}


def test_every_declared_route_is_complete() -> None:
    seen = [(route.method, route.path) for route in ROUTES]
    assert len(seen) == len(set(seen))
    for route in ROUTES:
        assert route.summary, route.path
        assert set(route.codes) <= set(TABLE), route.path
        assert route.body is None or route.body.__struct_config__.forbid_unknown_fields, route.path
        assert route.query is None or route.query.__struct_config__.forbid_unknown_fields, route.path
        assert not (route.safe and route.body), route.path


def test_a_key_is_kept_or_minted_or_refused() -> None:
    assert command_key("a-b:c.1", lambda: "fresh") == "a-b:c.1"
    assert command_key(None, lambda: "fresh") == "fresh"
    for bad in ("", "a b", "a" * 65, "é"):
        with pytest.raises(Refusal) as refused:
            command_key(bad, lambda: "fresh")
        assert refused.value.body.fields is not None
        assert list(refused.value.body.fields) == ["Idempotency-Key"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{}", "name"),
        ('{"name": 5}', "name"),
        ('{"name": "a", "count": "b"}', "count"),
        ('{"name": "a", "else": 1}', "else"),
        ("[]", "body"),
    ],
)
def test_what_is_wrong_is_told_by_the_name_of_its_field(text: str, field: str) -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.json.decode(text, type=Body)
    assert list(refused_fields(wrong.value)) == [field]


def test_the_version_of_static_files_changes_with_each_of_them(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "a.js").write_text("one")
    (tmp_path / ".hidden").write_text("not served")
    first = Assets(tmp_path)
    assert first.url("js/a.js") == f"/static/{first.version}/js/a.js"
    for missing in ("js/b.js", ".hidden", "../secret", "js"):
        with pytest.raises(KeyError):
            first.url(missing)
    (tmp_path / "js" / "a.js").write_text("two")
    assert Assets(tmp_path).version != first.version
