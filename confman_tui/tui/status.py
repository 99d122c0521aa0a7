"""The words at the top of the screen: do writes go through, who leads, what goes on, is the generator at its limit."""

from __future__ import annotations

from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.states import STATE_WORDS, UNREACHABLE_STATES, ClusterView, NodeState
from confman_tui.load.run_model import SecondSample
from confman_tui.load.saturation import CPU_LIMIT, Limit, over_limit
from confman_tui.results.tables.sentences import reads_words
from confman_tui.session.events import Phase
from confman_tui.tui import numbers
from confman_tui.tui.colours import Look
from confman_tui.tui.frame import Frame
from confman_tui.tui.keys.table import shown_key
from confman_tui.tui.node_names import name_of
from confman_tui.tui.state import UiState
from confman_tui.tui.text import Part, clean

SCREEN_LAG_LIMIT_S = 0.1
"""Delay of the screen's own loop from which a person should know that it, not the cluster, is slow."""
FRESH_S = 1.0
"""An acknowledgement younger than this says that writes go through now."""

_PHASE_WORDS = {
    Phase.STARTING: "starting the demo cluster",
    Phase.FINDING: "looking for the cluster",
    Phase.GATHERING: "waiting for workers",
    Phase.OFFLINE: "no cluster",
    Phase.SEEDING: "seeding",
    Phase.IDLE: "idle",
    Phase.WAITING: "waiting for a leader",
    Phase.RUNNING: "running",
    Phase.STOPPING: "stopping",
    Phase.DRILLING: "election drill",
    Phase.VERIFYING: "checking acknowledged writes",
    Phase.CLEANING: "cleaning up",
    Phase.CLOSED: "closed",
}
_WORK_UNITS = {
    Phase.SEEDING: "keys",
    Phase.VERIFYING: "keys",
    Phase.GATHERING: "workers",
    Phase.FINDING: "s",
    Phase.WAITING: "s",
}


def writes(frame: Frame, look: Look) -> Part:
    """Whether writes go through now, judged by acknowledged writes alone."""
    state, now = frame.state, frame.now
    if state.open_window is not None:
        seconds = now - state.open_window.start
        lasted = numbers.short_seconds(seconds) if seconds < 60 else numbers.minutes(seconds)
        return Part(f" ✕ NO WRITES for {lasted} ", look.pill(look.alarm), 0, f" ✕ NO WRITES {lasted} ", 4)
    if state.last_ack is None or now - state.last_ack > FRESH_S + 0.5:
        # nobody writes, and a probe would take from what the run reads
        return Part(" ○ writes not probed ", look.pill(look.dim), 0, " ○ not probed ")
    per_second = f"{numbers.count(state.ack_rate)}/s"
    return Part(f" ● writes go through · {per_second} ", look.pill(look.good), 0, f" ● writes {per_second} ", 4)


def leadership(state: UiState, look: Look) -> Part:
    """Who leads, or why nobody does."""
    view = state.view
    if view is None:
        return Part("")
    if view.leader is not None:
        term = f", term {view.term}" if view.term is not None else ""
        name = name_of(view.leader, state.names)
        return Part(f"★ {name} leads{term}", look.strong, 1, f"★ {name}", 4)
    reason = no_leader_reason(view, state)
    return Part(f"no leader ({reason})", f"bold {look.alarm}", 1, "no leader", 4)


def stranger_words(stranger: str, state: UiState) -> str:
    """``leader :7613 is not among --nodes``."""
    name = short_names((*state.names, stranger))[stranger]
    return f"leader {clean(name, 60)} is not among --nodes"


def no_leader_reason(view: ClusterView, state: UiState) -> str:
    """``term 9, no quorum: :6200 and :6300 unreachable``, or what is known."""
    if view.stranger is not None:
        return stranger_words(view.stranger, state)
    term = f"term {view.term}" if view.term is not None else "term unknown"
    away = [node for node in view.nodes if node.state in UNREACHABLE_STATES]
    if len(away) * 2 >= len(view.nodes) and away:
        names = [name_of(node.node, state.names) for node in away]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        return f"{term}, no quorum: {listed} unreachable"
    elected = next((node for node in view.nodes if node.state is NodeState.ELECTED), None)
    if elected is not None:
        return f"{term}, {name_of(elected.node, state.names)} {STATE_WORDS[NodeState.ELECTED]}"
    return f"{term}, electing"


