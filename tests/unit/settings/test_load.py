"""config.toml and the environment become settings, or are refused by name."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from actors.__main__ import main
from settings import SettingsError, load
from settings.model import Settings

ROOT = Path(__file__).resolve().parents[3]


def test_config_toml_says_every_key_with_a_comment_and_its_default() -> None:
    text = (ROOT / "config.toml").read_text()
    tree = tomllib.loads(text)
    for section in msgspec.structs.fields(Settings):
        if section.name == "base":
            continue
        keys = {field.encode_name: field.default for field in msgspec.structs.fields(section.type)}
        written = {key: tuple(value) if isinstance(value, list) else value for key, value in tree[section.name].items()}
        assert written == keys
    for key in re.findall(r"(?m)^([a-z_]+) = ", text):
        before = text[: text.index(f"\n{key} = ")].rsplit("\n", 2)
        # A comment stands above the key or above the group that it belongs to.
        assert any(line.startswith("#") or " = " in line for line in before[-2:]), key


def test_the_environment_overrides_a_key_of_any_kind() -> None:
    settings = load(
        environ={
            "PARLEY_WEB__PORT": "9000",
            "PARLEY_WEB__TRUSTED_PROXIES": "10.0.0.0/8, ::1/128",
            "PARLEY_RUNTIME__BEAT": "0.5",
            "PARLEY_DATA__DIR": "/somewhere",
            "UNRELATED": "x",
        }
    )
    assert settings.web.port == 9000
    assert settings.web.trusted_proxies == ("10.0.0.0/8", "::1/128")
    assert settings.runtime.beat == 0.5
    assert settings.data.dir == "/somewhere"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PARLEY_WEB__PORT", "70000", "<= 65535"),
        ("PARLEY_WEB__PORT", "eighty", "Expected `int`"),
        ("PARLEY_WEB__PRT", "80", "no key 'prt' in section 'web'"),
        ("PARLEY_WBE__PORT", "80", "no section 'wbe'"),
        ("PARLEY_AUTH__REGISTRATION", "perhaps", "Invalid enum value 'perhaps'"),
        ("PARLEY_BROKER__URL", "http://mq", "amqp://"),
        ("PARLEY_BROKER__URL", "amqp://me:secret@mq/x", "must not hold a password"),
        ("PARLEY_WEB__TLS_KEY", "key.pem", "go together"),
        ("PARLEY_WEB__TRUSTED_PROXIES", "all", "'all' does not appear to be an IPv4 or IPv6 network"),
        ("PARLEY_WEB__PUBLIC_URL", "chat.example", "not an origin"),
    ],
)
def test_a_bad_override_is_refused_by_name_and_reason(name: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={name: value})
    section = name.removeprefix("PARLEY_").partition("__")[0]
    assert name in caught.value.key or section.lower() == caught.value.key
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("[web]\nport = 0", "web.port", ">= 1"),
        ("[web]\nprot = 1", "web.prot", "unknown key"),
        ("[webb]\nport = 1", "webb", "unknown section"),
        ("web = 1", "web", "table"),
        ("[web", "config.toml", "not valid TOML"),
    ],
)
def test_a_bad_file_is_refused_by_key_and_reason(tmp_path: Path, text: str, key: str, reason: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path, environ={})
    assert key in caught.value.key
    assert reason in caught.value.reason


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.toml", environ={})


def test_an_actor_refuses_a_bad_configuration_with_exit_code_78(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_WEB__PORT", "0")
    assert main(["router"]) == 78
    assert "PARLEY_WEB__PORT" in capsys.readouterr().err


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load(environ={}).web.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("web", "local"),
    [
        ({}, True),
        ({"HOST": "localhost"}, True),
        ({"HOST": "::1"}, True),
        ({"HOST": "127.0.0.2"}, True),
        ({"HOST": "0.0.0.0"}, False),  # noqa: S104  (compared, not bound)
        ({"HOST": "192.168.1.10"}, False),
        ({"PUBLIC_URL": "https://chat.example"}, False),
        ({"ALLOWED_ORIGINS": "http://192.168.1.10:8080"}, False),
        ({"ALLOWED_ORIGINS": "http://localhost:9000"}, True),
        ({"TRUSTED_PROXIES": "127.0.0.1/32"}, False),
    ],
)
def test_the_page_is_local_while_nothing_tells_of_others(web: dict[str, str], local: bool) -> None:
    settings = load(environ={f"PARLEY_WEB__{key}": value for key, value in web.items()})
    assert settings.web.local is local
