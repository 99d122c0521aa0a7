"""The rules of the election drill: when the cluster is steady, when a round counts, and what the verdict is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from confman_tui.cluster.elections import Election, FaultKind, Verification
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.states import NO_ANSWER_STATES, STATE_WORDS, WELL_STATES, ClusterView, NodeView
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.core.errors import EXIT_GENERATOR_BOUND, EXIT_NO_SUCCESS, EXIT_UNAVAILABLE, ExitReason
from confman_tui.load.saturation import GeneratorBound
from confman_tui.session.events import DrillEnded, DrillRound
from confman_tui.session.exit_reasons import broken_words, verification_reasons
from confman_tui.settings.scenarios import DRILL_NAME

LEAST_RATE = 5.0
"""Acknowledged writes per second below which a round does not count."""
STEADY_SHARE = 0.4
"""The rate of writes is steady when no second of the time before differs from their mean by more than this share."""
MOST_UNCERTAIN_S = 1.0
"""An outage does not count whose shortest and longest possible time are further apart than this: too few writes …"""
UNCERTAIN_SHARE = 0.4
"""… nor one of which more than this share is open in that way …"""
LEAST_UNCERTAIN_S = 0.3
"""… unless it is less than this: retrying clients make pauses of that length."""
WRITES_LAG_S = 0.3
"""Acknowledgements younger than this may not have been drained yet."""


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """What a drill does. Times in seconds."""

    rounds: int
    kind: FaultKind
    """KILL, PAUSE or ISOLATE, always of the leader."""
    max_unavailable_s: float | None = None
    """``--max-unavailable``: in no round may writes be impossible for longer."""
    steady_s: float = 3.0
    """How long all must be well before the fault."""
    steady_limit_s: float = 45.0
    """How long to wait for that."""
    down_limit_s: float = 10.0
    """How long a node that the drill did not hurt may fail to answer meanwhile; then the drill ends."""
    recovery_limit_s: float = 60.0
    """How long to wait for a new leader and an acknowledged write."""
    throughput_limit_s: float = 10.0
    """How long to wait, after that, for the throughput."""
    return_limit_s: float = 30.0
    """``--wait``: how long to wait until the failed node has caught up; then the drill ends."""


def nodes_down(view: ClusterView) -> tuple[NodeView, ...]:
    """The nodes that do not answer as Confman does."""
    return tuple(node for node in view.nodes if node.state in NO_ANSWER_STATES)


def why_not_steady(view: ClusterView, writes: WriteStream, plan: DrillPlan, now: float) -> str:
    """Why the state is not steady, in words; empty when it is."""
    names = short_names(node.node for node in view.nodes)
    for node in view.nodes:
        if node.state not in WELL_STATES:
            return f"{names[node.node]} is {STATE_WORDS[node.state]}"
    if view.leader is None:
        return "no node leads"
    for node in view.nodes:
        if node.names_leader != view.leader:
            return f"{names[node.node]} does not follow {names[view.leader]}"
    if view.leader_since is None or now - view.leader_since < plan.steady_s:
        return f"{names[view.leader]} has led for less than {plan.steady_s:g} s"
    seconds = max(1, round(plan.steady_s))
    end = now - WRITES_LAG_S
    rates = [writes.history.between(end - back - 1, end - back) for back in range(seconds)]
    mean = sum(rates) / seconds
    if mean < LEAST_RATE:
        return f"too few writes: {mean:.1f} acknowledged per second, at least {LEAST_RATE:g} are needed"
    if min(rates) < mean * (1 - STEADY_SHARE) or max(rates) > mean * (1 + STEADY_SHARE):
        return f"the rate of writes is unsteady: {min(rates)} to {max(rates)} per second"
    return ""


def too_uncertain(election: Election) -> bool:
    """Whether the outage is known too roughly to be measured: too few writes were tried in it."""
    allowed = max(LEAST_UNCERTAIN_S, UNCERTAIN_SHARE * (election.without_writes_s or 0.0))
    return 2 * election.write_uncertainty_s > min(MOST_UNCERTAIN_S, allowed)


def drill_verdict(
    rounds: list[DrillRound],
    verification: Verification | None,
    plan: DrillPlan,
    gone: str | None = None,
    unrecovered: int = 0,
    stopped: bool = False,
) -> tuple[str, list[ExitReason]]:
    """The verdict as one sentence, and why the drill failed (none: it did not).

    A node that did not come back and a broken limit make it fail (exit 4). With a limit, a round that does not count
    breaks it too: it is never counted as good. Without any round that counts there is no success (exit 1). What became
    of the writes weighs as in any other run.
    """
    counted = [round_ for round_ in rounds if round_.judged]
    gaps = [
        round_.election.without_writes_s
        for round_ in counted
        if round_.election is not None and round_.election.without_writes_s is not None
    ]
    parts = [f"{len(counted)} of {plan.rounds} rounds judged" + (" (stopped)" if stopped else "")]
    if gaps:
        parts.append(f"without writes for {median(gaps):.2f} s in the median, {max(gaps):.2f} s at most")
    unavailable = _unavailable(rounds, counted, gaps, plan, unrecovered)
    if plan.max_unavailable_s is not None and not unavailable:
        parts.append(f"the limit of {plan.max_unavailable_s:g} s held")
    unavailable += [gone] if gone is not None else []
    reasons = [ExitReason(EXIT_UNAVAILABLE, f"{DRILL_NAME}: {text}") for text in unavailable]
    if not counted:
        reasons.append(ExitReason(EXIT_NO_SUCCESS, f"{DRILL_NAME}: no round could be judged"))
    if verification is not None:
        reasons += verification_reasons(DRILL_NAME, verification)
    return "; ".join([*parts, *unavailable, _of_writes(verification)]), reasons


def _unavailable(
    rounds: Sequence[DrillRound],
    counted: Sequence[DrillRound],
    gaps: Sequence[float],
    plan: DrillPlan,
    unrecovered: int,
) -> list[str]:
    """In what the cluster was unavailable for too long, in words; empty when it was not."""
    limit = plan.max_unavailable_s
    if limit is None:
        words = f"writes did not come back within {plan.recovery_limit_s:g} s in {unrecovered} rounds"
        return [words] if unrecovered else []
    broken = sum(gap > limit for gap in gaps) + unrecovered
    if broken:
        return [f"the limit of {limit:g} s was broken in {broken} of {len(rounds)} rounds"]
    unproven = len(rounds) - len(counted) - unrecovered
    if unproven or not counted:
        return [f"that the limit of {limit:g} s holds could not be shown in {unproven} of {len(rounds)} rounds"]
    return []


def _of_writes(verification: Verification | None) -> str:
    """What became of the acknowledged writes, in words."""
    if verification is None:
        return "writes not verified"
    among = f" among the {verification.checked} that were read back"
    if verification.failed:
        return broken_words(verification)
    if not verification.judged:
        return f"writes not judged ({verification.note})" if verification.missed else "writes not verified"
    words = "no acknowledged write lost" if not verification.stale else f"{verification.stale} stale writes"
    return words + among * (verification.checked < verification.acknowledged)


def with_generator_bound(ended: DrillEnded, bound: GeneratorBound | None, *, strict: bool) -> DrillEnded:
    """Says in the verdict that the generator was the limit of the load; with ``strict`` the drill fails then."""
    if bound is None:
        return ended
    words = f"generator-bound for {bound.seconds} s: {bound.reason}"
    reason = ExitReason(EXIT_GENERATOR_BOUND, f"{DRILL_NAME}: {words}")
    verdict = f"{ended.verdict.rstrip('.')}; {words}"
    return replace(ended, verdict=verdict, reasons=(*ended.reasons, reason) if strict else ended.reasons)
