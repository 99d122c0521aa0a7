"""What one drawing of the panes is made from: the state, the history, the moment and the person's choices."""

from __future__ import annotations

from dataclasses import dataclass

from confman_tui.tui.history.history import History
from confman_tui.tui.state import UiState


@dataclass(frozen=True, slots=True)
class Frame:
    """The inputs of one drawing; every pane takes what it needs of it."""

    state: UiState
    history: History
    now: float
    held: int | None = None
    """Events held back while the view is held; None while it is live."""
    screen_lag_s: float = 0.0
    """How late the screen's own loop was, worst of the last second."""
    closing_since: float | None = None
    """When quitting began."""
