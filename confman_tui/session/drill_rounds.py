"""Conducts the rounds of an election drill: steady load, a fault on the leader, recovery, and the node's return.

What it works on, it gets as a `DrillHost`: the session's cluster, or a test's. When a round counts, and the verdict, is
`confman_tui.session.drill_rules`' business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from confman_tui.cluster.caught_up import CatchUp
from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.states import STATE_WORDS, ClusterView
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.core.errors import ClusterError
from confman_tui.session.drill_rules import (
    WRITES_LAG_S,
    DrillPlan,
    drill_verdict,
    nodes_down,
    too_uncertain,
    why_not_steady,
)
from confman_tui.session.events import DrillEnded, DrillRound

_STEP_S = 0.05
"""How often a condition is looked at."""
_BEFORE_S, _AFTER_S, _GRAPH_S = 2.0, 2.0, 30.0
"""A round's graph of writes: from this long before the fault to this long after the recovery, no longer than that."""


class DrillHost(Protocol):
    """What the rounds of a drill need. The load runs already when it begins."""

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


async def run_rounds(host: DrillHost, plan: DrillPlan) -> DrillEnded:
    """Runs the rounds, then the verification, and gives the verdict. Whatever happens, hurt nodes are brought back.

    Raises:
        ClusterError: no node leads, so there is nothing to drill on.
        FaultRefusedError: the first fault can't be done.
    """
    if host.view.leader is None:
        why = why_not_steady(host.view, host.writes, plan, host.now())
        raise ClusterError(f"no node leads, so there is no leader to {plan.kind}: {why}")
    drill = _Rounds(host, plan)
    try:
        for number in range(1, plan.rounds + 1):
            if host.stopping:
                break
            round_ = await drill.run(number)
            drill.done.append(round_)
            host.round_ended(round_)
            if drill.gone is not None:
                break
    finally:
        await drill.bring_back()
    verification = await host.finish()
    verdict, reasons = drill_verdict(drill.done, verification, plan, drill.gone, drill.unrecovered, host.stopping)
    return DrillEnded(tuple(drill.done), verification, verdict, tuple(reasons))


class _Rounds:
    """The rounds so far, and the one under way."""

    def __init__(self, host: DrillHost, plan: DrillPlan) -> None:
        self.done: list[DrillRound] = []
        self.gone: str | None = None
        """The node that did not come back, in a sentence."""
        self.unrecovered = 0
        """Rounds in which writes did not come back within the limit."""
        self._host = host
        self._plan = plan
        self._hurt: str | None = None

    async def run(self, number: int) -> DrillRound:
        """One round."""
        host, plan = self._host, self._plan
        began = host.now()
        await self._wait(lambda: not self._why_not_steady() or self._down_too_long(began) != "", plan.steady_limit_s)
        if why := self._why_not_steady():
            self.gone = self._down_too_long(began) or None
            waited = f"no steady state within {host.now() - began:.0f} s: {why}"
            return self._unjudged(number, None, "stopped" if host.stopping else waited)
        leader = host.view.leader
        if leader is None:
            return self._unjudged(number, None, "the leader was lost before the fault")
        try:
            fault = await host.cause(plan.kind, leader)
        except FaultRefusedError as error:
            if not self.done:
                raise
            return self._unjudged(number, None, str(error))
        self._hurt = leader
        recovered = await self._recovery(fault)
        return_s, no_return = await self.bring_back()
        return replace(self._judged(number, fault, recovered), return_s=return_s, no_return=no_return)

    def _why_not_steady(self) -> str:
        return why_not_steady(self._host.view, self._host.writes, self._plan, self._host.now())

    def _down_too_long(self, began: float) -> str:
        """Which node has not answered for so long in this round that it won't come back, in words; empty: none."""
        now = self._host.now()
        for node in nodes_down(self._host.view):
            held = now - max(began, node.since or began)
            if held >= self._plan.down_limit_s:
                return f"{node.node} did not come back: {STATE_WORDS[node.state]} for {held:.0f} s"
        return ""

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
            # What it was asked before the fault ended is an answer about the time before.
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
        elif too_uncertain(election):
            reason = f"too few writes to judge: their outage is known to ± {election.write_uncertainty_s:.1f} s only"
        until = 0.0
        if election is not None:
            until = max(election.first_write_s or 0.0, election.recover90_s or 0.0)
        end = min(fault.at + min(until + _AFTER_S, _GRAPH_S), host.now() - WRITES_LAG_S)
        graph = host.writes.history.per_tenth(fault.at - _BEFORE_S, end)
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
