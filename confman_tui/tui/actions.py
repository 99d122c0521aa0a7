"""Everything a key can do: its id, key, words, and why it can't be done now. No Textual here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.states import NO_ANSWER_STATES, STATE_WORDS, WELL_STATES, NodeState
from confman_tui.session.events import Phase
from confman_tui.settings.scenarios import CATALOGUE, Scenario
from confman_tui.tui.node_names import name_of
from confman_tui.tui.state import DOWN_BY_US, UiState
from confman_tui.tui.text import clean

"""States of nodes that do their part."""
PREPARING = (Phase.STARTING, Phase.FINDING, Phase.GATHERING, Phase.SEEDING)
"""Phases on the way to a cluster with its data."""
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


def _scenario(scenario: Scenario) -> Action:
    users = "1 user" if scenario.users == 1 else f"{scenario.users} users"
    share = {0.0: "reads", 1.0: "writes"}.get(scenario.write_share, f"{scenario.write_share:.0%} writes")
    about = f"Run {scenario.name}: {users}, {scenario.duration_s:g} s of {share}".replace("%", " %")
    return Action(f"{RUN}{scenario.name}", scenario.key, f"run {scenario.name}", about, "Load", 1)


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
    Action("hold", "space", "hold view", "Hold the view while collecting goes on; again: go on", "View", 7),
    Action("graphs", "t", "other graph", "Show the other graph, where there is room for one", "View", 6),
    Action("zoom_in", "plus", "zoom", "Show less time, down to 15 s", "View", 13),
    Action("zoom_out", "minus", "zoom", "Show more time, up to 10 min", "View", 13),
    Action("back", "left", "time", "Go back in time", "View", 14),
    Action("forward", "right", "time", "Go forward in time", "View", 14),
    Action("filter", "l", "filter events", "Narrow the event log to one topic after the other", "View", 16),
    Action("copy", "c", "copy line", "Copy the chosen line of the event log to the clipboard", "View", 17),
    Action("picture", "f2", "picture", "Save a picture of the screen (SVG) in the output folder", "View", 18),
    Action("theme", "w", "theme", "Choose a theme, dark or light; it is remembered", "View", 19),
    Action("palette", "o", "commands", "All commands, by name", "Program", 15),
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


def key_of(action: str, state: UiState) -> str:
    """The key in force for an action, as it is written on the screen."""
    return display(state.keys.get(action, BY_ID[action].key))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides, beside the state, whether a key does something now."""

    state: UiState
    held: bool = False
    one_graph: bool = False
    """Whether the screen shows one of the two graphs at a time."""
    graphs_shown: bool = True
    log_shown: bool = True
    live: bool = True
    """Whether the time shown ends now."""
    leaving: bool = False


def why_not(action: str, now: Circumstances) -> str | None:
    """Why ``action`` can't be done now, as one sentence for a person; None when it can."""
    state = now.state
    if now.leaving:
        return None if action == "quit" else f"Leaving; {key_of('quit', state)} leaves at once."
    if action.startswith(RUN) or action in ("suite", "drill", "sweep", "overrides", "tier", "leftovers"):
        return _why_no_load(action, state)
    if action in ("kill", "pause", "isolate", "fault", "revive"):
        return _why_no_fault(action, state)
    match action:
        case "rate_down" | "rate_up":
            return _why_no_rate(state)
        case "stop" if not state.busy and state.phase not in (Phase.FINDING, Phase.STARTING):
            return "Nothing runs that could be stopped."
        case "stop" if state.phase is Phase.STOPPING:
            return "It is stopping already: requests in flight are waited for."
        case "retry" | "demo" if state.phase is not Phase.OFFLINE:
            return "A cluster is there or being looked for; this is for when there is none."
        case "rounds" if not state.drill.rounds and state.drill.ended is None:
            return "No drill has been run yet."
        case "series" if state.series is None:
            return "No series has been run yet; u with several users or payloads, or n, makes one."
        case "graphs" if not now.one_graph:
            return "Both graphs are shown." if now.graphs_shown else "The screen is too small for graphs."
        case "forward" if now.live:
            return f"This is the present; {key_of('back', state)} goes back in time."
        case "copy" | "filter" if not now.log_shown:
            return "The event log needs a larger screen."
        case "copy" if not state.log.lines:
            return "There is no event to copy yet."
        case _:
            return None


