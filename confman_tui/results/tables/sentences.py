"""Sentences about a scenario's result, for the lines below a table, the log and the screen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from confman_tui.cluster.elections import Election, Verification
from confman_tui.load.run_model import CAUSE_WORDS, Cause, NodeOutcome
from confman_tui.load.saturation import GeneratorBound
from confman_tui.results.formatting import milliseconds, one_line, per_cent, seconds, sensible, short_node
from confman_tui.results.model import Change, ScenarioResult
from confman_tui.results.statistics.opening import opening_matters
from confman_tui.results.statistics.repeats import added_verdicts
from confman_tui.settings.scenarios import Reads

READS_WORDS = {
    Reads.ALL: "all nodes",
    Reads.ENTRY: "the entry",
    Reads.LEADER: "the leader",
    Reads.FOLLOWERS: "the followers",
}
MEASURE_WORDS = {
    "rps": "req/s",
    "p50_us": "p50 ms",
    "p95_us": "p95 ms",
    "p99_us": "p99 ms",
    "max_us": "max ms",
}
_WORTH_A_NOTE = 0.01
"""Share of the requests from which a person should know what the watch added."""


def reads_words(reads: Reads | None) -> str:
    """Where the reads of a run go, in words; empty where they go as they do by default, and where there are none."""
    return "" if reads is None or reads is Reads.ALL else f"reads from {READS_WORDS[reads]}"


def nodes_notes(result: ScenarioResult) -> list[str]:
    """Which nodes were read from, a sentence: where that isn't all of them, and of one user, who reads from one."""
    if result.reads is None or (result.reads is Reads.ALL and result.users != 1):
        return []
    read = [node for node in result.outcome.by_node if node.reads]
    if not read:
        return []
    words = reads_words(result.reads)
    return [f"{words}: {_shares(read)}" if words else f"reads from {_shares(read)}"]


def _shares(read: Sequence[NodeOutcome]) -> str:
    """``127.0.0.1:6100``; of several nodes each with its share of the reads."""
    if len(read) == 1:
        return short_node(read[0].node)
    whole = sum(node.reads for node in read)
    return ", ".join(f"{short_node(node.node)} {per_cent(node.reads, whole)}" for node in read)


def open_loop_notes(result: ScenarioResult) -> list[str]:
    """What a reader must know of the schedule, in sentences: how it went, who was left out, and what to do."""
    outcome = result.outcome
    if result.rate is None:
        return []
    notes = []
    changes = result.rate_changes
    rate = f"{result.rate:g} requests/s asked for"
    if changes:
        times = "once" if len(changes) == 1 else f"{len(changes)} times"
        rate += f", changed {times}, to {sensible(changes[-1].rate)} at the end"
    notes.append(f"{rate}; the longest that one began late: {milliseconds(round(outcome.schedule_lag_s * 1e6))} ms")
    if outcome.not_started:
        due = outcome.requests + outcome.not_started
        notes.append(
            f"{outcome.not_started:,} of {due:,} requests were due and never began, the oldest waited up to "
            f"{seconds(outcome.schedule_lag_s)}: the figures don't hold them. Their latency would have been worse; "
            "a lower --rate or more --users would keep the schedule"
        )
    return notes


def users_note(result: ScenarioResult) -> str:
    """That a scenario had another number of users than its own; empty where it had not."""
    return f"{result.scenario} with {result.users:,} user{'s' * (result.users != 1)}" if result.scenario else ""


def timeout_note(result: ScenarioResult) -> str:
    """How many requests were given up, after how long, and what sets that; empty where none was."""
    count = result.outcome.failures_by_cause.get(Cause.TIMEOUT, 0)
    if not count:
        return ""
    some = "1 request" if count == 1 else f"{count:,} requests"
    return f"{some} without an answer within {result.request_timeout_s:g} s (--request-timeout)"


def away_note(result: ScenarioResult) -> str:
    """Where requests were redirected to that were not followed there, the commonest target; empty where none was."""
    count = result.outcome.failures_by_cause.get(Cause.REDIRECTED_AWAY, 0)
    if not count:
        return ""
    words = f"{CAUSE_WORDS[Cause.REDIRECTED_AWAY]}: "
    targets = {text.removeprefix(words): n for text, n in result.outcome.error_texts.items() if text.startswith(words)}
    some = "1 request" if count == 1 else f"{count:,} requests"
    most = f", most by {max(targets, key=lambda one: targets[one])}" if targets else ""
    return f"{some} redirected to none of the nodes and not sent there{most}"


