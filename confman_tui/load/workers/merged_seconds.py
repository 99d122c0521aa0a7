"""The seconds of one run from its workers to the samples: put together, added up, passed on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from confman_tui.cluster.watch_mode import late_write_s
from confman_tui.core.clock import now
from confman_tui.load.run import LATELY
from confman_tui.load.run_model import SecondSample
from confman_tui.load.second import SecondCounts
from confman_tui.load.totals import RunTotals
from confman_tui.load.workers.merge import SecondsMerger

_SHORTEST_SPAN_S = 0.4
"""The CPU of a shorter time says little."""


class MergedSeconds:
    """Used on the engine's thread."""

    def __init__(
        self,
        started: float,
        warmup_s: float,
        on_sample: Callable[[SecondSample], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """
        Args:
            started: when the run began.
            warmup_s: the seconds after that which the outcome leaves out.
            on_sample: gets each whole second.
            on_error: gets what ``on_sample``, or the adding up, raises.
        """
        self.started = started
        """When the run began."""
        self._merger = SecondsMerger(started)
        self.totals = RunTotals(started, warmup_s)
        self._on_sample = on_sample
        self._on_error = on_error
        self._lately: deque[int] = deque(maxlen=LATELY)
        """The p99 of the last seconds, in µs."""
        self.late_s = late_write_s(None)
        """A request in flight for longer is a sign of trouble."""
        self._cpu_then = time.thread_time()
        self.passed_on_until = started
        """End of the last second that was passed on."""

    def join(self, worker: str) -> None:
        """Wait for this worker's seconds from now on."""
        self._merger.join(worker)

    def leave(self, worker: str) -> None:
        """Wait for it no longer."""
        self._merger.leave(worker)

    def add(self, worker: str, number: int, second: SecondCounts, *, last: bool) -> None:
        """A worker's second; see `SecondsMerger.add`."""
        self._merger.add(worker, number, second, last=last)
        self.pass_on_due()

    def pass_on_due(self) -> None:
        """Pass on the seconds that are whole."""
        for second in self._merger.due(now()):
            self._pass_on(second)

    def pass_on_rest(self) -> None:
        """Pass on all that is left."""
        for second in self._merger.rest():
            self._pass_on(second)

    def engine_cpu(self, at: float, otherwise: float) -> float:
        """CPU of this thread since the last second, as a share of one core; ``otherwise`` right after one."""
        span = at - self.passed_on_until
        return (time.thread_time() - self._cpu_then) / span if span >= _SHORTEST_SPAN_S else otherwise

    def _pass_on(self, second: SecondCounts) -> None:
        cpu, seconds = time.thread_time(), max(second.end - self.passed_on_until, 1e-9)
        # the CPU is this thread's; the lag is the workers' alone, since it is their hubs that hold requests up, and the
        # master's only delays the passing on
        second.engine_cpu = (cpu - self._cpu_then) / seconds
        self._cpu_then, self.passed_on_until = cpu, second.end
        try:
            sample = self.totals.add(second)
            if sample.p99_us is not None:
                self._lately.append(sample.p99_us)
                self.late_s = late_write_s(max(self._lately) / 1e6)
            self._on_sample(sample)
        except BaseException as error:
            self._on_error(error)
