"""What can be done now, and why the rest can't: one sentence for a person. No Textual here."""

from __future__ import annotations

from dataclasses import dataclass

from confman_tui.cluster.addresses import is_loopback
from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.states import NO_ANSWER_STATES, STATE_WORDS, WELL_STATES, NodeState
from confman_tui.session.events import Phase
from confman_tui.tui.keys.table import RUN, shown_key
from confman_tui.tui.node_names import name_of
from confman_tui.tui.rows import Row
from confman_tui.tui.state import DOWN_BY_US, UiState
from confman_tui.tui.text import clean

LEAST_NODES = 3
"""Without one of fewer, there is no majority to elect the next leader."""
PREPARING = (Phase.STARTING, Phase.FINDING, Phase.GATHERING, Phase.SEEDING)
"""Phases on the way to a cluster with its data."""


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
    selected: Row | None = None
    """The row that the table's cursor stands on, or the one that is shown in its place."""


def why_not(action: str, now: Circumstances) -> str | None:
    """Why ``action`` can't be done now, as one sentence for a person; None when it can."""
    state = now.state
    if now.leaving:
        return None if action == "quit" else f"Leaving; {shown_key('quit', state.keys)} leaves at once."
    if action.startswith(RUN) or action in ("suite", "drill", "sweep", "overrides", "tier", "leftovers", "put_back"):
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
        case "demo" if state.phase is Phase.FINDING and _nothing_listens(state):
            return None
        case "retry" | "demo" if state.phase is not Phase.OFFLINE:
            return "A cluster is there or being looked for; this is for when there is none."
        case "details":
            return _why_no_details(now.selected)
        case "rounds" if not state.drill_rounds and state.drill_ended is None:
            return "No drill has been run yet."
        case "series" if state.series is None:
            return "No series has been run yet; u with several users or payloads, or n, makes one."
        case "graphs" if not now.one_graph:
            return "Both graphs are shown." if now.graphs_shown else "The screen is too small for graphs."
        case "forward" if now.live:
            return f"This is the present; {shown_key('back', state.keys)} goes back in time."
        case "copy" if not now.log_shown:
            return f"The event log needs a larger screen; {shown_key('filter', state.keys)} opens it."
        case "copy" if not state.log.lines:
            return "There is no event to copy yet."
        case _:
            return None


def _nothing_listens(state: UiState) -> bool:
    """Whether every node refused: there is nothing to wait for but somebody who starts a cluster."""
    view = state.view
    return view is not None and all(node.state is NodeState.REFUSED for node in view.nodes)


def _why_no_details(row: Row | None) -> str | None:
    if row is None:
        return "No scenario has run yet, so there are no details."
    return None if row.started is not None else f"{row.scenario.name} has not run yet; {row.scenario.key} starts it."


def _why_no_load(action: str, state: UiState) -> str | None:
    if action == "leftovers" and not state.leftovers:
        return "No leftovers of an earlier run were found."
    if state.phase is Phase.OFFLINE:
        again, demo = shown_key("retry", state.keys), shown_key("demo", state.keys)
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
        return f"Not while this goes on: {what}; {shown_key('stop', state.keys)} stops it."
    return _why_no_drill(state) if action == "drill" else None


def _why_no_drill(state: UiState) -> str | None:
    config = state.config
    if config is not None and not (config.demo or config.faults_allowed):
        return "A drill hurts nodes, and this is not the demo cluster; start with --allow-faults to allow it."
    if config is not None and len(config.nodes) < LEAST_NODES:
        few = "this is 1" if len(config.nodes) == 1 else f"these are {len(config.nodes)}"
        return f"A drill needs at least three nodes, and {few}: without its leader no majority is left."
    if config is not None and not config.demo:
        far = next((node for node in config.nodes if not is_loopback(node)), None)
        if far is not None:
            return f"{name_of(far, state.names)} is not on this machine's loopback, and faults stay on this machine."
    hurt = state.touched(DOWN_BY_US)
    for node in state.view.nodes if state.view is not None else ():
        if node.state in NO_ANSWER_STATES or (node.node in hurt and node.state not in WELL_STATES):
            ours = node.node in hurt or (config is not None and config.demo and node.state is NodeState.REFUSED)
            way = f"; {shown_key('revive', state.keys)} brings it back" if ours else ""
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
        if state.touched(DOWN_BY_US) or (state.config.demo and _ended(state)):
            return None
        return "No node is down, paused or isolated by us."
    if state.phase is Phase.DRILLING:
        return f"The drill causes the faults; {shown_key('stop', state.keys)} stops it."
    if action == "isolate" and not state.config.demo:
        return "Only the demo cluster's Raft links can be cut."
    if action == "pause" and state.touched(frozenset({FaultKind.PAUSE})):
        return None
    if action == "fault":
        return None if followers(state) else "No follower is there."
    return None if state.view.leader is not None else "No node leads now."


def _ended(state: UiState) -> bool:
    """Whether a node's process is not there, whoever ended it: nothing listens on its port."""
    return state.view is not None and any(node.state is NodeState.REFUSED for node in state.view.nodes)


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
        # one that ended by itself can be started again where it is ours
        return (FaultKind.RESTART,) if state.config is not None and state.config.demo else ()
    kinds = (FaultKind.KILL, FaultKind.PAUSE)
    return (*kinds, FaultKind.ISOLATE) if state.config is not None and state.config.demo else kinds