def redirect_notes(result: ScenarioResult) -> list[str]:
    """How many requests were redirected, and what that cost them."""
    outcome = result.outcome
    if not outcome.redirected:
        return []
    some = "1 request" if outcome.redirected == 1 else f"{outcome.redirected:,} requests"
    if outcome.redirect_p50_us is None:
        return [f"after a redirect: {some}"]
    cost = f"{milliseconds(outcome.redirect_p50_us)} ms (median), at most {milliseconds(outcome.redirect_max_us)} ms"
    return [f"served after a redirect: {some}; of their times, the redirects took {cost}"]


def bound_line(name: str, bound: GeneratorBound) -> str:
    """That a run's figures say more of the generator than of the cluster, why, and what to do."""
    line = f"{name}: generator-bound for {bound.seconds} s, not the cluster's limit: {bound.reason}"
    return f"{line}; try {bound.advice}" if bound.advice else line


def opening_line(result: ScenarioResult) -> str:
    """The first seconds apart from the rest, in words, where that matters: they were left out, or they differ so much
    that the whole run's figures are not those of a steady state. Empty otherwise."""
    first = result.outcome.opening
    if first is None:
        return ""
    at_first = _figures(first.rps, first.p50_us, first.p99_us)
    then = _figures(first.rest_rps, first.rest_p50_us, first.rest_p99_us)
    if first.left_out:
        return f"{result.name}: warm-up of {first.seconds:.1f} s left out: {at_first}; then {then}"
    if not opening_matters(result):
        return ""
    advice = f"--warmup {max(1, round(first.seconds))} leaves them out"
    return f"{result.name}: first {first.seconds:.1f} s: {at_first}; then {then}; {advice}"


def _figures(rps: float, p50_us: int | None, p99_us: int | None) -> str:
    return f"{sensible(rps)} req/s, p50 {milliseconds(p50_us)}, p99 {milliseconds(p99_us)} ms"


def change_words(change: Change) -> str:
    """``req/s 3.1 % more, within the noise (± 5.0 %)``."""
    name = MEASURE_WORDS[change.measure].removesuffix(" ms")
    more, less = ("more", "less") if change.measure == "rps" else ("longer", "shorter")
    size = f"{abs(change.change) * 100:.1f} % {more if change.change >= 0 else less}"
    if change.noise is None:
        return f"{name} {size}"
    word = "within" if change.within_noise else "more than"
    return f"{name} {size}, {word} the noise (± {change.noise * 100:.1f} %)"


def comparison_line(result: ScenarioResult, *, short: bool = False) -> str:
    """How a result compares with the kept run, in words; empty when there is nothing to compare. In short: throughput
    alone, and only where the noise is known."""
    comparison = result.comparison
    if comparison is None:
        return ""
    if short:
        changes = [change_words(change) for change in comparison.changes if change.noise is not None]
        return f"against the kept run: {changes[0]}" if changes else ""
    when = datetime.fromtimestamp(comparison.kept_at).strftime("%Y-%m-%d %H:%M")
    runs = f"{comparison.runs_before} run{'s' if comparison.runs_before != 1 else ''}"
    line = f"{result.name} against the kept run of {when} ({runs}, {comparison.entries_before:,} entries before): "
    line += "; ".join(change_words(change) for change in comparison.changes)
    if all(change.noise is None for change in comparison.changes):
        line += "; one run each can't tell such a difference from noise: --repeat 5 can"
    return line


def watch_line(result: ScenarioResult) -> str:
    """What the watch added, where that was more than 1 % of the requests; otherwise empty."""
    use = result.watch
    if use is None or use.polls + use.probe_writes <= _WORTH_A_NOTE * result.outcome.requests:
        return ""
    line = f"{result.name}: watching added {use.polls:,} health polls and {use.probe_writes:,} probe writes"
    return f"{line} (alert for {use.alert_s:.1f} s)" if use.alert_s else line


def store_lines(results: Sequence[ScenarioResult]) -> list[str]:
    """What an acknowledged write of the demo cluster means, for each of the two ways in which these were measured."""
    ways = {result.fsync for result in results}
    lines = []
    if False in ways:
        lines.append(
            "demo cluster: an acknowledged write is with the kernels of a majority of the nodes (no --demo-fsync)"
        )
    if True in ways:
        lines.append("demo cluster: an acknowledged write is on the disks of a majority of the nodes (--demo-fsync)")
    return lines


