"""The election drill: rounds of steady load, a fault on the leader, recovery, and the node's return. Pure
orchestration: whoever runs it gives it a cluster, a load and a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

from confman_tui.cluster.caught_up import CatchUp
from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.states import NO_ANSWER_STATES, STATE_WORDS, WELL_STATES, ClusterView
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.core.errors import EXIT_LOST, EXIT_NO_SUCCESS, EXIT_OK, EXIT_UNAVAILABLE, ClusterError
from confman_tui.session.events import DrillEnded, DrillRound

LEAST_RATE = 5.0
"""Acknowledged writes per second below which a round is not judged."""
STEADY_SHARE = 0.4
"""The rate of writes is steady when no second of the time before differs from their mean by more than this share."""
MOST_UNCERTAIN_S = 1.0
"""An outage is not judged whose shortest and longest possible time are further apart than this: too few writes …"""
UNCERTAIN_SHARE = 0.4
"""… nor one of which more than this share is open in that way …"""
LEAST_UNCERTAIN_S = 0.3
"""… unless it is less than this: retrying clients make pauses of that length."""

_LAG_S = 0.3
"""Acknowledgements younger than this may not have been drained yet."""
_STEP_S = 0.05
_BEFORE_S = 2.0
_AFTER_S = 2.0
_GRAPH_S = 30.0


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


class DrillHost(Protocol):
    """What a drill needs. The load runs already when it begins."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """The configured nodes."""

    @property
    def view(self) -> ClusterView:
        """What is known of the cluster now."""

    @property
    def writes(self) -> WriteStream:
        """The stream of all writes, drained some times a second."""

    @property
    def stopping(self) -> bool:
        """Whether the person wants it to end."""

    def now(self) -> float:
        """The program's clock."""

    def election_of(self, fault: Fault) -> Election | None:
        """The election that this fault caused, once it is over, with its latest figures."""

    def unfinished(self) -> Election | None:
        """The election that is going on, as far as it is known."""

    async def sleep(self, seconds: float) -> None:
        """Let time pass; returns sooner when the person wants it to end."""

    async def cause(self, kind: FaultKind, node: str) -> Fault:
        """Do it; raises `FaultRefusedError`."""

    async def revive(self) -> tuple[Fault, ...]:
        """Bring back every node that was hurt, and give what was done; raises `FaultRefusedError` when one can't be."""

    def round_ended(self, round_: DrillRound) -> None:
        """A round is over."""

    async def finish(self) -> Verification | None:
        """The rounds are over: stop the load and read the writes back. None: nothing was verified."""


async def run_drill(host: DrillHost, plan: DrillPlan) -> DrillEnded:
    """Runs the rounds, then the verification, and gives the verdict. Whatever happens, hurt nodes are brought back.

    Raises:
        ClusterError: no node leads, so there is nothing to drill on.
        FaultRefusedError: the first fault can't be done.
    """
    if host.view.leader is None:
        raise ClusterError(f"no node leads, so there is no leader to {plan.kind}: {_what_is_amiss(host, plan)}")
    drill = _Drill(host, plan)
    try:
        for number in range(1, plan.rounds + 1):
            if host.stopping:
                break
            round_ = await drill.round(number)
            drill.rounds.append(round_)
            host.round_ended(round_)
            if drill.gone is not None:
                break
    finally:
        await drill.bring_back()
    verification = await host.finish()
    verdict, code = judge(drill.rounds, verification, plan, drill.gone, drill.unrecovered, host.stopping)
    return DrillEnded(tuple(drill.rounds), verification, verdict, code)


