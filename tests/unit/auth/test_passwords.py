"""Which passwords are refused, and that hashes hold all of a password."""

import pytest

from actors.auth import passwords

PEPPER = b"pepper"
GOOD = "a walrus sings at noon"


def check(password: str, username: str = "ann", least: int = 12) -> str:
    return passwords.check(password, least=least, username=username)


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "correct horse battery",
        "длинный пароль мой",
        "🦭🎤🕛 walrus 🦭🎤🕛",
        " blanks at the ends ",
        "x7" + "k9qm2vw4tz",
        "8302991755210034",
    ],
)
def test_length_alone_makes_a_password_good(password: str) -> None:
    assert not check(password)


@pytest.mark.parametrize(("length", "fits"), [(11, False), (12, True), (128, True), (129, False)])
def test_the_bounds_count_characters_not_bytes(length: int, *, fits: bool) -> None:
    walk = "".join(chr(0x4E00 + index * 7) for index in range(length))
    assert (check(walk) == "") is fits


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "PassWord2024",
        "p@ssw0rd1234",
        "iloveyou12345",
        "football-1234",
        "correcthorsebatterystaple",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "123456789012",
        "210987654321",
        "qwertyuiopasdfgh",
        "abcdefghijkl",
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    assert check(password)


def test_more_than_three_thousand_passwords_count_as_common() -> None:
    words, endings = passwords.common_parts()
    long_enough = {word + ending for word in words for ending in endings if len(word + ending) >= 12}
    assert len(long_enough) > 3_000
    assert all(check(password) for password in sorted(long_enough)[::97])


@pytest.mark.parametrize(
    "password", ["walrus123456", "walruswalrus", "parley-chat-1", "chat!chat?chat", "My-Walrus-2024"]
)
def test_the_username_and_the_programs_name_do_not_make_a_password(password: str) -> None:
    assert check(password, username="walrus")


def test_a_phrase_may_hold_such_a_word() -> None:
    assert not check("my walrus sang all night", username="walrus")
    assert not check("chatty parrots bore me")


def test_a_shorter_minimum_is_the_operators_choice() -> None:
    assert not check("k9qm2vw4", least=8)
    assert check("dragon12", least=8)


def test_only_the_right_password_matches() -> None:
    stored = passwords.hashed(PEPPER, GOOD, 4)
    assert stored.startswith("v1$$2b$04$")
    assert passwords.matches(PEPPER, GOOD, stored)
    assert not passwords.matches(PEPPER, GOOD + " ", stored)
    assert not passwords.matches(b"another pepper", GOOD, stored)


def test_all_of_a_long_password_counts() -> None:
    long = "ü" * 100
    stored = passwords.hashed(PEPPER, long + "a", 4)
    assert passwords.matches(PEPPER, long + "a", stored)
    assert not passwords.matches(PEPPER, long + "b", stored)


def test_a_zero_byte_hides_nothing() -> None:
    stored = passwords.hashed(PEPPER, "walrus\0sings", 4)
    assert not passwords.matches(PEPPER, "walrus\0sinks", stored)


def test_composed_and_decomposed_passwords_are_the_same() -> None:
    assert passwords.matches(PEPPER, "cafe\u0301 walrus", passwords.hashed(PEPPER, "café walrus", 4))


@pytest.mark.parametrize("stored", ["", "v1$", "v1$nonsense", "v2$$2b$04$abc", "$2b$04$abc"])
def test_what_is_no_hash_of_ours_matches_nothing(stored: str) -> None:
    assert not passwords.matches(PEPPER, GOOD, stored)
    assert passwords.outdated(stored, 4)


def test_a_hash_of_another_cost_is_outdated() -> None:
    stored = passwords.hashed(PEPPER, GOOD, 4)
    assert not passwords.outdated(stored, 4)
    assert passwords.outdated(stored, 5)
