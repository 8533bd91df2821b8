"""A front that hears nothing of what goes to all fronts connects anew."""

from actors.runtime.broker import Subscriptions
from actors.runtime.hearing import UNHEARD, Hearing


def test_only_a_front_that_hears_nothing_at_all_connects_anew() -> None:
    pushes: list[tuple[bytes, str]] = []
    lives: list[int] = []
    renewed: list[int] = []
    hearing = Hearing()
    subscriptions = hearing.through(
        Subscriptions(on_push=lambda body, user: pushes.append((body, user)), on_up=lives.append)
    )
    assert subscriptions.on_push is not None
    assert subscriptions.on_up is not None

    def speak(times: int) -> int:
        before = len(renewed)
        for _ in range(times):
            hearing.spoke(lambda: renewed.append(1))
        return len(renewed) - before

    assert speak(UNHEARD) == 0
    subscriptions.on_push(b"anything", "router")
    assert speak(UNHEARD) == 0
    # Its beats of before are not counted against a new connection.
    subscriptions.on_up(2)
    assert speak(UNHEARD) == 0
    assert speak(1) == 1
    # And the next one has as much time.
    assert speak(UNHEARD) == 0
    assert speak(1) == 1
    assert (pushes, lives) == ([(b"anything", "router")], [2])