class _Drill:
    """The rounds so far."""

    def __init__(self, host: DrillHost, plan: DrillPlan) -> None:
        self.rounds: list[DrillRound] = []
        self.gone: str | None = None
        """The node that did not come back, in a sentence."""
        self.unrecovered = 0
        """Rounds in which writes did not come back within the limit."""
        self._host = host
        self._plan = plan
        self._hurt: str | None = None

    async def round(self, number: int) -> DrillRound:
        """One round."""
        host, plan = self._host, self._plan
        began = host.now()

        def down() -> str | None:
            for node in host.view.nodes:
                held = host.now() - max(began, node.since or began)
                if node.state in NO_ANSWER_STATES and held >= plan.down_limit_s:
                    return f"{node.node} did not come back: {STATE_WORDS[node.state]} for {held:.0f} s"
            return None

        await self._wait(lambda: not _what_is_amiss(host, plan) or down() is not None, plan.steady_limit_s)
        if why := _what_is_amiss(host, plan):
            self.gone = down()
            waited = f"no steady state within {host.now() - began:.0f} s: {why}"
            return self._unjudged(number, None, "stopped" if host.stopping else waited)
        leader = host.view.leader
        if leader is None:
            return self._unjudged(number, None, "the leader was lost before the fault")
        try:
            fault = await host.cause(plan.kind, leader)
        except FaultRefusedError as error:
            if not self.rounds:
                raise
            return self._unjudged(number, None, str(error))
        self._hurt = leader
        recovered = await self._recovery(fault)
        return_s, no_return = await self.bring_back()
        return replace(self._judged(number, fault, recovered), return_s=return_s, no_return=no_return)

    async def _recovery(self, fault: Fault) -> bool:
        host, plan = self._host, self._plan

        def over() -> bool:
            election = host.election_of(fault)
            return election is not None and election.first_write_s is not None

        def throughput() -> bool:
            election = host.election_of(fault)
            return election is not None and election.recover90_s is not None

        if not await self._wait(over, plan.recovery_limit_s):
            if not host.stopping:
                self.unrecovered += 1
            return False
        await self._wait(throughput, plan.throughput_limit_s)
        return True

    async def bring_back(self) -> tuple[float | None, str]:
        """The hurt node is brought back and waited for until it has caught up, unless the person wants it to end.

        Gives the seconds that it took, None when that is not known; and why it stayed away, which `gone` says, too.
        """
        host, node = self._host, self._hurt
        if node is None:
            return None, ""
        self._hurt = None
        why, ended = "", None
        began = host.now()
        try:
            ended = next((fault.at for fault in await host.revive() if fault.node == node), None)
        except FaultRefusedError as error:
            why = f" ({error})"
        began = began if ended is None else ended
        catch_up = CatchUp()
        while not host.stopping:
            view = host.view
            answered = view.node(node).last_answer
            behind = next((one for one in catch_up.behind(view, {node: began}) if one.node == node), None)
            # What it was asked before the fault ended tells of the time before.
            if behind is None and answered is not None and answered > began:
                return (None if ended is None else answered - ended), ""
            if host.now() >= began + self._plan.return_limit_s:
                state = behind.words(host.now(), began) if behind is not None else "no answer since"
                no_return = f"did not come back: {state}{why}"
                self.gone = f"{node} {no_return}"
                return None, no_return
            await host.sleep(_STEP_S)
        return None, ""

    def _judged(self, number: int, fault: Fault, recovered: bool) -> DrillRound:
        host, plan = self._host, self._plan
        election = host.election_of(fault) or host.unfinished()
        if election is not None and election.fault != fault:
            election = None
        reason = ""
        if not recovered:
            if host.stopping:
                reason = "stopped"
            elif election is None:
                reason = f"no election was seen within {plan.recovery_limit_s:g} s of the fault"
            else:
                reason = f"no write was acknowledged within {plan.recovery_limit_s:g} s of the fault"
        elif election is None:
            reason = "no election was seen"
        elif _too_uncertain(election):
            reason = f"too few writes to judge: their outage is known to ± {election.write_uncertainty_s:.1f} s only"
        until = 0.0
        if election is not None:
            until = max(election.first_write_s or 0.0, election.recover90_s or 0.0)
        end = min(fault.at + min(until + _AFTER_S, _GRAPH_S), host.now() - _LAG_S)
        graph = host.writes.per_tenth(fault.at - _BEFORE_S, end)
        shown = tuple((round(at - fault.at, 3), count) for at, count in graph)
        return DrillRound(number, plan.rounds, fault, not reason, reason, election, shown)

    def _unjudged(self, number: int, fault: Fault | None, reason: str) -> DrillRound:
        return DrillRound(number, self._plan.rounds, fault, False, reason, None)

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Until the condition holds; False when the time is over or the person wants it to end."""
        until = self._host.now() + seconds
        while not condition():
            if self._host.stopping or self._host.now() >= until:
                return False
            await self._host.sleep(_STEP_S)
        return True


def _too_uncertain(election: Election) -> bool:
    allowed = max(LEAST_UNCERTAIN_S, UNCERTAIN_SHARE * (election.without_writes_s or 0.0))
    return 2 * election.write_uncertainty_s > min(MOST_UNCERTAIN_S, allowed)


def _what_is_amiss(host: DrillHost, plan: DrillPlan) -> str:
    """Why the state is not steady, in words; empty when it is."""
    view, names, now = host.view, short_names(host.nodes), host.now()
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
    end = now - _LAG_S
    rates = [host.writes.acknowledged_between(end - back - 1, end - back) for back in range(seconds)]
    mean = sum(rates) / seconds
    if mean < LEAST_RATE:
        return f"too few writes: {mean:.1f} acknowledged per second, at least {LEAST_RATE:g} are needed"
    if min(rates) < mean * (1 - STEADY_SHARE) or max(rates) > mean * (1 + STEADY_SHARE):
        return f"the rate of writes is unsteady: {min(rates)} to {max(rates)} per second"
    return ""


def judge(
    rounds: list[DrillRound],
    verification: Verification | None,
    plan: DrillPlan,
    gone: str | None = None,
    unrecovered: int = 0,
    stopped: bool = False,
) -> tuple[str, int]:
    """The verdict as one sentence, and the exit code.

    Lost or phantom writes weigh most (exit 5), then a node that did not come back and a broken limit (exit 4). With a
    limit, a round that could not be judged breaks it too: it is never counted as good. Without any judged round, or
    with nothing to verify where verification was asked for, there is no success (exit 1).
    """
    judged = [round_ for round_ in rounds if round_.judged]
    gaps = [
        round_.election.without_writes_s
        for round_ in judged
        if round_.election is not None and round_.election.without_writes_s is not None
    ]
    parts = [f"{len(judged)} of {plan.rounds} rounds judged" + (" (stopped)" if stopped else "")]
    if gaps:
        parts.append(f"without writes for {median(gaps):.2f} s in the median, {max(gaps):.2f} s at most")
    code = EXIT_OK if judged else EXIT_NO_SUCCESS
    if verification is not None and not verification.acknowledged:
        code = EXIT_NO_SUCCESS
    limit = plan.max_unavailable_s
    if limit is not None:
        broken = sum(gap > limit for gap in gaps) + unrecovered
        unproven = len(rounds) - len(judged) - unrecovered
        if broken:
            parts.append(f"the limit of {limit:g} s was broken in {broken} of {len(rounds)} rounds")
        elif unproven or not judged:
            parts.append(
                f"that the limit of {limit:g} s holds could not be shown in {unproven} of {len(rounds)} rounds"
            )
        else:
            parts.append(f"the limit of {limit:g} s held")
        if broken or unproven or not judged:
            code = EXIT_UNAVAILABLE
    elif unrecovered:
        parts.append(f"writes did not come back within {plan.recovery_limit_s:g} s in {unrecovered} rounds")
        code = EXIT_UNAVAILABLE
    if gone is not None:
        parts.append(gone)
        code = EXIT_UNAVAILABLE
    if verification is not None and (verification.lost or verification.phantom):
        parts.append(f"{verification.lost} acknowledged writes lost, {verification.phantom} refused ones present")
        code = EXIT_LOST
    elif verification is not None and verification.judged:
        parts.append("no acknowledged write lost" if not verification.stale else f"{verification.stale} stale writes")
        if verification.checked < verification.acknowledged:
            parts[-1] += f" among the {verification.checked} that were read back"
    else:
        parts.append("writes not verified")
    return "; ".join(parts), code
