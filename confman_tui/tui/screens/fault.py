"""Which follower to do what to."""

from __future__ import annotations

from collections.abc import Mapping

from confman_tui.cluster.elections import FaultKind
from confman_tui.tui.node_names import name_of
from confman_tui.tui.screens.choice import ChoiceDialog

FAULT_WORDS = {
    FaultKind.KILL: "end its process (SIGKILL)",
    FaultKind.PAUSE: "stop its process for a while (SIGSTOP)",
    FaultKind.RESUME: "let its process go on (SIGCONT)",
    FaultKind.ISOLATE: "cut its Raft links, its HTTP stays up",
    FaultKind.HEAL: "restore its Raft links",
    FaultKind.RESTART: "start it again",
}


class FaultDialog(ChoiceDialog[tuple[str, FaultKind]]):
    """Gives (node, kind)."""

    def __init__(self, offers: tuple[tuple[str, FaultKind], ...], names: Mapping[str, str]) -> None:
        choices = tuple(
            (f"{kind.value:<8} {name_of(node, names)}  {FAULT_WORDS[kind]}", (node, kind)) for node, kind in offers
        )
        super().__init__("fault", "", choices)
