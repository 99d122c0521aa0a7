"""The time axis that the timeline and the graphs of a dashboard share: plain values, no screen.

All times are seconds since the epoch on the program's steady clock.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

SPANS: tuple[float, ...] = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""The window lengths that ``+`` and ``-`` step through, in seconds."""

_STEPS = {15.0: 0.5, 30.0: 1.0, 60.0: 2.0, 120.0: 4.0, 300.0: 10.0, 600.0: 20.0}
"""How far a live axis moves at a time, by window length. A picture that moves is written to the terminal anew, so it
moves in a few visible steps, between which only its right edge grows."""


MARGIN = 0.02
"""Share of a run's length that is shown before and after it."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """One stretch of time, drawn from left to right."""

    start: float
    end: float
    now: float
    """The moment up to which there can be data: later than ``end`` when scrolled back."""
    live: bool = True
    """Whether the right edge follows the clock: ticks are then relative to now, else times of day."""

    @property
    def span(self) -> float:
        """Its length in seconds."""
        return self.end - self.start

    @property
    def view(self) -> tuple[float, float | None]:
        """What a person chose to see: it changes when they zoom or scroll, and not while the clock goes on."""
        return self.span, None if self.live else self.end

    def column(self, at: float, width: int) -> int:
        """The column of a moment on a picture of that width; may lie outside it."""
        return math.floor((at - self.start) * width / self.span)


def run_axis(start: float, end: float, now: float) -> TimeAxis:
    """The axis on which a run that is over is seen whole."""
    margin = (end - start) * MARGIN
    return TimeAxis(start - margin, end + margin, now, live=False)


class TimeWindow:
    """What part of the history is shown: how much, whether it follows the clock, held or scrolled back."""

    def __init__(self, span: float = 60.0) -> None:
        """``span``: seconds shown at first, one of `SPANS`."""
        if span not in SPANS:
            raise ValueError(f"span {span:g} s; allowed: {', '.join(f'{allowed:g}' for allowed in SPANS)}")
        self._span = span
        self._end: float | None = None
        self._held_at: float | None = None
        self._fitted: tuple[str, float, float] | None = None
        """(name, start, end) of the run that is shown whole."""
        self._fit_is_over = False
        """Whether the hold is all that keeps it."""

    @property
    def span(self) -> float:
        """Seconds shown."""
        return self._span

    @property
    def held(self) -> bool:
        """Whether the view is held while the collection goes on."""
        return self._held_at is not None

    @property
    def live(self) -> bool:
        """Whether the right edge follows the clock."""
        return self._end is None and self._held_at is None and self._fitted is None

    @property
    def title(self) -> str:
        """What is shown, in words."""
        if self.live:
            return f"last {span_words(self._span)}"
        if self._fitted is not None:
            name, start, stop = self._fitted
            return f"{name}, {clock_words(start)} to {clock_words(stop)}{' (held)' if self.held else ''}"
        end = self._end if self._end is not None else self._held_at
        assert end is not None
        how = "held" if self.held and self._end is None else "scrolled back"
        return f"{span_words(self._span)} until {clock_words(end)} ({how})"

    def axis(self, now: float) -> TimeAxis:
        """The axis at this moment."""
        if self._held_at is not None:
            now = min(now, self._held_at)
        if self._fitted is not None:
            return run_axis(self._fitted[1], self._fitted[2], now)
        step = _STEPS[self._span]
        right = math.floor(now / step) * step + step
        if self._end is None:
            return TimeAxis(right - self._span, right, now, live=self._held_at is None)
        return TimeAxis(self._end - self._span, self._end, now, live=False)

    def zoom_in(self) -> bool:
        """Show less time; False when that is the least."""
        return self._zoom(-1)

    def zoom_out(self) -> bool:
        """Show more time; False when that is the most."""
        return self._zoom(+1)

    def _zoom(self, direction: int) -> bool:
        if self._fitted is not None:
            _, start, stop = self._fitted
            wanted = [span for span in SPANS if (span > stop - start) == (direction > 0)]
            if not wanted:
                return False
            self._unfit(wanted[0] if direction > 0 else wanted[-1])
            return True
        index = SPANS.index(self._span) + direction
        if not 0 <= index < len(SPANS):
            return False
        self._span = SPANS[index]
        return True

    def _unfit(self, span: float) -> None:
        """Scroll freely from the end of the run that was shown whole."""
        assert self._fitted is not None
        self._span, self._end, self._fitted = span, self._fitted[2], None

    def scroll(self, fraction: float, now: float, earliest: float | None = None) -> None:
        """Move by a fraction of the window, back when negative; arriving at now follows the clock again.

        ``earliest``: the first moment there is data for; the window does not leave it.
        """
        if self._fitted is not None:
            if fraction > 0 and not self.held:
                self.go_live()  # what came after it was idle
                return
            _, start, stop = self._fitted
            self._unfit(next((span for span in SPANS if span >= stop - start), SPANS[-1]))
        limit = now if self._held_at is None else min(now, self._held_at)
        step = _STEPS[self._span]
        end = (self.axis(now).end if self._end is None else self._end) + fraction * self._span
        end = math.floor(end / step + 0.5) * step
        if earliest is not None:
            end = max(end, math.floor((earliest + self._span) / step) * step)
        self._end = None if end >= limit else end

    def go_live(self) -> None:
        """Follow the clock again (the hold stays, and what it shows)."""
        if self._held_at is None:
            self._fitted = None
        else:
            self._fit_is_over = True
        self._end = None

    @property
    def fitted(self) -> bool:
        """Whether a run that is over is shown whole."""
        return self._fitted is not None

    def fit(self, name: str, start: float, end: float) -> None:
        """Show this run whole, unless a person looks at another stretch or holds the view."""
        if self._held_at is None and self._end is None and end > start:
            self._fitted, self._fit_is_over = (name, start, end), False

    def hold(self, now: float) -> None:
        """Freeze the view at this moment."""
        if self._held_at is None:
            self._held_at = now

    def release(self) -> None:
        """End the hold and follow the clock."""
        self._held_at = None
        self._end = None
        if self._fit_is_over:
            self._fitted, self._fit_is_over = None, False


def span_words(seconds: float) -> str:
    """A window's length in words: ``15 s``, ``2 min``."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def clock_words(at: float, tenths: bool = False) -> str:
    """A moment as local time of day: ``12:04:11``, with tenths ``12:04:11.2``."""
    text = time.strftime("%H:%M:%S", time.localtime(at))
    return f"{text}.{int(at % 1 * 10)}" if tenths else text
