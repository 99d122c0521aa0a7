"""Series on the screen: the keys, the dialog of the next runs, the graphs, warm-up and repeats while they run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input

from confman_tui.results.model import Series, SeriesKind, SeriesPoint
from confman_tui.session.events import (
    Phase,
    PhaseChanged,
    SampleRecorded,
    ScenarioEnded,
    ScenarioStarted,
    SeriesEnded,
    SeriesStepEnded,
    SweepRefused,
)
from confman_tui.tui.charts.curves import cost_curve, latency_curve, throughput_curve, value_label
from confman_tui.tui.screens.asks import SweepDialog
from confman_tui.tui.screens.details import DetailsDialog
from confman_tui.tui.screens.overrides import OverridesDialog, parse_payload, size_text
from confman_tui.tui.screens.series_curves import SeriesDialog
from tests.support import result_samples, screen_story
from tests.support.screen import ScreenUnderTest, open_screen

USERS = {1: 1500.0, 10: 3000.0, 50: 3100.0, 100: 3050.0}


async def fill_in(board: ScreenUnderTest, **texts: str) -> None:
    await board.press("u")
    assert isinstance(board.app.screen, OverridesDialog)
    for field, value in texts.items():
        board.app.screen.query_one(f"#{field.replace('_', '-')}", Input).value = value
    await board.press("enter")


async def test_u_takes_several_users_or_payloads_warm_up_and_runs(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await fill_in(board, users="1, 10,50", warm_up="1m", runs="5")
        assert board.asked("override") == [("override", None, None, 1024, None)]
        assert board.asked("vary") == [("vary", (1, 10, 50), (), 60.0, 5)]
        await fill_in(board, payload="10,1KB,1MB", seconds="5")
        assert board.asked("override")[-1] == ("override", None, 5.0, 10, None)
        assert board.asked("vary")[-1] == ("vary", (), (10, 1024, 1_048_576), 0.0, 1)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"users": "10,1"}, "in ascending order"),
        ({"users": "1,,2"}, "in ascending order"),
        ({"users": "1,0"}, "Users: a whole number from 1 to 10,000."),
        ({"users": "1,2", "payload": "1KB,2KB"}, "a series changes one of them"),
        ({"users": "1,2", "rate": "50"}, "a rate fixes the throughput"),
        ({"payload": "1KB,60MB"}, "Payload: from 1 byte to 50 MB"),
        ({"warm_up": "1.5"}, "Warm-up: whole seconds"),
        ({"warm_up": "2h"}, "Warm-up: whole seconds"),
        ({"runs": "0"}, "Runs: a whole number from 1 to 100."),
    ],
)
async def test_wrong_steps_are_said_and_lose_nothing(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    async with open_screen(tmp_path) as board:
        await fill_in(board, **texts)
        assert said in board.text()
        assert isinstance(board.app.screen, OverridesDialog)
        assert not board.asked("override")
        assert not board.asked("vary")


async def test_the_header_and_the_dialog_say_what_the_next_runs_will_be(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (200, 50)) as board:
        config = replace(screen_story.configuration(), user_steps=(1, 10, 50), warmup_s=5.0, repeat=3)
        await board.emit(config)
        assert "next: 1,10,50 users, warm-up 5 s, 3 runs" in board.text()
        await board.press("u")
        fields = {item.id: item.value for item in board.app.screen.query(Input)}
        assert fields == {
            "users": "1,10,50",
            "rate": "",
            "seconds": "",
            "payload": "1KB",
            "warm-up": "5",
            "runs": "3",
        }
        await board.press("escape")
        await board.emit(replace(screen_story.configuration(), payload_steps=(10, 1024, 102_400)))
        assert "next: 10B,1KB,100KB" in board.text()


@given(st.integers(1, 50 * 1024 * 1024))
def test_the_payload_field_keeps_its_size(size: int) -> None:
    assert parse_payload(size_text(size)) == size


async def test_n_asks_for_the_sizes_and_starts_the_sweep_where_it_can(tmp_path: Path) -> None:
    async with open_screen(tmp_path, sweep_sizes=(100, 2000)) as board:
        await board.press("n")
        assert isinstance(board.app.screen, SweepDialog)
        assert board.app.screen.query_one(Input).value == "100,2000", "the settings'"
        await board.press("escape")
        assert board.asked("sweep") == []
        await board.press("n", *"5,4", "enter")
        assert "Entries: '5,4' must be" in board.text()
        await board.press(*["backspace"] * 3, *"300,4000", "enter")
        assert board.asked("sweep") == [("sweep", (300, 4000))]
        await board.press("n")
        assert board.app.screen.query_one(Input).value == "300,4000", "what was chosen last"
        await board.press("escape")
        await board.emit(PhaseChanged(Phase.SEEDING, board.clock.now))
        await board.press("n")
        assert board.at_home()
        assert len(board.asked("sweep")) == 1
        assert any("Not while this goes on" in toast for toast in board.toasts())


async def test_a_sweep_that_cannot_start_offers_a_key_that_puts_the_data_back(tmp_path: Path) -> None:
    async with open_screen(tmp_path, keymap={"put_back": "z"}) as board:
        await board.emit(SweepRefused(5812, 100, 5000, board.clock.now), PhaseChanged(Phase.IDLE, board.clock.now))
        assert board.toasts() == [
            "No sweep: the cluster holds 5,812 entries, 100 of them seeded, and 5,000 were the most asked for: z puts "
            "the data back as seeded, n takes larger sizes."
        ]
        assert "no sweep: the cluster holds 5,812" in " ".join(line.plain for line in board.app.state.log.lines)
        await board.press("z")
        assert board.asked("put_back") == [("put_back",)]
        await board.emit(SweepRefused(5812, 5812, 5000, board.clock.now))
        assert "puts the data back" not in board.toasts()[-1], "it would help nothing"


async def test_the_keys_can_be_remapped(tmp_path: Path) -> None:
    async with open_screen(tmp_path, keymap={"sweep": "z", "series": "h"}) as board:
        await board.press("z", "enter")
        assert board.asked("sweep") == [("sweep", (100, 1000, 5000, 10000))]
        await board.emit(SeriesEnded(result_samples.user_series(USERS)))
        await board.press("escape", "h")
        assert isinstance(board.app.screen, SeriesDialog)


async def test_the_graphs_open_at_the_end_and_again_with_g(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("g")
        assert "No series has been run yet" in board.toasts()[-1]
        series = result_samples.user_series(USERS)
        await board.emit(SeriesStepEnded(replace(series, points=series.points[:2])))
        assert board.at_home(), "not in the middle of it"
        await board.emit(SeriesEnded(replace(series, files=("results/small-read-10u_users.csv",))))
        assert isinstance(board.app.screen, SeriesDialog)
        await board.drawn()
        text = board.text()
        assert "knee at 10 users: 3,000 req/s, p99 9.00 ms; 50 users bring 3 % more" in text
        assert "small-read-10u_users.csv" in text
        assert "knee 10" in text, "on the graph"
        await board.press("escape")
        assert board.at_home()
        assert "series over: knee at 10 users" in board.text().replace("\n", " ") or "series over" in board.text()
        await board.press("g")
        assert isinstance(board.app.screen, SeriesDialog)


async def test_the_graphs_follow_a_series_that_goes_on(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        series = result_samples.user_series(USERS)
        await board.emit(SeriesStepEnded(replace(series, points=series.points[:1])))
        await board.press("g")
        assert "1 of 4 steps are over" in board.text()
        await board.emit(SeriesStepEnded(replace(series, points=series.points[:3])))
        board.app.screen._show()  # type: ignore[attr-defined]
        await board.pilot.pause()
        assert "3 of 4 steps are over" in board.text()


async def test_a_dialog_that_is_open_is_not_covered_by_the_end_of_a_series(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        await board.press("question_mark")
        await board.emit(SeriesEnded(result_samples.user_series(USERS)))
        assert not isinstance(board.app.screen, SeriesDialog)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_a_sweep_is_shown_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_screen(tmp_path, size) as board:
        await board.emit(SeriesEnded(result_samples.sweep()))
        await board.drawn()
        assert isinstance(board.app.screen, SeriesDialog)
        assert "read-1u, ms per 1,000 entries: p50 +0.600" in board.text()


async def test_a_warm_up_is_shown_while_it_lasts(tmp_path: Path) -> None:
    async with open_screen(tmp_path) as board:
        at = board.clock.now
        started = ScenarioStarted("write-10u", at, 10, 15.0, 100, 1024, warmup_s=5.0, run=2, runs=3, step="step 1 of 2")
        await board.emit(PhaseChanged(Phase.RUNNING, at), started)
        board.clock.now = at + 2.2
        await board.emit(
            SampleRecorded("write-10u", replace(screen_story.sample(at, 200), warmup=True), screen_story.NODES[0], 6)
        )
        text = board.text()
        assert "warming up" in text
        assert "00:02/00:05" in text
        assert "warm 00:02" in text
        board.clock.now = at + 9.1
        await board.emit(SampleRecorded("write-10u", screen_story.sample(at + 8, 200), screen_story.NODES[0], 6))
        text = board.text()
        assert "warming up" not in text
        assert "00:04/00:15" in text
        assert "run 2 of 3" in text
        assert "step 1 of 2" in text


async def test_the_details_show_first_seconds_repeats_and_the_kept_run(tmp_path: Path) -> None:
    async with open_screen(tmp_path, (120, 60)) as board:
        await board.emit(ScenarioStarted("read-10u", board.clock.now, 10, 15.0, 100, 1024))
        result = result_samples.repeated([100, 104, 96, 102, 98])
        result = replace(result, outcome=replace(result.outcome, opening=result_samples.opening(), histogram=""))
        await board.emit(ScenarioEnded(result))
        board.app.show_details("read-10u")
        await board.pilot.pause()
        assert isinstance(board.app.screen, DetailsDialog)
        text = board.text()
        assert "First 2.0 s, and then" in text
        assert "50.0     88.0" in text
        assert "5 runs: median, 95 % confidence" in text
        assert "100.0  96.1 … 103.9" in text


def test_the_axis_of_sizes_is_logarithmic_and_that_of_users_is_not() -> None:
    points = tuple(
        SeriesPoint(size, (result_samples.run(rate),)) for size, rate in ((10, 400), (1000, 390), (100_000, 100))
    )
    payloads = Series(SeriesKind.PAYLOAD, ("read-10u",), "small", 5.0, (10, 1000, 100_000), points)
    spec, legend = throughput_curve(payloads, 60, 14)
    assert spec is not None
    assert legend == (("●", "req/s", "ok"),)
    first, middle, last = (x for x, _ in spec.x_ticks)
    assert middle - first == pytest.approx(last - middle)
    users, _ = latency_curve(result_samples.user_series({1: 10, 51: 20, 101: 30}), 60, 14)
    assert users is not None
    first, middle, last = (x for x, _ in users.x_ticks)
    assert middle - first == pytest.approx(last - middle)
    assert users.log


def test_labels_that_would_touch_are_left_out_but_the_last() -> None:
    spec, _ = throughput_curve(result_samples.user_series(dict.fromkeys((1, 2, 3, 50, 1000), 10.0)), 40, 12)
    assert spec is not None
    labels = [label for _, label in spec.x_ticks]
    assert labels[-1] == "1k"
    assert len(labels) < 5


def test_nothing_measured_is_no_graph() -> None:
    empty = result_samples.user_series({})
    assert throughput_curve(empty, 60, 12) == (None, ())
    assert latency_curve(empty, 60, 12) == (None, ())
    assert cost_curve(result_samples.sweep(()), "read-1u", 60, 12) == (None, ())


@pytest.mark.parametrize(
    ("kind", "value", "label"),
    [
        (SeriesKind.USERS, 50, "50"),
        (SeriesKind.USERS, 1500, "1.5k"),
        (SeriesKind.PAYLOAD, 10, "10B"),
        (SeriesKind.PAYLOAD, 102_400, "100KB"),
        (SeriesKind.PAYLOAD, 1_048_576, "1MB"),
        (SeriesKind.ENTRIES, 10_000, "10k"),
    ],
)
def test_labels_of_the_axis(kind: SeriesKind, value: int, label: str) -> None:
    assert value_label(kind, value) == label
