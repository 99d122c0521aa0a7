"""The row that stands in for the scenario table on a small screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from confman_tui.session.events import Phase
from confman_tui.tui import verdict
from confman_tui.tui.colours import Look
from confman_tui.tui.frame import Frame
from confman_tui.tui.rows import Row, RowStatus
from confman_tui.tui.state import UiState
from confman_tui.tui.text import Part, line
from confman_tui.tui.widgets.lines import Lines
from confman_tui.tui.widgets.row_fields import row_fields


def row_shown(state: UiState) -> Row | None:
    """The row of what runs or, failing that, of what ran last."""
    done = [row for row in state.shown_rows if row.result is not None]
    last = max(done, key=lambda row: row.result.outcome.ended if row.result else 0.0, default=None)
    return state.running_row or last


class RunningRow(Lines):
    """Two lines: what runs, and its figures; without a run, how to start one."""

    def __init__(self, start_keys: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._start_keys = start_keys
        self._frame: Frame | None = None

    def show(self, frame: Frame) -> None:
        """Show this frame."""
        self._frame = frame
        self.redraw()

    def build(self, width: int, height: int, look: Look) -> Sequence[Content]:
        frame = self._frame
        if frame is None:
            return ()
        rows = tuple(frame.state.rows.values())
        row = row_shown(frame.state)
        if row is None:
            return self._offer(rows, width, height, look)
        fields = row_fields(frame, row)
        running = row.status is RowStatus.RUNNING
        style = f"bold {look.accent}" if running else look.text
        marked = f"{'▸' if running else ' '} {row.scenario.name}"
        users = "1 user" if fields["users"] == "1" else f"{fields['users']} users"
        time_style = f"bold {look.alarm}" if row.broken else f"bold {look.warn}" if row.doubtful else look.text
        head = [Part(marked, style), Part(fields["time"], time_style, 1), Part(users, look.dim, 3)]
        if rate := fields.get("rate"):
            head.append(Part(f"at {rate}", look.text, 2, rate))
        if row.limit is not None:
            head.insert(2, Part("generator-bound", f"bold {look.warn}", 1))
        failed = f"{fields['failed']} failed"
        right = [Part(failed, f"bold {look.alarm}" if row.failures else look.dim, 2)] if fields["failed"] else []
        if waiting := fields.get("waiting"):
            word = "waiting" if running else "never began"
            right.insert(0, Part(f"{waiting} {word}", f"bold {look.warn}", 2))
        if entries := fields.get("entries"):
            right.insert(0, Part(f"{entries} entries before", look.dim, 4))
        last = frame.state.last
        over = last is not None and last is row.result
        less = 2 if over else 0  # what came of its writes tells more
        figures = [
            Part(f"{fields[title]} req/s" if title == "req/s" else f"{title} {fields[title]}", style, rank)
            for title, rank in (("req/s", 0), ("p50", 2 + less), ("p95", 4 + less), ("p99", 1), ("max", 3 + less))
            if title in fields
        ]
        if figures and fields.get("uncorr"):
            figures.append(Part(f"uncorrected p99 {fields['uncorr']}", look.text, 3, f"unc. {fields['uncorr']}"))
        if running and frame.state.phase is Phase.VERIFYING:
            words = f"{fields['requests']} requests; its figures come when its writes are checked"
            return (line(width, head, right), line(width, [Part(" ", ""), Part(words, look.dim)], gap=""))[:height]
        if not figures:
            return (line(width, head, right),)
        unit = [Part("ms", look.dim, 5)]
        if last is not None and over:
            found = [fact for fact in verdict.facts(last) if not fact[0].endswith(" failed")]
            unit += verdict.parts(found, look.text, f"bold {look.alarm}", commas=False)
        return (line(width, head, right), line(width, [Part(" ", ""), *figures, *unit], gap="  "))[:height]

    def _offer(self, rows: Sequence[Row], width: int, height: int, look: Look) -> Sequence[Content]:
        """Each scenario's key and name, as far as they fit; failing that, the keys alone."""
        lines: list[list[Row]] = [[]]
        used = 0
        for row in rows:
            needed = len(row.scenario.key) + 1 + cell_len(row.scenario.name) + (2 if lines[-1] else 0)
            if lines[-1] and used + needed > width:
                lines.append([])
                used, needed = 0, needed - 2
            lines[-1].append(row)
            used += needed
        if len(lines) > height or used > width:
            return (line(width, [Part(f"{self._start_keys} start a scenario", look.text)]),)
        return [
            Content("  ").join(
                Content.assemble((row.scenario.key, f"bold {look.accent}"), (f" {row.scenario.name}", look.text))
                for row in group
            )
            for group in lines
        ]
