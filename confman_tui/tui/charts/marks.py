"""What stands in a graph over time besides its series: bands with their lengths, and labels that keep apart."""

from __future__ import annotations

import math

from confman_tui.tui.charts.axis import TimeAxis
from confman_tui.tui.charts.spec import Band, GraphSpec, Mark, band_cells, label_start
from confman_tui.tui.history.history import History


def mark_outages(spec: GraphSpec, axis: TimeAxis, history: History, columns: int) -> None:
    """A band for each stretch without leader or writes, with its length inside, or, where it is too narrow for
    that, at the top beside it, behind the term's number if that stands there."""
    for begin, end, whole in history.outages(axis.start, axis.end, axis.now):
        band = Band(
            round(begin - axis.start, 3),
            round(end - axis.start, 3),
            f"{whole:.2f}s" if whole < 10 else f"{whole:.1f}s",
        )
        spec.bands.append(band)
        first, after = band_cells(band.start, band.end, axis.span, columns)
        if after - first >= len(band.label) + 2 or after <= first:
            continue
        words, band.label = f"▮{band.label}", ""
        inside = [mark for mark in spec.marks if band.start - 1e-6 <= mark.x <= band.end + axis.span / columns]
        if inside:
            inside[-1].label = f"{inside[-1].label} {words}".strip()
        else:
            spec.marks.append(Mark(round((after - 0.5) * axis.span / columns, 3), words, "alarm", line=False))
    spec.marks.sort(key=lambda mark: mark.x)


def keep_apart(marks: list[Mark], columns: int, span: float) -> None:
    """Shorten or take away the labels that would lie on one further right, or on its line; the last are the newest."""
    free = columns + 1
    for mark in reversed(marks):
        whole = mark.label
        for label in (whole, whole.rpartition(" ")[2], ""):
            mark.label = label
            start = label_start(mark, span, columns)
            if not label or start + len(label) < free:
                break
        line = math.floor(mark.x * columns / span + 1e-6)
        free = min(free, line, label_start(mark, span, columns)) if mark.label else min(free, line)
