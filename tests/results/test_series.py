"""A series as table, CSV and JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.core.errors import UsageError
from confman_tui.results.contents import results_only
from confman_tui.results.files.series_files import save_series, series_document
from confman_tui.results.model import Series, SeriesKind, SeriesPoint
from confman_tui.results.statistics.series_shape import knee_of, slope_of
from confman_tui.results.tables.series_table import noise_lines, series_table, text_bar, value_words, verdict_of
from confman_tui.session.series import _with_size
from tests.support import result_samples


def test_the_table_of_a_series_of_users() -> None:
    assert series_table(result_samples.user_series({1: 1500, 10: 3000, 50: 3100, 100: 3050})).splitlines() == [
        "read-10u against users · 5 s each · tier small",
        "users      req/s                  p50 ms  p95 ms  p99 ms  max ms  failed",
        "1          1,500  ██████▊           3.00    4.50    9.00    27.0       0",
        "10 ◀ knee  3,000  █████████████▌    3.00    4.50    9.00    27.0       0",
        "50         3,100  ██████████████    3.00    4.50    9.00    27.0       0",
        "100        3,050  █████████████▊    3.00    4.50    9.00    27.0       0",
        "knee at 10 users: 3,000 req/s, p99 9.00 ms; 50 users bring 3 % more",
    ]


def test_no_knee_is_said() -> None:
    growing = result_samples.user_series({1: 100, 10: 990, 20: 1950})
    assert verdict_of(growing) == ["no knee: throughput grows on with the users"]


def test_two_points_have_no_knee_and_why_is_said() -> None:
    level = result_samples.user_series({1: 900, 10: 900})
    assert verdict_of(level) == ["no knee: 2 whole steps, and a bend shows with 3 or more"]
    assert knee_of(level) is None
    assert verdict_of(result_samples.user_series({1: 100})) == [
        "no knee: 1 whole step, and a bend shows with 3 or more"
    ]


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ((400, 390, 100), "knee at 1 KB: 390 req/s, p99 9.00 ms; beyond it throughput falls to 100 req/s"),
        ((400, 390, 360), "no knee: 100 KB gets 90 % of the best throughput"),
    ],
)
def test_what_a_series_of_payloads_says(rates: tuple[int, ...], said: str) -> None:
    sizes = (10, 1024, 102_400)
    points = tuple(SeriesPoint(size, (result_samples.run(rate),)) for size, rate in zip(sizes, rates, strict=True))
    assert verdict_of(Series(SeriesKind.PAYLOAD, ("read-10u",), "small", 5.0, sizes, points)) == [said]


def test_a_step_that_was_stopped_is_shown_but_bends_no_curve() -> None:
    series = result_samples.user_series({1: 100, 2: 200, 4: 400}, stopped_early=True, wanted=(1, 2, 4, 8))
    cut = SeriesPoint(8, (result_samples.run(3, stopped_early=True),))
    series = replace(series, points=(*series.points, cut))
    assert knee_of(series) is None
    text = series_table(series)
    assert "8 (stopped)" in text
    assert "stopped early, in step 4 of 4" in text
    assert "stopped early, after step 3 of 4" in series_table(replace(series, points=series.points[:3]))


def test_the_table_of_a_sweep_tells_the_slopes() -> None:
    series = result_samples.sweep()
    line = slope_of(series, "read-1u")
    assert line is not None
    assert [line.slope, line.start] == pytest.approx([0.6, 2.0], abs=1e-2)
    text = series_table(series)
    assert "read-1u, ms per 1,000 entries: p50 +0.600 ± 0.000, p99 +1.800 ± 0.000" in text
    assert "write-1u, ms per 1,000 entries: p50 +0.000 ± 0.000 (within the noise)" in text
    assert text.index("10,000") < text.index("\nwrite-1u\n")
    assert slope_of(result_samples.sweep((100,)), "read-1u") is None
    assert series_document(series)["knee"] is None


def test_a_step_that_ran_at_another_size_says_so() -> None:
    series = result_samples.sweep((1000, 4000))
    points = [
        replace(point, results=tuple(_with_size(one, point.value) for one in point.results)) for point in series.points
    ]
    assert replace(series, points=tuple(points)) == series, "sizes are as they were asked for"
    read, write = series.points[1].results
    cut = _with_size(replace(write, entries_before=3590), 4000)
    text = series_table(replace(series, points=(series.points[0], SeriesPoint(4000, (read, cut)))))
    assert "write-1u, 4,000 entries: ran with 3,590 entries, not 4,000: others removed some meanwhile" in text
    assert _with_size(replace(read, entries_before=4500), 4000).note == (
        "ran with 4,500 entries, not 4,000: others wrote meanwhile"
    )
    assert _with_size(replace(read, entries_before=4003), 4000).note == "", "the probe's own"


def test_steps_that_were_repeated_tell_what_is_noise() -> None:
    points = tuple(
        SeriesPoint(users, (replace(result_samples.repeated(rates), users=users),))
        for users, rates in {1: [100, 102, 98], 2: [199, 203, 198], 4: [202, 198, 200]}.items()
    )
    series = Series(SeriesKind.USERS, ("read-10u",), "small", 5.0, (1, 2, 4), points)
    (line,) = noise_lines(series)
    assert line.startswith("read-10u, 2 users to 4 users: req/s +0.0 %, within the noise (± ")
    assert "± 95 %" in series_table(series)
    assert verdict_of(series)[0].startswith("knee at 2 users: 199 req/s")


def test_files_and_documents_hold_every_step(tmp_path: Path) -> None:
    series = save_series(
        result_samples.user_series({1: 1500, 10: 3000, 50: 3100}),
        result_samples.settings_for(tmp_path),
        result_samples.CLUSTER,
    )
    assert [Path(file).name for file in series.files] == ["small-read-10u_users.csv", "small-read-10u_users.json"]
    with (tmp_path / "small-read-10u_users.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["value"], row["rps"], row["knee"]) for row in rows] == [
        ("1", "1500.0", "0"),
        ("10", "3000.0", "1"),
        ("50", "3100.0", "0"),
    ]
    text = (tmp_path / "small-read-10u_users.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert result_samples.SECRET not in text
    assert [point["value"] for point in document["points"]] == [1, 10, 50]
    assert document["points"][1]["results"][0]["rps"] == 3000
    assert (document["series"], document["knee"]["value"], document["wanted"]) == ("users", 10, [1, 10, 50])
    assert [item["value"] for item in document["histograms"]] == [1, 10, 50]
    assert document["cluster"] == result_samples.CLUSTER


def test_results_only_shows_the_series_of_a_folder(tmp_path: Path) -> None:
    settings = result_samples.settings_for(tmp_path)
    points = result_samples.user_series({1: 1500, 10: 3000, 50: 3100})
    saved = [save_series(series, settings, result_samples.CLUSTER) for series in (points, result_samples.sweep())]
    shown = results_only(tmp_path)
    assert shown == "\n\n".join(series_table(series) for series in saved)
    printed = json.loads(results_only(tmp_path, as_json=True))
    assert [series["series"] for series in printed["series"]] == ["users", "entries"]
    assert printed["series"] == json.loads(json.dumps([series_document(series) for series in saved]))
    (tmp_path / "small-read-10u_users.json").write_text('{"series": "users"}')
    (tmp_path / "small-sweep.json").write_text("[")
    with pytest.raises(UsageError, match=r"small-read-10u_users\.json is not a series .*small-sweep\.json is not a"):
        results_only(tmp_path)


def test_the_files_of_a_sweep(tmp_path: Path) -> None:
    series = save_series(result_samples.sweep(), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    assert [Path(file).name for file in series.files] == ["small-sweep.csv", "small-sweep.json"]
    document = json.loads((tmp_path / "small-sweep.json").read_text(encoding="utf-8"))
    assert document["slopes"]["read-1u"]["p50"]["ms_per_1000_entries"] == pytest.approx(0.6, abs=1e-3)
    assert len((tmp_path / "small-sweep.csv").read_text(encoding="utf-8").splitlines()) == 1 + 2 * 4


def test_a_folder_that_takes_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"small-sweep\.csv can't be written"):
        save_series(result_samples.sweep(), result_samples.settings_for(tmp_path / "missing"), result_samples.CLUSTER)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (SeriesKind.USERS, 1, "1 user"),
        (SeriesKind.USERS, 1000, "1,000 users"),
        (SeriesKind.PAYLOAD, 10, "10 B"),
        (SeriesKind.PAYLOAD, 1536, "1.5 KB"),
        (SeriesKind.PAYLOAD, 1_048_576, "1 MB"),
        (SeriesKind.ENTRIES, 1, "1 entry"),
        (SeriesKind.ENTRIES, 10_000, "10,000 entries"),
    ],
)
def test_values_in_words(kind: SeriesKind, value: int, words: str) -> None:
    assert value_words(kind, value) == words


@given(st.floats(-1, 2), st.integers(1, 40))
def test_a_bar_has_its_width_whatever_its_share(share: float, width: int) -> None:
    assert len(text_bar(share, width)) == width


@given(st.dictionaries(st.integers(1, 100_000), st.floats(0, 1e6), min_size=1, max_size=12))
def test_any_series_has_a_table_and_a_document(rates: dict[int, float]) -> None:
    series = result_samples.user_series(dict(sorted(rates.items())))
    assert max(map(len, series_table(series).splitlines())) <= 100
    json.dumps(series_document(series), allow_nan=False)
