"""Round ticks, and scales that do not jump: pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

_TIME_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600)


def nice_step(span: float, most: int) -> float:
    """The smallest step of 1, 2 or 5 times a power of ten that cuts ``span`` into at most ``most`` parts."""
    if span <= 0 or most < 1:
        return 1.0
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10):
        if factor * power >= raw * (1 - 1e-9):
            return factor * power
    return 10 * power


def linear_top(highest: float, most: int) -> tuple[float, float]:
    """(top, step) of an axis from zero that holds ``highest``, with at most ``most`` + 1 ticks."""
    wanted = max(highest, 1.0)
    step = max(nice_step(wanted, max(most, 1)), 1.0)
    return math.ceil(wanted / step - 1e-9) * step, step


def linear_ticks(top: float, most: int) -> list[float]:
    """Round values from zero to ``top``, at most ``most`` + 1 of them."""
    step = max(nice_step(top, max(most, 1)), 1.0)
    return [step * i for i in range(int(top / step + 1e-9) + 1)]


def log_floor(value: float) -> float:
    """The greatest 1, 2 or 5 times a power of ten that is not above ``value``."""
    power = 10.0 ** math.floor(math.log10(value) + 1e-12)
    for factor in (5, 2):
        if value >= factor * power * (1 - 1e-9):
            return factor * power
    return power


def log_ceil(value: float) -> float:
    """The least 1, 2 or 5 times a power of ten that is not below ``value``."""
    power = 10.0 ** math.floor(math.log10(value) + 1e-12)
    for factor in (1, 2, 5):
        if value <= factor * power * (1 + 1e-9):
            return factor * power
    return 10 * power


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values on a logarithmic axis: 1, 2 and 5 of each decade where there is room for them, else 1 only."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [
            factor * 10.0**power
            for power in range(first, last + 1)
            for factor in factors
            if low * (1 - 1e-9) <= factor * 10.0**power <= high * (1 + 1e-9)
        ]
        if len(ticks) <= max(most, 2):
            return ticks
    while len(ticks) > max(most, 2):
        ticks = ticks[::2]
    return ticks


def headroom(rows: int) -> float:
    """How much longer an axis is than what it has to hold, so that marks have the top row to themselves."""
    return rows / (rows - 1) if rows >= 6 else 1.0


def rate_label(value: float) -> str:
    """A rate on an axis: ``250``, ``1.5k``, ``20k``."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def milliseconds_label(value: float) -> str:
    """A latency given in milliseconds, on an axis: ``0.5``, ``20``, ``1s``."""
    return f"{value / 1000:g}s" if value >= 1000 else f"{value:g}"


def time_step(span: float, columns: int, room: int = 9) -> int:
    """Seconds between the ticks of a time axis, so that each has at least ``room`` columns."""
    for step in _TIME_STEPS:
        if step >= span:
            break
        if step * columns / span >= room:
            return step
    return max(1, int(span / 2))


@dataclass(slots=True)
class LinearScale:
    """The top of an axis from zero that grows at once and shrinks late, so that it does not jump each second."""

    patience_s: float = 8.0
    """How long a smaller top must suffice before the axis shrinks, in seconds."""
    top: float = 0.0
    _small_since: float | None = None

    def forget(self) -> None:
        """Something else is to be seen: the next top is fitted to that alone."""
        self.top, self._small_since = 0.0, None

    def fit(self, highest: float, most: int, now: float) -> float:
        """The top to draw with at this moment, when the highest value shown is ``highest``."""
        wanted, _ = linear_top(highest, most)
        if wanted >= self.top or self.top == 0:
            self.top, self._small_since = wanted, None
        elif wanted > 0.7 * self.top:
            self._small_since = None
        elif self._small_since is None or now < self._small_since:
            self._small_since = now
        elif now - self._small_since >= self.patience_s:
            self.top, self._small_since = wanted, None
        return self.top


@dataclass(slots=True)
class LogScale:
    """The ends of a logarithmic axis, each on 1, 2 or 5 times a power of ten; widens at once, narrows late."""

    patience_s: float = 8.0
    low: float = 0.0
    high: float = 0.0
    _wide_since: float | None = None

    def forget(self) -> None:
        """Something else is to be seen: the next ends are fitted to that alone."""
        self.low = self.high = 0.0
        self._wide_since = None

    def fit(self, lowest: float, highest: float, now: float) -> tuple[float, float]:
        """The ends to draw with at this moment."""
        low, high = log_floor(lowest * 0.98), log_ceil(highest)
        if high / low < 10:
            high = log_ceil(low * 10)
        if self.high == 0:
            self.low, self.high = low, high
        wider = (min(low, self.low), max(high, self.high))
        if wider != (self.low, self.high):
            self.low, self.high = wider
            self._wide_since = None
        elif (low, high) == wider:
            self._wide_since = None
        elif self._wide_since is None or now < self._wide_since:
            self._wide_since = now
        elif now - self._wide_since >= self.patience_s:
            self.low, self.high, self._wide_since = low, high, None
        return self.low, self.high
