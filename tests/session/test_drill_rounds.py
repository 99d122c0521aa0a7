"""The drill's rounds and its verdict, in simulated time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from confman_tui.cluster.elections import Election, Fault, FaultKind, Verification
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.core.errors import ClusterError, exit_code_of
from confman_tui.session.drill_rounds import run_rounds
from confman_tui.session.drill_rules import DrillPlan, drill_verdict
from confman_tui.session.events import DrillRound
from tests.support.simulation import NODES, SimulatedHost

PLAN = DrillPlan(rounds=3, kind=FaultKind.KILL)
KEPT = Verification(acknowledged=100, checked=100)


async def warmed(host: SimulatedHost) -> SimulatedHost:
    """As a drill finds it: the load runs, the polls have come in."""
    await host.sleep(1.0)
    return host


@pytest.mark.parametrize("kind", [FaultKind.KILL, FaultKind.PAUSE, FaultKind.ISOLATE])
async def test_rounds_are_measured_and_judged(kind: FaultKind) -> None:
    host = await warmed(SimulatedHost(outage_s=1.0))
    ended = await run_rounds(host, replace(PLAN, kind=kind))
    assert ended.rounds == tuple(host.rounds)
    assert ended.exit_code == 0
    assert host.finished == 1
    assert [round_.number for round_ in ended.rounds] == [1, 2, 3]
    leaders = [round_.fault.node for round_ in ended.rounds if round_.fault is not None]
    assert len(set(leaders)) >= 2
    for round_ in ended.rounds:
        assert round_.judged, round_.reason
        assert round_.fault is not None
        assert round_.fault.kind is kind
        assert round_.election is not None
        assert round_.election.fault == round_.fault
        assert round_.election.without_writes_s == pytest.approx(1.02, abs=0.03)
        assert round_.election.recover90_s == pytest.approx(1.0, abs=0.15)
        assert round_.ok_per_tenth[0][0] == pytest.approx(-2.0, abs=0.11)
        quiet = [count for at, count in round_.ok_per_tenth if 0.1 <= at <= 0.8]
        busy = [count for at, count in round_.ok_per_tenth if at < -0.15 or at > 1.2]
        assert set(quiet) == {0}
        assert min(busy) >= 4
    assert "3 of 3 rounds judged" in ended.verdict
    assert "no acknowledged write lost" in ended.verdict
    assert host.down == {}


async def test_a_limit_holds_or_is_broken() -> None:
    host = await warmed(SimulatedHost(outage_s=1.0))
    ended = await run_rounds(host, replace(PLAN, max_unavailable_s=2.0))
    assert (ended.exit_code, "limit of 2 s held" in ended.verdict) == (0, True)
    host = SimulatedHost()
    host.outages = lambda number: 3.0 if number == 2 else 1.0
    ended = await run_rounds(await warmed(host), replace(PLAN, max_unavailable_s=2.0))
    assert (ended.exit_code, "broken in 1 of 3" in ended.verdict) == (4, True)


async def test_without_a_leader_there_is_nothing_to_drill_on() -> None:
    host = SimulatedHost()
    host.leader = None
    with pytest.raises(ClusterError, match="no node leads"):
        await run_rounds(await warmed(host), PLAN)
    assert host.faults == []


async def test_a_fault_that_must_not_be_done_ends_it_with_the_sentence() -> None:
    host = await warmed(SimulatedHost())
    host.refuses = "faults need --allow-faults"
    with pytest.raises(FaultRefusedError, match="--allow-faults"):
        await run_rounds(host, PLAN)


async def test_a_node_that_never_comes_back_ends_the_drill() -> None:
    host = await warmed(SimulatedHost())
    host.comes_back = False
    ended = await run_rounds(host, PLAN)
    assert len(ended.rounds) == 1
    assert ended.rounds[0].judged
    assert ended.exit_code == 4
    assert f"{NODES[0]} did not come back: refused for 30 s" in ended.verdict
    assert host.finished == 1


@pytest.mark.parametrize("kind", [FaultKind.KILL, FaultKind.PAUSE, FaultKind.ISOLATE])
async def test_a_round_says_how_long_the_nodes_return_took(kind: FaultKind) -> None:
    host = await warmed(SimulatedHost(return_s=0.5))
    host.not_ready[NODES[0]] = 2.5
    ended = await run_rounds(host, replace(PLAN, kind=kind, rounds=2))
    # from the resume on, not from the pause: until the first poll that was asked when it was ready
    assert ended.rounds[0].return_s == pytest.approx(3.0, abs=0.12)
    assert ended.rounds[1].return_s == pytest.approx(0.5, abs=0.12)
    assert [round_.no_return for round_ in ended.rounds] == ["", ""]
    assert ended.exit_code == 0


async def test_a_node_that_stays_not_ready_ends_the_drill_with_the_sentence() -> None:
    host = await warmed(SimulatedHost(return_s=0.1))
    host.not_ready[NODES[0]] = 33.0
    ended = await run_rounds(host, replace(PLAN, kind=FaultKind.PAUSE, return_limit_s=30.0))
    assert len(ended.rounds) == 1
    assert ended.rounds[0].judged
    assert ended.rounds[0].return_s is None
    assert ended.rounds[0].no_return == "did not come back: not ready for 30 s"
    assert ended.exit_code == 4
    assert f"{NODES[0]} did not come back: not ready for 30 s" in ended.verdict
    assert host.finished == 1


async def test_the_state_that_it_was_in_last_is_not_said_to_have_lasted_all_the_time() -> None:
    host = await warmed(SimulatedHost(return_s=8.0))
    host.not_ready[NODES[0]] = 1e9
    ended = await run_rounds(host, replace(PLAN, return_limit_s=10.0))
    assert ended.rounds[0].no_return == "did not come back: not ready for 2 s, not caught up for 10 s"


async def test_a_node_that_returns_late_is_waited_for_as_long_as_was_asked() -> None:
    host = await warmed(SimulatedHost(return_s=0.1))
    host.not_ready[NODES[0]] = 33.0
    ended = await run_rounds(host, replace(PLAN, rounds=2, kind=FaultKind.PAUSE, return_limit_s=60.0))
    assert ended.rounds[0].return_s == pytest.approx(33.1, abs=0.12)
    assert [round_.judged for round_ in ended.rounds] == [True, True]
    assert ended.exit_code == 0


async def test_what_a_node_answered_before_the_fault_ended_is_no_return() -> None:
    """An election that nobody saw: as far as the polls show, all is well when the fault ends."""

    class Unseen(SimulatedHost):
        async def cause(self, kind: FaultKind, node: str) -> Fault:
            fault = Fault(kind, node, self.clock, "drill")
            self.faults.append(fault)
            return fault

        async def revive(self) -> tuple[Fault, ...]:
            self.down[NODES[0]] = FaultKind.PAUSE
            self.due.append((self.clock + 4.0, self.down.clear))
            return (Fault(FaultKind.HEAL, NODES[0], self.clock, "drill"),)

    ended = await run_rounds(await warmed(Unseen()), replace(PLAN, rounds=1, kind=FaultKind.ISOLATE))
    assert not ended.rounds[0].judged
    assert ended.rounds[0].return_s == pytest.approx(4.0, abs=0.12)


async def test_a_fault_that_cannot_be_undone_has_no_end_to_count_from() -> None:
    host = SimulatedHost()
    host.due.append((host.clock + 5.0, lambda: setattr(host, "refuses", "no --restart-cmd says how")))
    ended = await run_rounds(await warmed(host), replace(PLAN, return_limit_s=5.0))
    assert ended.rounds[0].no_return == "did not come back: refused for 5 s (no --restart-cmd says how)"
    assert ended.exit_code == 4


async def test_a_stop_ends_the_wait_for_a_node() -> None:
    host = await warmed(SimulatedHost())
    host.not_ready[NODES[0]] = 1e9
    host.due.append((host.clock + 20.0, lambda: setattr(host, "stop", True)))
    begun = host.now()
    ended = await run_rounds(host, PLAN)
    assert host.now() - begun < 21.0
    assert (ended.rounds[0].return_s, ended.rounds[0].no_return) == (None, "")
    assert ended.exit_code == 0


async def test_writes_that_never_come_back_break_every_limit() -> None:
    host = SimulatedHost()
    host.outages = lambda number: 1e9
    ended = await run_rounds(await warmed(host), replace(PLAN, rounds=1, return_limit_s=5.0))
    assert not ended.rounds[0].judged
    assert "no write was acknowledged within 60 s" in ended.rounds[0].reason
    assert ended.rounds[0].election is not None
    assert ended.exit_code == 4


async def test_too_few_writes_are_no_steady_state_and_no_fault_is_caused() -> None:
    host = await warmed(SimulatedHost(write_s=0.5))
    ended = await run_rounds(host, replace(PLAN, rounds=2, steady_limit_s=10.0))
    assert host.faults == []
    assert [round_.judged for round_ in ended.rounds] == [False, False]
    assert "too few writes" in ended.rounds[0].reason
    assert ended.exit_code == 1


async def test_a_node_that_is_down_ends_it_soon_and_is_named() -> None:
    host = await warmed(SimulatedHost())
    host.down[NODES[2]] = FaultKind.KILL
    began = host.now()
    ended = await run_rounds(host, replace(PLAN, rounds=5, max_unavailable_s=5.0))
    assert host.now() - began < PLAN.down_limit_s + 1.0
    assert host.faults == []
    assert [round_.reason for round_ in ended.rounds] == ["no steady state within 10 s: :6300 is refused"]
    assert ended.exit_code == 4
    assert f"{NODES[2]} did not come back: refused for 10 s" in ended.verdict
    assert "could not be shown" in ended.verdict


async def test_a_node_that_is_down_for_a_moment_is_waited_for() -> None:
    host = await warmed(SimulatedHost())
    host.down[NODES[2]] = FaultKind.KILL
    host.due.append((host.now() + PLAN.down_limit_s - 2.0, host.down.clear))
    ended = await run_rounds(host, replace(PLAN, rounds=1))
    assert ended.rounds[0].judged
    assert ended.exit_code == 0


async def test_an_unsteady_rate_is_waited_for() -> None:
    host = await warmed(SimulatedHost())
    host.due.append((host.clock + 0.5, lambda: setattr(host, "write_s", 0.1)))
    host.due.append((host.clock + 2.5, lambda: setattr(host, "write_s", 0.02)))
    begun = host.clock
    ended = await run_rounds(host, replace(PLAN, rounds=1))
    assert ended.rounds[0].judged
    assert host.faults[0].at - begun > 5.0


@pytest.mark.parametrize("after", [0.5, 4.3, 5.5])
async def test_a_stop_ends_it_soon_and_brings_the_node_back(after: float) -> None:
    host = await warmed(SimulatedHost(outage_s=2.0))
    host.due.append((host.clock + after, lambda: setattr(host, "stop", True)))
    ended = await run_rounds(host, PLAN)
    await host.sleep(2.0)
    assert len(ended.rounds) == 1
    assert not ended.rounds[0].judged or after > 5
    assert host.down == {}
    assert "stopped" in ended.verdict


@pytest.mark.parametrize("after", [3.5, 5.0])
async def test_whatever_breaks_the_node_is_brought_back(after: float) -> None:
    host = await warmed(SimulatedHost(outage_s=3.0))

    def breaks() -> None:
        raise RuntimeError("broken")

    host.due.append((host.clock + after, breaks))
    with pytest.raises(RuntimeError, match="broken"):
        await run_rounds(host, PLAN)
    assert host.faults
    await host.sleep(2.0)
    assert host.down == {}


@pytest.mark.parametrize(("outage", "every", "judged"), [(1.0, 0.2, True), (1.0, 0.9, False), (4.0, 1.4, False)])
async def test_with_too_few_writes_in_the_outage_it_is_not_judged(outage: float, every: float, judged: bool) -> None:
    """The users write often enough before, and hang in the outage."""

    class Hanging(SimulatedHost):
        async def cause(self, kind: FaultKind, node: str) -> Fault:
            self.write_s = every
            self.due.append((self.clock + outage + 1.0, self._hang_no_more))
            return await super().cause(kind, node)

        def _hang_no_more(self) -> None:
            self.write_s = 0.02

    host = await warmed(Hanging(outage_s=outage))
    ended = await run_rounds(host, replace(PLAN, rounds=1, max_unavailable_s=60.0))
    assert ended.rounds[0].judged is judged
    assert ended.exit_code == (0 if judged else 4)
    assert judged or "too few writes to judge" in ended.rounds[0].reason


# The verdict


def measured(gap: float | None, judged: bool = True) -> DrillRound:
    fault = Fault(FaultKind.KILL, NODES[0], 1.0)
    election = Election(
        1.0, fault, NODES[0], NODES[1], 1, 2, 1, 0.1, 0.5, 0.5, 0.6, 0.6, 0.7, gap, 0.1, 0.1
    )  # fmt: skip
    return DrillRound(1, 1, fault, judged, "" if judged else "too few writes", election if judged else None)


ONE = replace(PLAN, rounds=1)
LIMIT = replace(ONE, max_unavailable_s=1.0)
LOST = replace(KEPT, lost=2)
NOTHING = Verification(unknown=5, note="nothing to judge: no write was acknowledged")


@pytest.mark.parametrize(
    ("rounds", "verification", "plan", "more", "code", "words"),
    [
        ([measured(0.9)], KEPT, ONE, {}, 0, "no acknowledged write lost"),
        ([measured(None)], KEPT, LIMIT, {}, 0, "limit of 1 s held"),
        ([measured(1.1)], KEPT, LIMIT, {}, 4, "broken in 1 of 1"),
        ([measured(0.9), measured(None, judged=False)], KEPT, LIMIT, {}, 4, "could not be shown in 1 of 2"),
        ([measured(0.9), measured(None, judged=False)], KEPT, ONE, {}, 0, "1 of 1 rounds judged"),
        ([measured(None, judged=False)], KEPT, ONE, {}, 1, "0 of 1 rounds judged"),
        ([], KEPT, LIMIT, {}, 4, "could not be shown"),
        ([measured(0.9)], KEPT, ONE, {"gone": "http://x:1 did not come back"}, 4, "http://x:1 did not come back"),
        ([measured(0.9)], KEPT, ONE, {"unrecovered": 1}, 4, "did not come back"),
        ([measured(9.9)], LOST, LIMIT, {"gone": "x"}, 5, "2 acknowledged writes lost"),
        ([measured(0.9)], replace(KEPT, phantom=1), ONE, {}, 5, "1 refused writes present"),
        ([measured(0.9)], NOTHING, ONE, {}, 11, "not judged (nothing to judge"),
        ([measured(0.9)], replace(KEPT, unread=20, note="stopped after 80 of 100"), ONE, {}, 11, "not judged (stopped"),
        ([measured(0.9)], replace(KEPT, diverged=4), ONE, {}, 5, "4 acknowledged writes differ on a node for good"),
        ([measured(0.9)], replace(KEPT, not_caught_up=4, note="4 differ"), ONE, {}, 11, "not judged (4 differ)"),
        ([measured(0.9)], replace(KEPT, nodes_read=1, nodes=3, note="1 of 3"), ONE, {}, 11, "not judged (1 of 3)"),
        ([measured(0.9)], None, ONE, {}, 0, "not verified"),
        ([measured(0.9)], replace(KEPT, stale=3), ONE, {}, 0, "3 stale"),
        ([measured(0.9)], replace(KEPT, checked=7), ONE, {}, 0, "lost among the 7 that were read back"),
        ([], KEPT, ONE, {"stopped": True}, 1, "stopped"),
    ],
)
def test_the_verdict(
    rounds: list[DrillRound],
    verification: Verification | None,
    plan: DrillPlan,
    more: dict[str, object],
    code: int,
    words: str,
) -> None:
    verdict, reasons = drill_verdict(rounds, verification, plan, **more)  # type: ignore[arg-type]
    assert exit_code_of(reasons) == code
    assert words in verdict
