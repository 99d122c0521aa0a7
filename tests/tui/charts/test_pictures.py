"""Axes, ticks, scales, lanes, strips and graphs: what stands where."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from confman_tui.cluster.elections import WriteWindow
from confman_tui.cluster.states import NodeState
from confman_tui.load.run_model import Cause, SecondSample
from confman_tui.session import events
from confman_tui.tui.charts.axis import SPANS, TimeAxis, TimeWindow
from confman_tui.tui.charts.drawing import draw, to_rows
from confman_tui.tui.charts.graphs import LatencyPlot, ThroughputPlot, bucket_seconds, time_ticks
from confman_tui.tui.charts.histogram import drill_spec, histogram_spec
from confman_tui.tui.charts.lanes import Grid, Lanes, fit_label
from confman_tui.tui.charts.palette import CAUSE_ROLES, LANE_GLYPHS, STATE_GLYPHS, role_colors, term_color
from confman_tui.tui.charts.spark import sparkline
from confman_tui.tui.charts.spec import GraphSpec
from confman_tui.tui.charts.strips import Picture, Row, changed_spans, row_of
from confman_tui.tui.charts.ticks import (
    LinearScale,
    LogScale,
    linear_ticks,
    linear_top,
    log_ceil,
    log_floor,
    log_ticks,
    milliseconds_label,
    nice_step,
    rate_label,
)
from confman_tui.tui.history.history import History
from tests.support.chart_history import NODES, SAMPLE, T0, Feed, view
from tests.support.colour_vision import EYES, GROUNDS, contrast, distance

Run = tuple[list[float], list[float]]

NAMES = {NODES[0]: ":6100", NODES[1]: ":6200", NODES[2]: ":6300"}


def filled(seconds: float, **options: float) -> History:
    history = History()
    for event in Feed(T0, **options).until(T0 + seconds):  # type: ignore[arg-type]
        history.apply(event)
    return history


def text_of(spec: GraphSpec | None) -> list[str]:
    assert spec is not None
    return ["".join(str(part) for part in row[::2]) for row in draw(spec)]


def lane_texts(history: History, axis: TimeAxis, width: int = 120, cursor: int | None = None) -> list[str]:
    numbers: dict[str, int] = {}
    rows = Lanes().rows(axis, history, NAMES, width, lambda role: numbers.setdefault(role, len(numbers)), cursor)
    return ["".join(str(part) for part in row[::2]).replace("\u00a0", " ") for row in rows]


# The axis


def test_a_live_axis_moves_in_steps_and_never_ends_before_now() -> None:
    window = TimeWindow(60.0)
    ends = {window.axis(T0 + tenth / 10).end for tenth in range(100)}
    assert len(ends) <= 6
    for tenth in range(100):
        axis = window.axis(T0 + tenth / 10)
        assert axis.start < axis.now <= axis.end <= axis.now + 2.0
        assert axis.span == 60.0


def test_zoom_goes_from_fifteen_seconds_to_ten_minutes() -> None:
    window = TimeWindow()
    seen = [window.span]
    while window.zoom_in():
        seen.append(window.span)
    while window.zoom_out():
        seen.append(window.span)
    assert seen == [60, 30, 15, 30, 60, 120, 300, 600]
    assert window.title == "last 10 min"
    with pytest.raises(ValueError, match="allowed: 15, 30"):
        TimeWindow(17.0)


def test_scrolling_back_stays_there_and_arriving_at_now_is_live_again() -> None:
    window = TimeWindow()
    now = T0 + 1_000
    window.scroll(-0.5, now)
    assert not window.live
    assert window.axis(now).end == window.axis(now + 30).end == pytest.approx(now - 30, abs=2)
    assert "scrolled back" in window.title
    window.scroll(-20, now, earliest=T0 + 700)
    assert window.axis(now).start == pytest.approx(T0 + 700, abs=2)
    window.scroll(50, now)
    assert window.live
    window.scroll(-0.5, now)
    window.go_live()
    assert window.live


def test_a_held_window_stands_still_until_it_is_released() -> None:
    window = TimeWindow()
    before = window.axis(T0 + 100)
    window.hold(T0 + 100)
    held = window.axis(T0 + 160)
    assert (held.start, held.end, held.now) == (before.start, before.end, T0 + 100)
    assert window.held
    assert "held" in window.title
    window.release()
    assert window.live
    assert window.axis(T0 + 160).end >= T0 + 160


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("columns", [20, 50, 110, 190])
def test_time_labels_have_room_and_end_with_now(span: float, columns: int) -> None:
    axis = TimeWindow(span).axis(T0)
    ticks = time_ticks(axis, columns)
    assert ticks[-1] == (span, "now")
    assert len(ticks) >= 2
    gaps = [b[0] - a[0] for a, b in pairwise(ticks)]
    assert min(gaps) * columns / span >= 8.9
    back = replace(axis, live=False)
    assert all(label.count(":") == 2 for _, label in time_ticks(back, columns))


# Ticks and scales


@given(st.floats(0.001, 1e9), st.integers(1, 12))
def test_steps_are_round(span: float, most: int) -> None:
    step = nice_step(span, most)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - round_one) for round_one in (1, 2, 5, 10)) < 1e-6
    assert span / step <= most * (1 + 1e-6)


@given(st.floats(0, 1e7), st.integers(1, 8))
def test_a_linear_axis_holds_its_values(highest: float, most: int) -> None:
    top, step = linear_top(highest, most)
    assert top >= highest
    ticks = linear_ticks(top, most)
    assert ticks[0] == 0
    assert ticks[-1] <= top
    assert len(ticks) <= most + 1 or step == 1


@given(st.floats(0.01, 1e5), st.floats(1, 1e4))
def test_a_logarithmic_axis_holds_its_values_with_round_ends(low: float, factor: float) -> None:
    bottom, top = log_floor(low), log_ceil(low * factor)
    assert bottom <= low * (1 + 1e-9)
    assert top >= low * factor * (1 - 1e-9)
    assert low / bottom < 2.6
    ticks = log_ticks(bottom, top, 8)
    assert len(ticks) <= 8
    assert all(bottom * 0.999 <= tick <= top * 1.001 for tick in ticks)


def test_labels_have_units() -> None:
    assert [rate_label(value) for value in (0, 250, 1_500, 20_000)] == ["0", "250", "1.5k", "20k"]
    assert [milliseconds_label(value) for value in (0.5, 20, 1_000, 2_000)] == ["0.5", "20", "1s", "2s"]


def test_a_scale_grows_at_once_and_shrinks_late() -> None:
    scale = LinearScale(patience_s=8)
    assert scale.fit(200, 5, 0) == 200
    assert scale.fit(460, 5, 1) == 500
    assert [scale.fit(190, 5, at) for at in range(2, 10)] == [500] * 8
    assert scale.fit(480, 5, 10) == 500
    assert [scale.fit(190, 5, at) for at in range(11, 19)] == [500] * 8
    assert scale.fit(190, 5, 19) == 200


def test_a_logarithmic_scale_grows_at_once_and_shrinks_late() -> None:
    scale = LogScale(patience_s=8)
    assert scale.fit(21, 180, 0) == (20, 200)
    assert scale.fit(21, 1_700, 1) == (20, 2_000)
    assert scale.fit(21, 180, 2) == (20, 2_000)
    assert scale.fit(21, 180, 9) == (20, 2_000)
    assert scale.fit(21, 180, 10) == (20, 200)


# Lanes


def test_lanes_show_the_story_of_an_election_without_colour() -> None:
    history = filled(40)
    axis = TimeWindow(30.0).axis(T0 + 25)
    first, second, third, writes, terms = lane_texts(history, axis)
    assert first.startswith(":6100")
    assert "━━━━⚑╳╳╳╳╳" in first.replace(" ", "")
    assert first.rstrip().endswith("─")
    assert "┄" in second
    assert "·" in second
    assert second.rstrip().endswith("━━━")
    assert "━" not in third
    assert "no write" in writes or " s" in writes
    assert "6 ★ :6100" in terms
    assert "7 ★ :6200" in terms


def test_the_length_of_a_window_stands_in_it() -> None:
    history = History()
    history.apply(events.ConfigurationChanged("small", 5, 20, 1024, None, None, NODES[0], NODES, True, True))
    for slot in range(200):
        history.apply(events.WritesAcknowledged(((T0 + slot * 0.05, 5),), T0 + slot * 0.05 + 0.1))
    history.apply(events.WindowClosed(WriteWindow(T0 + 10, T0 + 16.24, 0.05)))
    axis = TimeAxis(T0, T0 + 30, T0 + 30)
    assert " no write for 6.24 s " in lane_texts(history, axis)[3]
    assert "▒" in lane_texts(history, axis)[3]
    narrow = lane_texts(history, TimeAxis(T0 - 30, T0 + 30, T0 + 30), width=70)[3]
    assert "6.24 s" in narrow
    assert "no write for" not in narrow
    far = lane_texts(history, TimeAxis(T0 - 570, T0 + 30, T0 + 30), width=60)[3]
    assert "▒" in far
    assert "6.2" not in far, "a text of four cells would look like 44 seconds"


def test_not_probed_is_neither_success_nor_outage() -> None:
    history = History()
    history.apply(events.ConfigurationChanged("small", 5, 20, 1024, None, None, NODES[0], NODES, True, True))
    for second in range(10):
        history.apply(events.WritesAcknowledged(((T0 + second, 1),), T0 + second + 0.1))
    lane = lane_texts(history, TimeAxis(T0, T0 + 30, T0 + 30), width=127)[3][7:]
    assert " " not in lane[:36].strip(), "one acknowledgement a second speaks for the time until the next"
    assert "·" not in lane[:36]
    assert " not probed " in lane
    assert set(lane[48:].replace(" not probed ", "").strip()) == {"·"}
    assert "▒" not in lane


def test_a_short_outage_does_not_vanish_when_zoomed_out() -> None:
    history = filled(300, election_every=120.0)
    lanes = lane_texts(history, TimeWindow(600.0).axis(T0 + 300), width=80)
    assert "╳" in "".join(lanes[:3])
    assert "▒" in lanes[3]


def test_cells_keep_their_content_while_the_axis_moves() -> None:
    history = filled(120)
    one, other = (TimeWindow(60.0).axis(T0 + at) for at in (100.1, 102.1))
    cell = 60 / 113
    moved = round((Grid.of(other, 113).start - Grid.of(one, 113).start) / cell)
    assert moved in (3, 4)
    for before, after in zip(lane_texts(history, one)[:3], lane_texts(history, other)[:3], strict=True):
        assert before[7 + moved : 100] == after[7 : 100 - moved]


@pytest.mark.parametrize("width", [20, 28, 60, 120, 200])
@pytest.mark.parametrize("span", SPANS)
def test_lanes_have_the_width_asked_for(width: int, span: float) -> None:
    history = filled(90)
    for line in lane_texts(history, TimeWindow(span).axis(T0 + 90), width, cursor=5):
        assert len(line) == width


def test_labels_of_wide_names_are_plain_cells() -> None:
    assert fit_label("\x1b[2J:6100", 8) == "…J:6100 "
    assert fit_label("日本", 8) == "??      "


def test_every_state_has_its_own_glyph_in_cards() -> None:
    assert set(STATE_GLYPHS) == set(NodeState) == set(LANE_GLYPHS)
    assert len(set(STATE_GLYPHS.values())) == len(NodeState)


@pytest.mark.parametrize("width", [40, 57, 70, 111])
def test_an_outage_is_as_wide_wherever_it_lies_and_hides_no_write_that_was_served(width: int) -> None:
    history = History()
    history.apply(events.ConfigurationChanged("small", 5, 20, 1024, None, None, NODES[0], NODES, True, True))
    for second in range(60):
        sample = replace(SAMPLE, start=T0 + second, end=T0 + second + 1, failed={}, writes_ok=100)
        history.apply(events.SampleRecorded("write-10u", sample, NODES[0], 6))
        slots = tuple((T0 + second + slot * 0.05, 5) for slot in range(20) if not 10 <= second + slot * 0.05 < 11.24)
        history.apply(events.WritesAcknowledged(slots, T0 + second + 1))
    history.apply(events.WindowClosed(WriteWindow(T0 + 10, T0 + 11.24, 0.05)))
    widths = set()
    for tenth in range(20):
        axis = TimeAxis(T0 + tenth / 10, T0 + 60 + tenth / 10, T0 + 60)
        lines = text_of(LatencyPlot().spec(axis, history, width, 14))
        widths.add(max(line.count("▒") for line in lines))
        assert any("1.24s" in line for line in lines), "its length stands in the graph, narrow as it is"
    assert len(widths) == 1
    assert min(widths) >= 1
    for span in (60.0, 120.0, 300.0):
        lane = lane_texts(history, TimeAxis(T0, T0 + span, T0 + 60), width)[3]
        window = lane[7:].strip()
        assert window.count("▒") >= 1 or "1.2" in window
        counted = window.replace("▒", "").replace("1.2s", "").replace("1.24 s", "").replace(" not probed ", "")
        assert not set(counted) & set("0123456789.s"), "no label over writes that were served"


def test_a_wide_outage_has_its_length_inside() -> None:
    history = History()
    for second in range(30):
        sample = replace(SAMPLE, start=T0 + second, end=T0 + second + 1, failed={}, writes_ok=100)
        history.apply(events.SampleRecorded("write-10u", sample, NODES[0], 6))
    history.apply(events.WindowClosed(WriteWindow(T0 + 10, T0 + 16.24, 0.05)))
    lines = text_of(LatencyPlot().spec(TimeAxis(T0, T0 + 30, T0 + 30), history, 90, 14))
    assert any("▒6.24s▒" in line for line in lines)
    assert not any("▮" in line for line in lines)


def test_a_scenarios_name_lies_on_no_other_label() -> None:
    for start in range(24, 44):
        history = History()
        for second in range(60):
            sample = replace(SAMPLE, start=T0 + second, end=T0 + second + 1, failed={}, writes_ok=100)
            history.apply(events.SampleRecorded("drill", sample, NODES[0], 6))
        history.apply(events.WindowClosed(WriteWindow(T0 + 29, T0 + 30.58, 0.05)))
        history.apply(events.ScenarioStarted("drill", T0 + start, 10, 30.0, 100, 1024))
        lines = text_of(ThroughputPlot().spec(TimeAxis(T0, T0 + 60, T0 + 60), history, 80, 8))
        assert any("1.58s" in line for line in lines), start
        assert not any("drill1" in line or "drill▮" in line or "sdrill" in line for line in lines), start


def test_areas_are_solid_where_the_terminal_has_half_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    history = filled(40)
    axis = TimeWindow(60.0).axis(T0 + 40)
    dots = {chr(code) for code in range(0x2801, 0x2900)}
    monkeypatch.setenv("TERM", "xterm-256color")
    solid = set("".join(text_of(ThroughputPlot().spec(axis, history, 60, 14))))
    assert "█" in solid
    assert not solid & dots
    latency = set("".join(text_of(LatencyPlot().spec(axis, history, 60, 14))))
    assert latency & dots, "p50 is thin"
    assert latency & set("▀▄▌▐▖▗▘▝▙▛▜▟"), "and p99 is bold"
    monkeypatch.setenv("TERM", "linux")
    assert set("".join(text_of(ThroughputPlot().spec(axis, history, 60, 14)))) & dots


def test_the_scale_follows_what_is_to_be_seen() -> None:
    history = History()
    for second in range(300):
        ok = 4_000 if second < 100 else 90
        sample = replace(SAMPLE, start=T0 + second, end=T0 + second + 1, failed={}, writes_ok=ok,
                         max_us=900_000 if second < 100 else 400)  # fmt: skip
        history.apply(events.SampleRecorded("write-10u", sample, NODES[0], 6))
    now = T0 + 300
    for plot in (ThroughputPlot(), LatencyPlot()):
        high = [
            spec.y_high
            for axis in (TimeAxis(T0, now, now), TimeAxis(now - 60, now, now), TimeAxis(T0, T0 + 60, now, live=False),
                         TimeAxis(now - 60, now - 30, now, live=False))
            if (spec := plot.spec(axis, history, 80, 14)) is not None
        ]  # fmt: skip
        assert high[0] == high[2]
        assert high[1] < high[0] / 5, "zoomed in, at once"
        assert high[3] < high[2] / 5, "scrolled, at once"


@pytest.mark.parametrize("dark", [True, False])
def test_a_colour_means_one_thing(dark: bool) -> None:
    colors = role_colors(dark)

    def hue(color: str) -> float | None:
        red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        strong = max(red, green, blue) - min(red, green, blue) > 0.1
        return colorsys.rgb_to_hls(red, green, blue)[0] * 360 if strong else None

    for role in ("p50", "p95", "p99", "p99.9", "max", "bar"):
        tone = hue(colors[role])
        assert tone is None or 195 < tone < 325, f"{role} is neither amber nor red nor green"
    for cause in Cause:
        tone = hue(colors[CAUSE_ROLES[cause]])
        assert tone is not None
        assert tone < 20 or tone > 325, f"{cause} is a failure, and red"
    amber = {role for role, color in colors.items() if (tone := hue(color)) is not None and 30 < tone < 70}
    assert amber == {"warn"}
    for term in range(4):
        assert hue(term_color(term, dark)) is None, "terms are neutral"
    assert term_color(1, dark) == term_color(3, dark) != term_color(2, dark)


def test_following_terms_differ_in_colour() -> None:
    for dark in (True, False):
        for term in range(12):
            assert term_color(term, dark) != term_color(term + 1, dark)


# Strips


cells = st.lists(st.tuples(st.sampled_from("ab ░"), st.integers(0, 3)), min_size=1, max_size=80)


@given(cells, cells)
def test_what_changed_is_found(old: list[tuple[str, int]], new: list[tuple[str, int]]) -> None:
    size = min(len(old), len(new))
    old, new = old[:size], new[:size]
    before, after = (row_of([c for c, _ in row], [s for _, s in row]) for row in (old, new))
    spans = list(changed_spans(before, after))
    covered = {cell for begin, end in spans for cell in range(begin, end)}
    for index, (one, other) in enumerate(zip(old, new, strict=True)):
        if one[0] != other[0]:
            assert index in covered
        if one[0] == other[0] != " " and one[1] != other[1]:
            assert index in covered
    if before == after:
        assert not spans
    assert sum(len(str(part)) for part in after[::2]) == size


def test_a_picture_gives_only_what_changed() -> None:
    picture = Picture()
    styles = [Style(), Style(bold=True)]
    rows: list[Row] = [["abc", 0, "d" * 40, 1], ["x" * 43, 0]]
    assert picture.update(rows, styles, 43) is None
    assert picture.update([list(row) for row in rows], styles, 43) == []
    changed = picture.update([["abX", 0, "d" * 40, 1], ["x" * 43, 0]], styles, 43)
    assert changed is not None
    assert [(region.x, region.y, region.width, region.height) for region in changed] == [(2, 0, 1, 1)]
    assert picture.update(rows, [Style(), Style()], 43) is None, "other colours: everything"


def test_ansi_becomes_rows_of_whole_width() -> None:
    ansi = "\x1b[0m\x1b[38;5;17mab\x1b[0m  \x1b[38;5;18mc\x1b[0m\n\x1b[48;5;15mzz"
    assert to_rows(ansi, 8) == [["ab  ", 1, "c   ", 2], ["zz      ", 1]]


# Graphs


@pytest.mark.parametrize(("width", "height"), [(28, 6), (40, 8), (58, 14), (98, 22), (200, 30)])
@pytest.mark.parametrize("span", [15.0, 60.0, 600.0])
def test_graphs_fill_their_cells_exactly(width: int, height: int, span: float) -> None:
    history = filled(100)
    axis = TimeWindow(span).axis(T0 + 100)
    for plot in (ThroughputPlot(), LatencyPlot()):
        lines = text_of(plot.spec(axis, history, width, height))
        assert len(lines) == height
        assert {len(line) for line in lines} == {width}
        assert "now" in lines[-1]


def test_no_series_has_more_points_than_is_good() -> None:
    history = filled(700)
    for span in SPANS:
        axis = TimeWindow(span).axis(T0 + 700)
        for plot in (ThroughputPlot(), LatencyPlot()):
            spec = plot.spec(axis, history, 100, 20)
            assert spec is not None
            for layer in spec.layers:
                if layer.kind != "columns":
                    assert sum(len(xs) for xs, _ in layer.runs) <= 180
        assert span / bucket_seconds(span) <= 120


def test_an_election_on_the_graphs() -> None:
    history = filled(40)
    axis = TimeWindow(60.0).axis(T0 + 40)
    throughput = text_of(ThroughputPlot().spec(axis, history, 60, 14))
    assert "T7" in throughput[0]
    assert "write-10u" in throughput[0]
    assert any("│" in line[6:] for line in throughput)
    assert any("▒" in line for line in throughput)
    assert any("×" in line for line in throughput)
    assert any("◇" in line for line in throughput)
    latency = text_of(LatencyPlot().spec(axis, history, 60, 14))
    assert [next(name for name in ("max", "p99", "p95", "p50") if name in line) for line in latency if " p" in line or
            " max" in line] == ["max", "p99", "p95", "p50"]  # fmt: skip
    assert any("•" in line for line in latency)


def test_a_warm_up_is_dotted_as_far_as_it_has_passed() -> None:
    history = History()
    history.apply(events.ScenarioStarted("write-10u", T0 + 20, 10, 30.0, 100, 1024, warmup_s=10.0))

    def dotted(upto: int) -> list[int]:
        """Seconds of the axis that are dotted, with a second a column."""
        spec = LatencyPlot().spec(TimeAxis(T0, T0 + 60, T0 + upto), history, 69, 14)
        row = text_of(spec)[-3][5:]
        return [at for at, cell in enumerate(row) if cell == "·"]

    for second in range(20, 35):
        warmup = second < 30
        sample = replace(SAMPLE, start=T0 + second, end=T0 + second + 1, failed={}, warmup=warmup)
        history.apply(events.SampleRecorded("write-10u", sample, NODES[0], 6))
        if second == 24:
            assert dotted(25) == list(range(20, 25))
    assert dotted(58) == list(range(20, 30))
    spec = ThroughputPlot().spec(TimeAxis(T0, T0 + 60, T0 + 35), history, 65, 14)
    assert spec is not None
    areas = {layer.role: (layer.runs[0][0][0], layer.runs[0][0][-1]) for layer in spec.layers if layer.kind == "area"}
    assert areas == {"ok": (30.0, 35.0), "dim": (20.0, 30.0)}


def test_a_single_second_of_failures_is_seen_whatever_the_scale() -> None:
    history = History()
    for second in range(600):
        failed = {Cause.TIMEOUT: 1} if second == 300 else {}
        ok = 9_000 if second == 350 else 100
        sample = replace(SAMPLE, start=T0 + second, end=T0 + second + 1, failed=failed, writes_ok=ok)
        history.apply(events.SampleRecorded("write-10u", sample, NODES[0], 6))
    plot = ThroughputPlot()
    spec = plot.spec(TimeAxis(T0, T0 + 600, T0 + 600), history, 60, 12)
    lines = text_of(spec)
    assert sum(line.count("…") for line in lines) == 1
    assert spec is not None
    assert spec.y_high >= 9_000, "the best second is on the axis though it is merged with four others"
    assert ("…", "timeout", "timeout") in plot.legend, "a count would go down while time scrolls"


def history_of(*samples: SecondSample) -> tuple[History, TimeAxis]:
    """A history of these samples of one scenario, and the ten seconds from the first one on."""
    history = History()
    for one in samples:
        history.apply(events.SampleRecorded("write-10u", one, NODES[0], 6))
    return history, TimeAxis(T0, T0 + 10, T0 + 10, live=False)


def lines_of(samples: Sequence[SecondSample]) -> tuple[list[Run], list[Run]]:
    """The stretches of throughput and of p99 that are drawn."""
    history, axis = history_of(*samples)
    throughput, latency = ThroughputPlot().spec(axis, history, 80, 12), LatencyPlot().spec(axis, history, 80, 12)
    assert throughput is not None
    assert latency is not None
    area = next(layer for layer in throughput.layers if layer.kind == "area")
    p99 = next(layer for layer in latency.layers if layer.role == "p99")
    return area.runs, p99.runs


def second(start: float, ok: int = 100, lasted: float = 1.0) -> SecondSample:
    latency = dict.fromkeys(("p50_us", "p95_us", "p99_us", "max_us"), None if not ok else 5_000)
    return replace(SAMPLE, start=T0 + start, end=T0 + start + lasted, writes_ok=ok, **latency)


def test_a_second_without_success_has_no_latency_and_no_ramp() -> None:
    """The cluster stood still in [2, 3): p99 says nothing of it, and throughput is zero there and nowhere else."""
    area, p99 = lines_of([second(0), second(1), second(2, ok=0), second(3), second(4)])
    assert [run[0] for run in p99] == [[0.5, 1.5], [3.5, 4.5]]
    assert area == [
        ([0.0, 0.5, 1.5, 2.0], [100, 100, 100, 100]),
        ([2.0, 2.5, 3.0], [0, 0, 0]),
        ([3.0, 3.5, 4.5, 5.0], [100, 100, 100, 100]),
    ]


def test_seconds_that_do_not_exist_are_not_drawn() -> None:
    """Nobody measured anything in [2, 3), between two runs of one scenario say."""
    area, p99 = lines_of([second(0), second(1), second(3), second(4)])
    assert [(run[0][0], run[0][-1]) for run in area] == [(0.0, 2.0), (3.0, 5.0)]
    assert [run[0] for run in p99] == [[0.5, 1.5], [3.5, 4.5]]


def test_a_stall_of_the_load_is_one_level_stretch_at_its_true_rate() -> None:
    """A load that stood still gives one long sample: 40 requests in four seconds are 10 a second, and no peak."""
    area, p99 = lines_of([second(0), second(1), second(2, ok=40, lasted=4.0), second(6)])
    assert area[1] == ([2.0, 4.0, 6.0], [10, 10, 10])
    assert p99 == [([0.5, 1.5], [5.0, 5.0]), ([2.0, 4.0, 6.0], [5.0, 5.0, 5.0]), ([6.5], [5.0])]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from([0.0, 0.0, 0.7, 3.0]), st.sampled_from([1.0, 1.0, 2.5])))
)
def test_nothing_is_drawn_over_time_without_a_figure(parts: list[tuple[int, float, float]]) -> None:
    """Whatever stalls and gaps there are: a line that leads from one moment to the next has a sample under it."""
    samples, at = [second(0)], 1.0
    for ok, gap, lasted in parts[:6]:
        samples.append(second(at + gap, ok, lasted))
        at += gap + lasted
    area, p99 = lines_of(samples)
    for run in [*area, *p99]:
        for x in [one + (other - one) * share for one, other in pairwise(run[0]) for share in (0.1, 0.5, 0.9)]:
            assert any(one.start - T0 - 0.01 <= x <= one.end - T0 + 0.01 for one in samples)
    silent = [(one.start - T0, one.end - T0) for one in samples if one.ok == 0]
    for begin, end in silent:
        assert not any(begin + 0.01 < x < end - 0.01 for run in p99 for x in run[0])
        assert all(y == 0 for run in area for x, y in zip(*run, strict=True) if begin + 0.01 < x < end - 0.01)


def test_without_samples_there_is_nothing_to_draw() -> None:
    history = History()
    history.apply(events.ClusterChanged(view(T0, NodeState.LEADER, leader=NODES[0]), 0.0))
    axis = TimeWindow().axis(T0)
    assert ThroughputPlot().spec(axis, history, 60, 12) is None
    assert LatencyPlot().spec(axis, history, 60, 12) is None


def test_the_histogram_shows_every_request() -> None:
    from hdrh.histogram import HdrHistogram

    histogram = HdrHistogram(1, 60_000_000, 3)
    for value, times in ((900, 1), (20_000, 500), (90_000, 60), (300_000, 7), (1_700_000, 1)):
        histogram.record_value(value, times)
    encoded = histogram.encode().decode()
    spec = histogram_spec(encoded, 80, 14)
    lines = text_of(spec)
    assert {len(line) for line in lines} == {80}
    assert "ms" in lines[-1]
    assert all(name in lines[0] for name in ("p50", "p95", "p99"))
    columns = next(layer for layer in spec.layers if layer.role == "bar").runs[0][0] if spec else []
    assert len(columns) // 4 >= 3, "the single slow request has a column of its own"
    assert histogram_spec(HdrHistogram(1, 60_000_000, 3).encode().decode(), 80, 14) is None


def test_a_drill_round_is_a_small_graph_from_the_fault_on() -> None:
    tenths = tuple((i / 10, 0 if 2 < i < 20 else 9) for i in range(-10, 60))
    lines = text_of(drill_spec(tenths, ((2.0, "first write"),), 60, 8))
    assert {len(line) for line in lines} == {60}
    assert "fault" in lines[0]
    assert "first write" in lines[0]
    assert "0s" in lines[-1]
    assert drill_spec((), (), 60, 8) is None


def test_sparklines_show_hiccups_and_silence() -> None:
    line = sparkline([0.0008] * 5 + [0.02, None, 0.0009], 10)
    assert len(line) == 10
    assert line.startswith(("  ▁▁▁▁▁", "  ▂▂▂▂▂"))
    assert line[7] in "▇█"
    assert line[8] == "·"
    assert sparkline([], 4) == "    "


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("series", [("p50", "p95", "p99", "p99.9", "max"), ("ok", *sorted(set(CAUSE_ROLES.values())))])
def test_colour_blind_people_can_distinguish_series(dark: bool, series: tuple[str, ...]) -> None:
    colors = role_colors(dark)
    for eye in EYES:
        for one, other in combinations(series, 2):
            apart = distance(colors[one], colors[other], eye)
            assert apart >= 13, f"{one} and {other}: {apart:.1f} to {eye}"
    for role, color in colors.items():
        assert contrast(color, GROUNDS[dark]) >= (2.0 if role == "axis" else 2.9), role
