"""The pure modules of the operator's page by themselves."""

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e


def test_numbers_are_told_as_people_read_them(bench: Page) -> None:
    seen = bench.evaluate(
        """async () => {
            const {size, span, sum} = await import("/ops/figures.js");
            return {
                spans: [0.9, 59, 60, 187, 3_600, 18_720, 183_600].map(span),
                sizes: [20 * 2 ** 20, 1.5 * 2 ** 30].map(size),
                sums: [sum([1, null, 2, undefined]), sum([null]), sum([])],
            };
        }"""
    )
    assert seen["spans"] == ["0s", "59s", "1m00s", "3m07s", "1h00m", "5h12m", "2d03h"]
    assert seen["sizes"] == ["20 MiB", "1.5 GiB"]
    assert seen["sums"] == [3, None, None]


def test_the_past_is_taken_added_to_and_forgotten(bench: Page) -> None:
    seen = bench.evaluate(
        """async () => {
            const {Past, restartsIn, stretches} = await import("/ops/past.js");
            const past = new Past();
            past.take({span: 900, actors: {router: [[20, "running", 0, 0], [10, "backoff", 4, 0]]}}, 1_000_000);
            past.add([{name: "router", state: "running", depth: 2, restarts: 2}], 1_000_000);
            const first = past.of("router");
            const seen = {
                restarts: restartsIn(first),
                stretches: stretches(first).map(({from, to, up}) => [from, to, up]),
                unknown: restartsIn([{at: 0, restarts: null}, {at: 1, restarts: 7}, {at: 2, restarts: 0}]),
            };
            past.add([{name: "auth", state: "running", depth: null, restarts: 0}], 2_000_000);
            return {...seen, left: [...past.actors.keys()], nobody: past.of("nobody")};
        }"""
    )
    assert seen["restarts"] == [1_000_000, 1_000_000]
    assert seen["stretches"] == [
        [980_000, 990_000, True],
        [990_000, 1_000_000, False],
        [1_000_000, 1_000_000, True],
    ]
    assert seen["unknown"] == []
    assert seen["left"] == ["auth"]
    assert seen["nobody"] == []


def test_waiting_mail_is_drawn_in_steps_and_with_gaps(bench: Page) -> None:
    paths = bench.evaluate(
        """async () => {
            const {depthPath} = await import("/ops/past.js");
            const box = {now: 100, span: 100, width: 100, height: 10, most: 10};
            const path = (...samples) => depthPath(samples.map(([at, depth]) => ({at, depth})), box);
            return [path(), path([0, 0], [50, 10]), path([0, 5], [10, null], [20, 5]), path([0, null])];
        }"""
    )
    assert paths == ["", "M0 10V10H50V0H100V10Z", "M0 10V5V10ZM20 10V5H100V10Z", ""]


def test_only_what_fits_an_actors_state_is_offered(bench: Page) -> None:
    fitting = bench.evaluate(
        """async () => {
            const {fitting} = await import("/ops/table.js");
            const all = ["start", "stop", "restart", "kill"];
            const of = (state, pid) => fitting({state, pid}, all).join(" ");
            return [of("running", 4), of("stopped", null), of("backoff", null), of("failing", null), of("stopping", 4),
                fitting({state: "running", pid: 4}, []).join(" ")];
        }"""
    )
    assert fitting == ["restart stop kill", "start", "start restart stop", "start restart stop", "restart kill", ""]


def test_lines_that_warn_stand_out(bench: Page) -> None:
    levels = bench.evaluate(
        """async () => {
            const {levelOf} = await import("/ops/log.js");
            return ["2026 INFO router: x", "2026 WARNING router: x", '{"level": "ERROR"}', "ERRORS"].map(levelOf);
        }"""
    )
    assert levels == [None, "warning", "error", None]
