"""The one table of what each key does: its id, key and words. What is done stands in `tui/actions`.

Bindings, palette, line of keys and help are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from confman_tui.settings.scenarios import CATALOGUE, Scenario

RUN = "run."
"""Prefix of the ids that start one scenario."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key does. The id is what the settings file remaps."""

    id: str
    key: str
    label: str
    """One to three words, for the line of keys."""
    help: str
    """One sentence, for tooltip, palette and help."""
    section: str
    """Heading in the help."""
    rank: int
    """The line of keys drops the highest rank first; 99 is never in it."""
    dispatched: str = ""
    """What Textual dispatches, where that is not the id: the name of the app's method, perhaps with an argument."""

    @property
    def command(self) -> str:
        """What Textual dispatches to the app's ``action_…`` method."""
        return self.dispatched or self.id


def _scenario(scenario: Scenario) -> Action:
    users = "1 user" if scenario.users == 1 else f"{scenario.users} users"
    share = {0.0: "reads", 1.0: "writes"}.get(scenario.write_share, f"{scenario.write_share:.0%} writes")
    about = f"Run {scenario.name}: {users}, {scenario.duration_s:g} s of {share}".replace("%", " %")
    words = f"run {scenario.name}"
    return Action(f"{RUN}{scenario.name}", scenario.key, words, about, "Load", 1, f"run({scenario.name!r})")


ACTIONS: tuple[Action, ...] = (
    *(_scenario(scenario) for scenario in CATALOGUE),
    Action("suite", "a", "all", "Run all scenarios of the suite in turn", "Load", 2),
    Action("stop", "s", "stop", "Stop what runs; requests in flight are waited for", "Load", 0),
    Action("rate_down", "less_than_sign", "rate", "Lower the rate of the running open loop by 10 %", "Load", 2),
    Action("rate_up", "greater_than_sign", "rate", "Raise the rate of the running open loop by 10 %", "Load", 2),
    Action("tier", "y", "tier", "Choose the tier: how many namespaces and keys are seeded", "Load", 12),
    Action(
        "overrides", "u", "users", "Users, rate, seconds, payload, warm-up and repeats of the next runs", "Load", 11
    ),
    Action(
        "sweep", "n", "entries sweep", "Measure reads and writes at one size of the data after the other", "Load", 16
    ),
    Action("put_back", "b", "put data back", "Remove what runs have written: the data is as seeded", "Load", 17),
    Action("series", "g", "series graph", "Graphs, knee or slope, and table of the last series or sweep", "Load", 10),
    Action("leftovers", "x", "remove leftovers", "Remove the data of an earlier run that did not clean up", "Load", 3),
    Action("drill", "e", "election drill", "Kill the leader under load, several rounds, and measure", "Elections", 5),
    Action("rounds", "v", "drill results", "Rounds, small graphs and verdict of the drill", "Elections", 10),
    Action("kill", "k", "kill leader", "Kill the leader's process (SIGKILL)", "Elections", 4),
    Action("pause", "p", "pause leader", "Pause the leader's process (SIGSTOP); again: resume it", "Elections", 6),
    Action("isolate", "i", "isolate leader", "Cut the leader's Raft links, its HTTP stays up", "Elections", 9),
    Action("fault", "f", "fault", "Do something to a follower of your choice", "Elections", 8),
    Action("revive", "r", "revive", "Bring back every node that is down or paused by us", "Elections", 1),
    Action("retry", "r", "try again", "Look for the cluster again", "Cluster", 0),
    Action("demo", "d", "start the demo cluster", "Start a cluster on this machine and use it", "Cluster", 0),
    Action("details", "enter", "details", "The figures of the chosen scenario in detail", "View", 3),
    Action("hold", "space", "hold view", "Hold the view while collecting goes on; again: go on", "View", 7),
    Action("graphs", "t", "other graph", "Show the other graph, where there is room for one", "View", 6),
    Action("zoom_in", "plus", "zoom", "Show less time, down to 15 s", "View", 13),
    Action("zoom_out", "minus", "zoom", "Show more time, up to 10 min", "View", 13),
    Action("back", "left", "time", "Go back in time", "View", 14, "earlier"),
    Action("forward", "right", "time", "Go forward in time", "View", 14, "later"),
    Action("filter", "l", "filter events", "Events of one topic after the other (small screens: all)", "View", 16),
    Action("copy", "c", "copy line", "Copy the chosen line of the event log to the clipboard", "View", 17),
    Action("picture", "f2", "picture", "Save a picture of the screen (SVG) in the output folder", "View", 18),
    Action("theme", "w", "theme", "Choose a theme, dark or light; it is remembered", "View", 19, "change_theme"),
    Action("palette", "o", "commands", "All commands, by name", "Program", 15, "command_palette"),
    Action("help", "question_mark", "help", "Keys, glyphs and what the figures mean", "Program", 0),
    Action("quit", "q", "quit", "Stop, clean up and leave; twice: leave at once", "Program", 0),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

GROUPS: tuple[tuple[tuple[str, ...], str], ...] = (
    (tuple(action.id for action in ACTIONS if action.id.startswith(RUN)), "run"),
    (("rate_down", "rate_up"), "rate"),
    (("zoom_in", "zoom_out"), "zoom"),
    (("back", "forward"), "time"),
)
"""Actions that share one place in the line of keys."""

_DISPLAY = {
    "question_mark": "?",
    "plus": "+",
    "minus": "−",
    "left": "←",
    "right": "→",
    "colon": ":",
    "slash": "/",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}


def binding_ids() -> frozenset[str]:
    """The ids that the settings file may remap."""
    return frozenset(BY_ID)


def display(key: str) -> str:
    """A key as it is written on the screen; of several, the first."""
    first = key.split(",")[0].strip()
    return _DISPLAY.get(first, first.upper() if first[0] == "f" and first[1:].isdigit() else first)


def shown_key(action: str, keymap: Mapping[str, str]) -> str:
    """The key in force for an action as it is written; ``keymap`` holds what the settings file remaps."""
    return display(keymap.get(action, BY_ID[action].key))