def activity(frame: Frame, look: Look, width: int) -> list[Part]:
    """What goes on, with a bar where its end is known, and the way out."""
    state = frame.state
    if frame.closing_since is not None:
        word = _PHASE_WORDS[state.phase] if state.phase is not Phase.IDLE else "stopping"
        gone = numbers.short_seconds(frame.now - frame.closing_since)
        return [
            Part(f"leaving: {word} · {gone}", f"bold {look.warn}", 1, "leaving"),
            Part(f"{shown_key('quit', state.keys)} leaves at once", look.dim, 4),
        ]
    row = state.rows.get(state.running or "")
    if row is not None and row.started is not None and state.phase in (Phase.RUNNING, Phase.STOPPING):
        return _run(frame, look, width)
    word = _PHASE_WORDS[state.phase]
    if state.phase is Phase.DRILLING and state.drill_rounds:
        last = state.drill_rounds[-1]
        word = f"election drill, round {min(last.number + 1, last.total)} of {last.total}"
    if state.phase is Phase.DRILLING and state.rate is not None:
        word += f" at {numbers.asked(state.rate)}"
    if state.phase in (Phase.IDLE, Phase.CLOSED):
        return [Part(word, look.dim, 3)]
    if state.phase is Phase.OFFLINE:
        return [Part("offline", f"bold {look.alarm}", 1)]
    parts = [Part(f"▸ {word}", f"bold {look.accent}", 1)]
    progress = state.progress
    if progress is not None and progress.total > 0:
        unit = _WORK_UNITS.get(progress.activity, "")
        parts.append(Part(numbers.bar(progress.done / progress.total, 16 if width >= 100 else 8), look.accent, 5))
        done = f"{numbers.count(progress.done)}/{numbers.count(progress.total)} {unit}".rstrip()
        parts.append(Part(done, look.text, 3))
        if progress.rate > 0 and unit != "s":
            parts.append(Part(f"{numbers.rate(progress.rate)}/s", look.text, 7))
        if progress.left_s is not None:
            parts.append(Part(f"{numbers.minutes(progress.left_s + 0.5)} left", look.text, 6))
    else:
        parts.append(Part(numbers.minutes(frame.now - state.phase_since), look.text, 6))
        if state.phase_detail:
            parts.append(Part(clean(state.phase_detail, 120), look.dim, 9))
    if state.deferred:
        then = clean(state.deferred[0], 40) if len(state.deferred) == 1 else f"{len(state.deferred)} scenarios"
        parts.append(Part(f"then {then}", look.text, 4))
    parts.append(Part(f"{shown_key('stop', state.keys)} {'forgets' if state.deferred else 'stops'} it", look.dim, 8))
    return parts


def _run(frame: Frame, look: Look, width: int) -> list[Part]:
    state = frame.state
    row = state.rows[state.running or ""]
    assert row.started is not None
    elapsed, planned = max(0.0, frame.now - row.started.at), row.started.duration_s
    parts = [Part(f"▸ {row.scenario.name}", f"bold {look.accent}", 1)]
    if elapsed < row.started.warmup_s:
        parts.append(Part("warming up", look.warn, 3))
        planned = row.started.warmup_s
    else:
        elapsed -= row.started.warmup_s
    if planned:
        elapsed = min(elapsed, planned)
        parts.append(Part(numbers.bar(elapsed / planned, 16 if width >= 100 else 8), look.accent, 5))
        parts.append(Part(f"{numbers.minutes(elapsed)}/{numbers.minutes(planned)}", look.text, 3))
    else:
        parts.append(Part(numbers.minutes(elapsed), look.text, 3))
    if state.rate is not None:
        parts.append(Part(numbers.asked(state.rate), look.text, 4))
        if state.sample is not None and state.sample.not_started:
            parts.append(Part(f"{numbers.count(state.sample.not_started)} waiting", f"bold {look.warn}", 4))
    if state.phase is Phase.STOPPING:
        flight = f", {state.sample.in_flight} in flight" if state.sample and state.sample.in_flight else ""
        parts.append(Part(f"stopping{flight}", f"bold {look.warn}", 2, "stopping"))
    elif state.queue:
        parts.append(Part(f"then {len(state.queue)} more", look.dim, 7))
    if row.started.step:
        parts.append(Part(clean(row.started.step, 60), look.dim, 6))
    if words := reads_words(row.started.reads):
        parts.append(Part(words, look.dim, 6))
    if row.started.runs > 1:
        parts.append(Part(f"run {row.started.run} of {row.started.runs}", look.dim, 6))
    return parts


