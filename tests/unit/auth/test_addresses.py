"""Whose tries are counted together."""

import pytest

from actors.auth.addresses import subject_of


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "", "unix"])
def test_this_machine_and_no_address_are_not_counted(address: str) -> None:
    assert subject_of(address) == ""


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_others_are_counted_by_address_or_by_the_network_of_a_household(address: str, subject: str) -> None:
    assert subject_of(address) == subject