def verdict_lines(results: Sequence[ScenarioResult]) -> list[str]:
    """What became of the acknowledged writes, over all scenarios; of each that could not be judged by itself, so that
    no other passes for it."""
    lines = []
    verified = [(result.name, result.verification) for result in results if result.verification is not None]
    missed = [(name, verification) for name, verification in verified if verification.missed]
    whole = added_verdicts(verification for _, verification in verified if not verification.missed)
    if whole is not None:
        lines.append(verdict_line(whole))
        counted = sum(
            result.outcome.writes_ok
            for result in results
            if result.verification is not None and not result.verification.missed
        )
        warm = whole.acknowledged - whole.by_probe - counted
        if warm > 0 and any(result.warmup_s for result in results) and not any(result.repeats for result in results):
            lines.append(f"writes: {warm:,} of them were acknowledged in the warm-up, which the figures leave out")
    lines += [verdict_line(verification, name) for name, verification in missed]
    notes = dict.fromkeys(verification.note for _, verification in verified)
    lines += [f"writes: {note}" for note in notes if note]
    silent = [result.name for result in results if result.verification is None and result.outcome.writes_ok]
    if silent:
        lines.append(f"writes: not verified: {', '.join(silent)}")
    return lines


def acknowledged_words(verification: Verification) -> str:
    """``1,742 acknowledged (7 of them the probe's)``: the scenario's own count of writes does not hold those."""
    by = f" ({verification.by_probe:,} of them the probe's)" if verification.by_probe else ""
    return f"{verification.acknowledged:,} acknowledged{by}"


def nodes_words(verification: Verification) -> str:
    """``from 3 of 3 nodes``; empty where that is not known (results of early versions)."""
    v = verification
    return f"from {v.nodes_read} of {v.nodes} node{'s' * (v.nodes != 1)}" if v.nodes else ""


def _read_words(verification: Verification) -> str:
    return (
        f"{acknowledged_words(verification)}, {verification.checked:,} read back {nodes_words(verification)}".rstrip()
    )


def _open_words(verification: Verification) -> str:
    """Of which writes nothing is proven, in words; empty where there are none."""
    v = verification
    parts = [f", {v.unproven:,} on too few nodes"] if v.unproven else []
    parts += [f", {v.not_caught_up:,} not caught up"] if v.not_caught_up else []
    return "".join(parts)


def verdict_line(verification: Verification, scenario: str = "") -> str:
    """One verdict in words; ``scenario``: the run's name, where the line is not about all."""
    v = verification
    if not (v.judged or v.missed or v.failed):
        return f"writes: {_read_words(v)}: nothing to judge"
    of_run = f" of {one_line(scenario, 40)}" if scenario else ""
    if not (v.judged or v.failed):
        return f"writes{of_run}: NOT JUDGED: {_read_words(v)}{_open_words(v)}"
    broken = "LOST WRITES" if v.lost else "DIVERGED WRITES" if v.diverged else "PHANTOM WRITES"
    word = "ok" if v.passed else broken
    diverged = f", {v.diverged:,} diverged" if v.diverged else ""
    counts = f"{_read_words(v)}, {v.lost:,} lost{diverged}, {v.stale:,} stale{_open_words(v)}"
    late = f" ({v.late:,} of them late)" if v.late else ""
    more = f"{v.phantom:,} phantom{late}, {v.recovered:,} of {v.unknown:,} unknown present"
    return f"writes{of_run}: {word}: {counts}, {more}"


def term_words(election: Election) -> str:
    """``6 to 7``; the term alone, ``7``, where nobody was elected."""
    if election.stalled:
        return str(election.term_after)
    return f"{election.term_before} to {election.term_after}"


def election_line(election: Election) -> str:
    """One election, or stall, in words."""
    cause = f"{election.fault.kind}, " if election.fault is not None else ""
    line = f"{cause}term {term_words(election)}"
    if election.new_leader is not None:
        line += f", {short_node(election.new_leader)}"
        led = "led again" if election.stalled else "led"
        line += f" {led} after {seconds(election.serving_s)}" if election.serving_s is not None else " named"
    if election.without_writes_s is not None:
        line += f", {election.without_writes_s:.2f} ± {election.write_uncertainty_s:.2f} s without writes"
        line += " (from the last good poll)" * election.writes_from_poll
    return line


def election_lines(results: Sequence[ScenarioResult]) -> list[str]:
    """The elections of all scenarios under a heading, and apart from them the stalls in which nobody was elected."""
    lines = []
    for heading, stalled in (("elections:", False), ("leader lost for a while, without an election:", True)):
        rows = [
            f"  {result.name}: {election_line(election)}"
            for result in results
            for election in result.elections
            if election.stalled is stalled
        ]
        if rows:
            lines += [heading, *rows]
        elif not stalled and any(result.entries_before >= 0 for result in results):
            # Results of stock Locust (their entries are not known) say nothing of elections.
            lines.append("elections: none")
    return lines
