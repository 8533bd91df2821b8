"""Specs are refused as a whole, before anything starts."""

import msgspec
import pytest

from supervision.spec import ChildSpec, SpecError, validate


def spec(name: str = "router", **changes: object) -> ChildSpec:
    return msgspec.structs.replace(ChildSpec(name=name, argv=("/bin/true",), env={}), **changes)


def test_the_order_of_start_is_that_of_the_numbers() -> None:
    specs = validate([spec("front.1", order=90), spec("auth", order=20), spec("broker", order=10)])
    assert [one.name for one in specs] == ["broker", "auth", "front.1"]


def test_a_copy_has_its_number_and_its_actor() -> None:
    copy = spec("front.1", argv=("/bin/true", "-m", "actors", "front.1")).copy(3)
    assert (copy.name, copy.argv) == ("front.3", ("/bin/true", "-m", "actors", "front.3"))
    assert spec("front.1").actor == spec("front.1").copy(3).actor == "front"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"argv": ()}, "absolute path"),
        ({"argv": ("true",)}, "absolute path"),
        ({"argv": ("/bin/true", "a\0b")}, "NUL"),
        ({"env": {"A=B": "c"}}, "'='"),
        ({"env": {"": "c"}}, "empty name"),
        ({"stop_timeout": 0.0}, "stop_timeout"),
        ({"watchdog": -1.0}, "negative"),
        ({"watchdog": 5.0, "notify": False}, "sd_notify"),
    ],
)
def test_contradictions_are_refused_by_name(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(SpecError, match=f"router: .*{reason}"):
        validate([spec("auth"), spec("router", **changes)])


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(SpecError, match="two children"):
        validate([spec(), spec()])


@pytest.mark.parametrize("name", ["", "Front", "front.0", "front.100", "a/b", "front.1.2"])
def test_names_become_file_names_so_they_are_plain(name: str) -> None:
    raw = msgspec.json.encode({"name": name, "argv": ["/bin/true"], "env": {}})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=ChildSpec)
