"""The real screen over made-up events (`tests.support.chart_history`), in real time, to measure the screen alone.

``python -m tests.benchmarks.fed_screen`` in a terminal shows it; ``q`` ends it.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.core import clock
from confman_tui.session.events import Phase, PhaseChanged, Sink
from confman_tui.tui.run_screen import run
from confman_tui.tui.start_options import UiOptions
from tests.support.chart_history import Feed

POLL_S = 0.1


class FedConductor:
    """Replays a feed on a thread of its own; commands do nothing but ``quit``."""

    def __init__(self, past_s: float = 60.0) -> None:
        """``past_s``: seconds of history that the screen finds at its start."""
        self._past = past_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, sink: Sink) -> None:
        self._thread = threading.Thread(target=self._replay, args=(sink,), name="feed", daemon=True)
        self._thread.start()

    def _replay(self, sink: Sink) -> None:
        feed = Feed(clock.now() - self._past, election_every=17.0, run_s=40.0, pause_s=3.0, poll_s=POLL_S)
        sink(PhaseChanged(Phase.RUNNING, clock.now()))
        while not self._ended.wait(POLL_S / 2):
            for event in feed.until(clock.now()):
                sink(event)
        sink(PhaseChanged(Phase.CLOSED, clock.now()))

    def quit(self) -> None:
        self._ended.set()

    def join(self, timeout_s: float) -> bool:
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def leave_behind(self) -> str:
        return ""

    def run_scenarios(self, names: Sequence[str]) -> None: ...

    def stop(self) -> None: ...

    def choose_tier(self, tier: str) -> None: ...

    def change_rate(self, factor: float) -> None:
        """Nothing."""

    def override(
        self, users: int | None, duration_s: float | None, payload_bytes: int | None = None, rate: float | None = None
    ) -> None: ...
    def vary(
        self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int
    ) -> None: ...
    def sweep(self, sizes: tuple[int, ...]) -> None: ...

    def put_back(self) -> None: ...

    def note_screen_lag(self, seconds: float) -> None: ...

    def remove_leftovers(self) -> None: ...

    def retry(self) -> None: ...

    def start_demo(self) -> None: ...

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPlan:
        raise FaultRefusedError("made-up events: there is no node to do this to")

    def cause_fault(self, kind: FaultKind, node: str) -> None: ...

    def revive(self) -> None: ...

    def drill(self, kind: FaultKind, rounds: int) -> None: ...


def main() -> int:
    """Show it until ``q``."""
    with tempfile.TemporaryDirectory() as folder:
        return run(FedConductor(), UiOptions(output_dir=Path(folder)))


if __name__ == "__main__":
    raise SystemExit(main())
