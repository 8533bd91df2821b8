"""How much somebody may do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.model import Limits as LimitSettings
from web.limits import Gcra, Limits, address_key


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    gcra = Gcra(per_second=10, burst=5)
    assert [gcra.take("a", 0.0) for _ in range(5)] == [0.0] * 5
    assert gcra.take("a", 0.0) == pytest.approx(0.1)
    assert gcra.take("b", 0.0) == 0.0
    assert gcra.take("a", 0.1) == 0.0
    assert gcra.take("a", 0.1) == pytest.approx(0.1)


@given(
    st.integers(1, 100),
    st.integers(1, 20),
    st.lists(st.floats(0, 0.5, allow_nan=False), min_size=1, max_size=200),
)
def test_never_more_than_burst_and_rate_allow_and_never_less(rate: int, burst: int, gaps: list[float]) -> None:
    gcra = Gcra(rate, burst)
    now, refused = 0.0, 0
    for taken, gap in enumerate(gaps, start=1):
        now += gap
        wait = gcra.take("a", now)
        if wait:
            refused += 1
            # Who waits as long as told gets through.
            now += wait
            assert gcra.take("a", now) == 0.0
        assert taken <= burst + now * rate + 1e-6
    if len(gaps) <= burst:
        assert refused == 0


def test_the_table_is_bounded_and_forgets_the_one_used_longest_ago() -> None:
    gcra = Gcra(per_second=1, burst=1, most=2)
    assert gcra.take("a", 0.0) == gcra.take("b", 0.0) == gcra.take("c", 0.0) == 0.0
    assert gcra.take("c", 0.0) > 0
    assert gcra.take("b", 0.0) > 0
    assert gcra.take("a", 0.0) == 0.0


def test_zero_switches_a_limit_off() -> None:
    limits = Limits(LimitSettings(messages_per_second=0))
    assert all(limits.message("a", 0.0) == 0.0 for _ in range(10_000))


def test_the_default_lets_five_hundred_through_at_once() -> None:
    limits = Limits(LimitSettings())
    assert [limits.message("a", 1.0) == 0.0 for _ in range(501)] == [True] * 500 + [False]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", None),
        ("127.8.8.8", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_addresses_are_counted_by_network_and_this_machine_not_at_all(address: str, key: str | None) -> None:
    assert address_key(address) == key
