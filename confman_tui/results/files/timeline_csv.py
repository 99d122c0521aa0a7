"""``{tier}-{scenario}_timeline.csv``: one row a second of what the load met and what the cluster was meanwhile."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from confman_tui.cluster.elections import Election, Fault, WriteWindow
from confman_tui.cluster.states import ClusterView
from confman_tui.load.generator_use import gauges_of
from confman_tui.load.run_model import Cause, SecondSample
from confman_tui.load.saturation import GeneratorBound, GeneratorSample
from confman_tui.results.files.output_folder import os_error_text
from confman_tui.results.formatting import iso, short_node

_BEFORE_CAUSES = ("time", "users", "ok", "reads_ok", "writes_ok", "warmup")
_AFTER_CAUSES = (
    *("p50_us", "p95_us", "p99_us", "max_us", "leader", "term", "without_writes", "marks"),
    *("in_flight", "oldest_in_flight_s", "engine_cpu", "hub_lag_ms"),
)
_OPEN_LOOP = (
    *("rate", "uncorrected_p50_us", "uncorrected_p99_us", "uncorrected_max_us", "not_started", "schedule_lag_ms"),
)
"""Empty in a closed loop."""
_GENERATOR = (
    *("engine_wait", "machine_cpu", "program_cpu", "worker_cpu_max", "worker_wait_max"),
    *("conductor_lag_ms", "screen_lag_ms"),
)
"""Empty where a figure is not known, as the screen's lag without a screen."""


def _columns(nodes: Sequence[str]) -> list[str]:
    causes = [f"failed_{cause}" for cause in Cause]
    states, sent, cpu = ([f"{figure} {short_node(node)}" for node in nodes] for figure in ("state", "sent", "cpu"))
    return [*_BEFORE_CAUSES, *causes, *_AFTER_CAUSES, *_OPEN_LOOP, *states, *sent, *_GENERATOR, *cpu]


class TimelineWriter:
    """Appends rows to ``<name>.part`` beside the final file, each flushed at once; `close` gives it its name.

    A run must not fail because its timeline can't be written: after the first error the rest is dropped and `trouble`
    says why.
    """

    def __init__(self, path: Path, nodes: Sequence[str]) -> None:
        """Begin the file.

        Args:
            path: The final name.
            nodes: Base URLs of the nodes; each has a column for its state and one for the requests sent to it.
        """
        self.path = path
        self.trouble = ""
        """Why the timeline is not complete; empty while all is well."""
        self._partial = path.with_name(path.name + ".part")
        self._nodes = tuple(nodes)
        self._columns = _columns(nodes)
        self._stream: io.TextIOBase | None = None
        try:
            self._stream = self._partial.open("w", encoding="utf-8", newline="")
        except OSError as error:
            self._give_up(error)
        self._write(self._columns)

    def row(
        self,
        sample: SecondSample,
        view: ClusterView | None = None,
        marks: Sequence[str] = (),
        without_writes: bool = False,
        generator: GeneratorSample | None = None,
    ) -> None:
        """Append one second.

        Args:
            sample: What the load met.
            view: The cluster as last seen within that second.
            marks: Faults and elections of that second (`fault_mark`, `window_mark`, `election_mark`).
            without_writes: Whether the second lies in or touches a stretch without acknowledged writes.
            generator: What this program and its machine used in it.
        """
        cells: dict[str, object] = {
            "time": iso(sample.start),
            "users": sample.users,
            "ok": sample.ok,
            "reads_ok": sample.reads_ok,
            "writes_ok": sample.writes_ok,
            "warmup": int(sample.warmup),
            **{f"failed_{cause}": sample.failed.get(cause, 0) for cause in Cause},
            "p50_us": sample.p50_us,
            "p95_us": sample.p95_us,
            "p99_us": sample.p99_us,
            "max_us": sample.max_us,
            "without_writes": int(without_writes),
            "marks": "; ".join(marks),
            "in_flight": sample.in_flight,
            "oldest_in_flight_s": f"{sample.oldest_in_flight_s:.3f}",
            "engine_cpu": f"{sample.engine_cpu:.3f}",
            "hub_lag_ms": f"{sample.hub_lag_s * 1000:.2f}",
            **{f"sent {short_node(node)}": sample.per_node.get(node, 0) for node in self._nodes},
            **_open_loop(sample),
        }
        if view is not None:
            states = {f"state {short_node(node.node)}": node.state for node in view.nodes}
            cells.update(states, leader=view.leader, term=view.term)
        gauges = gauges_of(sample, generator)
        cells.update({name: _figure(name, gauges[name]) for name in _GENERATOR})
        if generator is not None:
            cpu = generator.node_cpu.items()
            cells.update({f"cpu {short_node(node)}": _figure("cpu", share) for node, share in cpu})
        self._write([cells.get(name) for name in self._columns])

    def _write(self, row: Sequence[object]) -> None:
        if self._stream is None:
            return
        line = io.StringIO()
        csv.writer(line).writerow(row)
        try:
            self._stream.write(line.getvalue())
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.trouble = f"{self.path} can't be written: {os_error_text(error)}"
        self._drop()

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
        with contextlib.suppress(OSError):
            self._partial.unlink()

    def close(self) -> Path | None:
        """Give the file its final name and return it; None when it could not be written (see `trouble`) or was closed
        before."""
        stream = self._stream
        if stream is None:
            return None
        try:
            os.fsync(stream.fileno())
            stream.close()
            self._partial.replace(self.path)
        except OSError as error:
            self._give_up(error)
            return None
        self._stream = None
        return self.path

    def discard(self) -> None:
        """End without a file: the run never began. The earlier file stays."""
        self._drop()


def _open_loop(sample: SecondSample) -> dict[str, object]:
    if sample.rate is None:
        return {}
    return {
        "rate": f"{sample.rate:g}",
        "uncorrected_p50_us": sample.uncorrected_p50_us,
        "uncorrected_p99_us": sample.uncorrected_p99_us,
        "uncorrected_max_us": sample.uncorrected_max_us,
        "not_started": sample.not_started,
        "schedule_lag_ms": f"{sample.schedule_lag_s * 1000:.2f}",
    }


def rate_mark(rate: float) -> str:
    """An open loop's new rate: ``rate 550/s``."""
    return f"rate {rate:g}/s"


def _figure(name: str, value: float | None) -> str | None:
    """A gauge as it stands in a cell: lags in ms with two digits, CPU in cores with three."""
    return None if value is None else f"{value:.2f}" if name.endswith("_ms") else f"{value:.3f}"


def bound_mark(bound: GeneratorBound) -> str:
    """The generator has been the limit for 3 s: ``generator-bound: the load's thread used 97 % of a core``."""
    return f"generator-bound: {bound.reason}"


def fault_mark(fault: Fault) -> str:
    """A fault in the column of marks: ``kill 127.0.0.1:6100 (drill)``."""
    return f"{fault.kind} {short_node(fault.node)} ({fault.by})"


def window_mark(window: WriteWindow) -> str:
    """The end of a stretch without writes: ``1.62 s without writes (± 0.10 s)``."""
    length = window.seconds
    text = "still without writes" if length is None else f"{length:.2f} s without writes"
    return f"{text} (± {window.uncertainty_s:.2f} s{', from the last good poll' * window.from_poll})"


def election_mark(election: Election) -> str:
    """A new leader: ``leader 127.0.0.1:6200, term 7``; one that was lost for a while: ``leader … again, term 7``."""
    again = " again" if election.stalled else ""
    return f"leader {short_node(election.new_leader)}{again}, term {election.term_after}"
