"""What the line of keys offers now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confman_tui.cluster.elections import FaultKind
from confman_tui.session.events import Phase
from confman_tui.tui.keys.availability import Circumstances, why_not
from confman_tui.tui.keys.table import ACTIONS, GROUPS, RUN, Action, shown_key
from confman_tui.tui.node_names import name_of

CHOOSE_RUN = "choose_run"
"""What a click on the keys of all scenarios does: it asks which one."""


def label(action: Action, now: Circumstances) -> str:
    """The action's words as things are."""
    if action.id == "pause":
        paused = now.state.touched(frozenset({FaultKind.PAUSE}))
        return f"resume {name_of(paused[0], now.state.names)}" if paused else action.label
    if action.id == "filter":
        return action.label if now.log_shown else "events"
    if action.id == "hold":
        return "go on" if now.held else action.label
    return action.label


@dataclass(frozen=True, slots=True)
class KeyHint:
    """One place in the line of keys."""

    key: str
    label: str
    rank: int
    action: str
    """What a click does; `CHOOSE_RUN` where the place stands for all scenarios."""
    tooltip: str


def hints(now: Circumstances, keymap: Mapping[str, str]) -> tuple[KeyHint, ...]:
    """What the line of keys offers now, in order."""
    grouped = {action: ids for ids, _ in GROUPS for action in ids}
    words = dict(GROUPS)
    done: set[tuple[str, ...]] = set()
    offered = []
    for action in ACTIONS:
        if action.rank >= 99 or why_not(action.id, now) is not None:
            continue
        if action.id == "retry" and now.state.phase is not Phase.OFFLINE:
            continue
        ids = grouped.get(action.id)
        if ids is None:
            key = shown_key(action.id, keymap)
            rank = 5 if action.id == "filter" and not now.log_shown else action.rank
            offered.append(KeyHint(key, label(action, now), rank, action.id, action.help))
        elif ids not in done:
            done.add(ids)
            keys = [shown_key(one, keymap) for one in ids]
            click = CHOOSE_RUN if len(ids) > 2 else ids[0] if why_not(ids[0], now) is None else ids[1]
            offered.append(KeyHint(_joined(keys), words[ids], action.rank, click, action.help))
    return tuple(offered)


def start_keys(keymap: Mapping[str, str]) -> str:
    """The keys that start one scenario, as they are written."""
    return _joined([shown_key(action.id, keymap) for action in ACTIONS if action.id.startswith(RUN)])


def _joined(keys: Sequence[str]) -> str:
    """``1–6`` for a run of digits, the keys side by side otherwise."""
    if len(keys) > 2 and all(key.isdigit() and len(key) == 1 for key in keys):
        digits = [int(key) for key in keys]
        if digits == list(range(digits[0], digits[0] + len(digits))):
            return f"{keys[0]}–{keys[-1]}"
    return " ".join(keys)
