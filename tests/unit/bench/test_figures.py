"""Percentiles, medians over runs, ratios to bare loops, and verdicts on goals."""

from bench.figures import merged, milliseconds, spans, with_bare_handler, with_ratios, with_stages
from bench.goals import verdicts
from bench.profiling import summary


def test_percentiles_are_in_milliseconds() -> None:
    figures = milliseconds([at / 1000 for at in range(1, 101)])
    assert figures == {"count": 100, "p50_ms": 51.0, "p95_ms": 96.0, "p99_ms": 100.0}
    assert milliseconds([]) == {"count": 0}


def test_several_runs_become_medians_with_the_smallest_and_the_largest() -> None:
    runs = [{"a": {"x": at, "of": {"y": at / 2}}, "said": "so"} for at in (3, 1, 2)]
    assert merged(runs) == {"a": {"x": 2, "of": {"y": 1.0}}, "said": "so"}
    assert spans(runs) == {"a": {"x": [1, 3], "of": {"y": [0.5, 1.5]}}}


def test_more_messages_and_less_time_make_a_larger_share_of_the_bare_loop() -> None:
    figures = with_ratios(
        {
            "bare loop: one pair": {"p50_ms": 1.2},
            "one pair": {"p50_ms": 1.5},
            "bare loop: 50 pairs x 20": {"delivered_a_second": 20_000, "p50_ms": 50.0, "cpu_allows_a_second": 30_000},
            "50 pairs x 20": {"delivered_a_second": 13_000, "p50_ms": 10.0, "cpu_allows_a_second": 15_000},
            "bare loop: alone": {"p50_ms": 1.0},
        }
    )
    assert figures["one pair"]["of_bare_loop"] == 0.8
    assert figures["50 pairs x 20"]["of_bare_loop"] == 0.65
    assert figures["50 pairs x 20"]["of_bare_loop_by_cpu"] == 0.5


def test_stages_and_what_remains_add_up_to_the_whole_way() -> None:
    limits = ("bare WebSocket echo", "bare AMQP hop", "bare commit with fsync", "bare AMQP hop, transient")
    figures = with_stages({**{name: {"p50_ms": 0.25} for name in limits}, "one pair": {"p50_ms": 1.5}})
    stages = figures["where one message's time goes, ms"]
    assert stages["everything else"] == 0.5
    assert sum(stages.values()) == 1.5
    assert with_stages({"one pair": {"p50_ms": 1.5}}) == {"one pair": {"p50_ms": 1.5}}


def test_goals_are_judged_where_there_is_a_figure() -> None:
    figures = {
        "one pair": {"p50_ms": 1.5, "p99_ms": 5.1},
        "growth: 1 stored, 1 contacts": {"delivered_a_second": 10_000},
        "growth: 9 stored, 1 contacts": {"delivered_a_second": 7_900},
    }
    assert [(one.goal.partition(":")[0], one.met) for one in verdicts(figures)] == [
        ("one pair", True),
        ("one pair", False),
        ("growth", False),
    ]


def test_a_profile_counts_a_function_that_calls_itself_once() -> None:
    text = list(summary(["run (a.py:1);work (b.py:2);work (b.py:3) 3", "run (a.py:9) 1"]))
    assert text[1].split() == ["75.0", "%", "work", "(b.py)"]
    whole = text[text.index("with all that it calls, of 4 looks") :]
    assert whole[1].split() == ["100.0", "%", "run", "(a.py)"]
    assert whole[2].split() == ["75.0", "%", "work", "(b.py)"]


def test_files_are_held_against_a_plain_handler() -> None:
    bare = {"bare handler, fdatasync of each piece: one upload": {"mb_a_second": 400.0}}
    figures = with_bare_handler({**bare, "one upload": {"mb_a_second": 160.0}, "one download": {"mb_a_second": 900.0}})
    assert figures["one upload"]["of_bare_handler"] == 0.4
    assert figures["one download"] == {"mb_a_second": 900.0}