def _why_no_load(action: str, state: UiState) -> str | None:
    if action == "leftovers" and not state.leftovers:
        return "No leftovers of an earlier run were found."
    if state.phase is Phase.OFFLINE:
        again, demo = key_of("retry", state), key_of("demo", state)
        return f"There is no cluster; {again} tries again, {demo} starts the demo cluster."
    runs = action.startswith(RUN) or action == "suite"
    # they begin when the data is there, unless it is made for a run that has been asked for
    if runs and state.phase in PREPARING and (state.deferred or not state.queue):
        return None
    if state.phase in (Phase.STARTING, Phase.FINDING):
        return "The cluster is still being looked for."
    if action == "overrides" and state.config is not None:
        return None
    if state.phase is not Phase.IDLE:
        what = clean(state.running, 40) if state.running else str(state.phase)
        return f"Not while this goes on: {what}; {key_of('stop', state)} stops it."
    return _why_no_drill(state) if action == "drill" else None


def _why_no_drill(state: UiState) -> str | None:
    hurt = state.touched(DOWN_BY_US)
    for node in state.view.nodes if state.view is not None else ():
        if node.state in NO_ANSWER_STATES or (node.node in hurt and node.state not in WELL_STATES):
            way = f"; {key_of('revive', state)} brings it back" if node.node in hurt else ""
            return f"A drill needs every node: {name_of(node.node, state.names)} is {STATE_WORDS[node.state]}{way}."
    return None


def _why_no_rate(state: UiState) -> str | None:
    if state.phase not in (Phase.RUNNING, Phase.DRILLING) or state.running is None:
        return "No run goes on whose rate could be changed; u sets a rate for the next ones."
    if state.rate is None:
        return "This run has no rate: its users wait for their answers. u sets a rate for the next runs."
    return None


def _why_no_fault(action: str, state: UiState) -> str | None:
    if state.view is None or state.config is None or state.phase is Phase.OFFLINE:
        return "There is no cluster to do this to."
    if not (state.config.demo or state.config.faults_allowed):
        return "This is not the demo cluster; start with --allow-faults to do this to its nodes."
    if action == "revive":
        return None if state.touched(DOWN_BY_US) else "No node is down, paused or isolated by us."
    if state.phase is Phase.DRILLING:
        return f"The drill causes the faults; {key_of('stop', state)} stops it."
    if action == "isolate" and not state.config.demo:
        return "Only the demo cluster's Raft links can be cut."
    if action == "pause" and state.touched(frozenset({FaultKind.PAUSE})):
        return None
    if action == "fault":
        return None if followers(state) else "No follower is there."
    return None if state.view.leader is not None else "No node leads now."


def followers(state: UiState) -> tuple[str, ...]:
    """Nodes that don't lead, in order."""
    view = state.view
    return tuple(node.node for node in view.nodes if node.node != view.leader) if view else ()


def fault_kinds(state: UiState, node: str) -> tuple[FaultKind, ...]:
    """What makes sense to do to ``node`` as it is."""
    last = state.done_to.get(node)
    if last is not None and last.kind is FaultKind.PAUSE:
        return (FaultKind.RESUME, FaultKind.KILL)
    if last is not None and last.kind is FaultKind.KILL:
        return (FaultKind.RESTART,)
    if last is not None and last.kind is FaultKind.ISOLATE:
        return (FaultKind.HEAL, FaultKind.KILL, FaultKind.PAUSE)
    view = state.view.node(node) if state.view else None
    if view is not None and view.state is NodeState.REFUSED:
        return ()
    kinds = (FaultKind.KILL, FaultKind.PAUSE)
    return (*kinds, FaultKind.ISOLATE) if state.config is not None and state.config.demo else kinds


def label(action: Action, now: Circumstances) -> str:
    """The action's words as things are."""
    if action.id == "pause":
        paused = now.state.touched(frozenset({FaultKind.PAUSE}))
        return f"resume {name_of(paused[0], now.state.names)}" if paused else action.label
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
    """What a click does; ``palette`` where the place stands for several actions."""
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
            key = display(keymap.get(action.id, action.key))
            offered.append(KeyHint(key, label(action, now), action.rank, action.id, action.help))
        elif ids not in done:
            done.add(ids)
            keys = [display(keymap.get(member, BY_ID[member].key)) for member in ids]
            click = "palette" if len(ids) > 2 else ids[0] if why_not(ids[0], now) is None else ids[1]
            offered.append(KeyHint(_joined(keys), words[ids], action.rank, click, action.help))
    return tuple(offered)


def start_keys(keymap: Mapping[str, str]) -> str:
    """The keys that start one scenario, as they are written."""
    return _joined([display(keymap.get(action.id, action.key)) for action in ACTIONS if action.id.startswith(RUN)])


def _joined(keys: Sequence[str]) -> str:
    """``1–6`` for a run of digits, the keys side by side otherwise."""
    if len(keys) > 2 and all(key.isdigit() and len(key) == 1 for key in keys):
        digits = [int(key) for key in keys]
        if digits == list(range(digits[0], digits[0] + len(digits))):
            return f"{keys[0]}–{keys[-1]}"
    return " ".join(keys)