def generator(frame: Frame, look: Look) -> list[Part]:
    """Whether this program, rather than the cluster, is the limit; amber and in words when it is.

    A second over a limit makes it busy; only when that lasts it is the limit, as in the run's verdict.
    """
    sample: SecondSample | None = frame.state.sample
    limit = frame.state.limit
    if limit is not None:
        parts = [Part(f"generator ▲ limit for {limit.seconds} s", f"bold {look.warn}", 2, "generator ▲ limit", 4)]
        parts.append(Part(clean(limit.reason, 120), look.warn, 7, _short_reason(frame)))
        if limit.advice:
            parts.append(Part(f"try {clean(limit.advice, 80)}", f"bold {look.warn}", 8))
        return parts
    if sample is not None and over_limit(sample, frame.state.generator) is not None:
        return [Part("generator ● busy", look.warn, 4), Part(_short_reason(frame), look.warn, 7)]
    if frame.screen_lag_s >= SCREEN_LAG_LIMIT_S:
        return [Part(f"generator ● ok, the screen is {frame.screen_lag_s * 1000:.0f} ms late", look.warn, 4)]
    parts = [Part("generator ● ok", look.good, 4)]
    cpu = _busiest(sample) if sample is not None else None
    if cpu is not None:
        parts.append(Part(f"cpu {numbers.per_cent(cpu)}", look.dim, 8))
    lag = max(sample.hub_lag_s if sample is not None else frame.state.loop_lag_s, frame.screen_lag_s)
    parts.append(Part(f"lag {lag * 1000:.1f} ms", look.dim, 9))
    if sample is not None:
        oldest = f", oldest {numbers.short_seconds(sample.oldest_in_flight_s)}" if sample.in_flight else ""
        parts.append(Part(f"{numbers.count(sample.in_flight)} in flight{oldest}", look.dim, 10))
    return parts


def _busiest(sample: SecondSample) -> float:
    """CPU of whichever makes the load and has the least left, as a share of one core."""
    return max(sample.engine_cpu, *sample.worker_cpu.values(), 0.0)


def _short_reason(frame: Frame) -> str:
    """What is at its limit now, in few words."""
    sample = frame.state.sample
    if sample is None:
        return ""
    if over_limit(sample, frame.state.generator) is Limit.LAG:
        return f"lag {sample.hub_lag_s * 1000:.0f} ms"
    cpu = _busiest(sample)
    return f"cpu {numbers.per_cent(cpu)}" if cpu > CPU_LIMIT else "no free core"


def watch(state: UiState, look: Look) -> list[Part]:
    """How closely the cluster is watched."""
    mode = state.watch
    if mode is None:
        return []
    every = numbers.short_interval(mode.pace.polls_every(mode.alert))
    if mode.alert:
        return [Part(f"watch alert {every}", look.warn, 7, "alert", 8)]
    return [Part(f"watch calm {every}", look.dim, 11)]


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def cluster(state: UiState, look: Look) -> list[Part]:
    """Which cluster, and what the next runs work on."""
    config = state.config
    if config is None:
        return []
    entry = clean(config.entry, 60)
    parts = [Part(entry, look.text, 3, entry.removeprefix("http://"))]
    if config.insecure:
        parts.append(Part("insecure: certificates not checked", look.alarm, 4, "insecure"))
    of_ours = "demo cluster, fsync" if config.fsync else "demo cluster"
    parts.append(Part(of_ours if config.demo else _nodes(len(config.nodes)), look.dim, 7))
    keys = f"{config.namespaces} ns × {config.keys_per_namespace} keys"
    parts.append(Part(f"{config.tier} · {keys} · {numbers.size(config.payload_bytes)}", look.text, 6, config.tier))
    changed = []
    if config.users is not None:
        changed.append("1 user" if config.users == 1 else f"{config.users} users")
    if config.rate is not None:
        changed.append(numbers.asked(config.rate))
    if config.user_steps:
        changed.append(f"{','.join(map(str, config.user_steps))} users")
    if config.payload_steps:
        changed.append(",".join(numbers.size(size).replace(" ", "") for size in config.payload_steps))
    if config.duration_s is not None:
        changed.append(f"{config.duration_s:g} s")
    if config.warmup_s:
        changed.append(f"warm-up {config.warmup_s:g} s")
    if config.repeat > 1:
        changed.append(f"{config.repeat} runs")
    if words := reads_words(config.reads):
        changed.append(words)
    if changed:
        parts.append(Part(f"next: {', '.join(changed)}", look.warn, 5))
    return parts
