"""A session that records what it is asked and emits what a test gives it."""

from __future__ import annotations

from collections.abc import Sequence

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.session.events import Event, Level, NoticeGiven, Phase, PhaseChanged, Sink


class FakeSession:
    """The `confman_tui.session.commands.SessionCommands` of the screen's tests."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.sink: Sink | None = None
        self.needs_confirmation = False
        self.warning = ""
        self.refusal = ""
        self.behind = ""
        self.notice_at_end = ""
        """What it says while it ends."""
        self.closes_at_once = True
        self.now = 0.0
        self.screen_lag_s: float | None = None

    def emit(self, *events: Event) -> None:
        """Emit events."""
        assert self.sink is not None
        for event in events:
            self.sink(event)

    def start(self, sink: Sink) -> None:
        self.sink = sink
        self.calls.append(("start",))

    def run_scenarios(self, names: Sequence[str]) -> None:
        self.calls.append(("run_scenarios", tuple(names)))

    def stop(self) -> None:
        self.calls.append(("stop",))

    def choose_tier(self, tier: str) -> None:
        self.calls.append(("choose_tier", tier))

    def override(
        self,
        users: int | None,
        duration_s: float | None,
        payload_bytes: int | None = None,
        rate: float | None = None,
    ) -> None:
        self.calls.append(("override", users, duration_s, payload_bytes, rate))

    def change_rate(self, factor: float) -> None:
        self.calls.append(("change_rate", factor))

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        self.calls.append(("vary", user_steps, payload_steps, warmup_s, repeat))

    def sweep(self, sizes: tuple[int, ...]) -> None:
        self.calls.append(("sweep", sizes))

    def put_back(self) -> None:
        self.calls.append(("put_back",))

    def note_screen_lag(self, seconds: float) -> None:
        self.screen_lag_s = seconds

    def remove_leftovers(self) -> None:
        self.calls.append(("remove_leftovers",))

    def retry(self) -> None:
        self.calls.append(("retry",))

    def start_demo(self) -> None:
        self.calls.append(("start_demo",))

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPlan:
        if self.refusal:
            raise FaultRefusedError(self.refusal)
        return FaultPlan(node, kind, "pid 4711: confman [red]--port 6100", self.needs_confirmation, self.warning)

    def cause_fault(self, kind: FaultKind, node: str) -> None:
        self.calls.append(("cause_fault", kind, node))

    def revive(self) -> None:
        self.calls.append(("revive",))

    def drill(self, kind: FaultKind, rounds: int) -> None:
        self.calls.append(("drill", kind, rounds))

    def quit(self) -> None:
        self.calls.append(("quit",))
        if self.notice_at_end:
            self.emit(NoticeGiven(Level.ERROR, self.notice_at_end, self.now))
        if self.closes_at_once and self.sink is not None:
            self.emit(PhaseChanged(Phase.CLOSED, self.now))

    def leave_behind(self) -> str:
        return self.behind

    def join(self, timeout_s: float) -> bool:
        return True
