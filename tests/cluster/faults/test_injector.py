"""What may be done to which node, and what is asked first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultDesk

NODES = tuple(f"http://127.0.0.1:{port}" for port in (6100, 6200, 6300))
A, B, C = NODES
KILL, PAUSE, RESUME = FaultKind.KILL, FaultKind.PAUSE, FaultKind.RESUME
ISOLATE, HEAL, RESTART = FaultKind.ISOLATE, FaultKind.HEAL, FaultKind.RESTART


class Nodes:
    """Does what is asked, and answers like nodes that it was done to."""

    def __init__(self, nodes: tuple[str, ...] = NODES) -> None:
        self.nodes = nodes
        self.dead: set[str] = set()
        self.paused: set[str] = set()
        self.cut: set[str] = set()
        self.did: list[tuple[str, str]] = []
        self.fails = ""

    def live(self) -> tuple[str, ...]:
        return tuple(node for node in self.nodes if node not in self.dead | self.paused)

    def _did(self, what: str, node: str) -> None:
        if self.fails:
            raise FaultRefusedError(self.fails)
        self.did.append((what, node))

    def kill(self, node: str) -> None:
        self._did("kill", node)
        self.dead.add(node)
        self.paused.discard(node)
        self.cut.discard(node)

    def pause(self, node: str) -> None:
        self._did("pause", node)
        self.paused.add(node)

    def resume(self, node: str) -> None:
        self._did("resume", node)
        self.paused.discard(node)

    def isolate(self, node: str) -> None:
        self._did("isolate", node)
        self.cut.add(node)

    def heal(self, node: str) -> None:
        self._did("heal", node)
        self.cut.discard(node)

    def restart(self, node: str) -> None:
        self._did("restart", node)
        self.dead.discard(node)

    def describe(self, node: str) -> str:
        if self.fails:
            raise FaultRefusedError(self.fails)
        return f"pid 7: {node}"


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def demo(nodes: tuple[str, ...] = NODES) -> tuple[FaultDesk, Nodes]:
    control = Nodes(nodes)
    return FaultDesk(nodes, control, control.live, demo=True, clock=Time()), control


def foreign(allow: bool = True, restart: bool = True, nodes: tuple[str, ...] = NODES) -> tuple[FaultDesk, Nodes]:
    control = Nodes(nodes)
    desk = FaultDesk(nodes, control, control.live, demo=False, allow_faults=allow, undoable_kill=restart, clock=Time())
    return desk, control


def test_on_the_demo_cluster_at_once() -> None:
    desk, control = demo()
    plan = desk.preview(KILL, A)
    assert (plan.needs_confirmation, plan.warning, plan.target) == (False, "", f"pid 7: {A}")
    fault = desk.cause(KILL, A)
    assert (fault.kind, fault.node, fault.at, fault.by) == (KILL, A, 100.0, "you")
    assert control.did == [("kill", A)]
    assert desk.standing() == (fault,)


@pytest.mark.parametrize("kind", [KILL, PAUSE, ISOLATE])
def test_without_a_majority_left_it_asks_first(kind: FaultKind) -> None:
    desk, _ = demo()
    desk.cause(PAUSE, A)
    plan = desk.preview(kind, B)
    assert plan.needs_confirmation
    assert "Only 1 of 3 nodes" in plan.warning


def test_it_asks_although_the_polling_has_not_noticed_the_first_fault_yet() -> None:
    control = Nodes()
    desk = FaultDesk(NODES, control, lambda: NODES, demo=True, clock=Time())
    desk.cause(ISOLATE, A)
    assert desk.preview(KILL, B).needs_confirmation


@pytest.mark.parametrize("kind", [KILL, PAUSE, ISOLATE])
def test_the_last_live_node_is_left_alone(kind: FaultKind) -> None:
    desk, control = demo()
    desk.cause(KILL, A)
    desk.cause(KILL, B)
    for ask in (desk.preview, desk.cause):
        with pytest.raises(FaultRefusedError, match=":6300 is the last live node"):
            ask(kind, C)
    assert len(control.did) == 2
    single, _ = demo((A,))
    with pytest.raises(FaultRefusedError, match="last live node"):
        single.cause(kind, A)


def test_a_foreign_cluster_needs_leave_and_a_person() -> None:
    desk, control = foreign(allow=False)
    for kind in (KILL, PAUSE):
        with pytest.raises(FaultRefusedError, match="--allow-faults"):
            desk.cause(kind, A)
    assert control.did == []
    desk, control = foreign()
    plan = desk.preview(PAUSE, A)
    assert (plan.needs_confirmation, plan.warning) == (True, "")
    desk.cause(PAUSE, A)
    assert not desk.preview(RESUME, A).needs_confirmation


@pytest.mark.parametrize(("is_demo", "at"), [(True, 100.0), (False, 100.2)])
def test_the_fault_is_stamped_when_the_signal_is_sent(is_demo: bool, at: float) -> None:
    """The demo sends it first and waits; for a foreign one the process is looked for first."""
    desk, control = demo() if is_demo else foreign()
    kill = control.kill

    def slow(node: str) -> None:
        desk._clock.now += 0.2  # type: ignore[attr-defined]
        kill(node)

    control.kill = slow  # type: ignore[method-assign]
    desk = FaultDesk(NODES, control, control.live, demo=is_demo, allow_faults=True, clock=desk._clock)
    assert desk.cause(KILL, A).at == at


def test_a_foreign_kill_without_a_way_back_says_so() -> None:
    desk, _ = foreign(restart=False)
    assert "can't be undone" in desk.preview(KILL, A).warning
    assert desk.preview(PAUSE, A).warning == ""
    desk.cause(KILL, A)
    done, failed = desk.revive()
    assert done == ()
    assert "--restart-cmd" in failed[0]
    assert ":6100" in failed[0]


def test_a_node_off_loopback_is_never_touched() -> None:
    far = "http://192.0.2.7:6100"
    desk, control = foreign(nodes=(far, B, C))
    for kind in (KILL, PAUSE):
        with pytest.raises(FaultRefusedError, match="loopback"):
            desk.cause(kind, far)
    assert control.did == []


@pytest.mark.parametrize("kind", [ISOLATE, HEAL])
def test_isolating_is_for_the_demo_cluster(kind: FaultKind) -> None:
    desk, _ = foreign()
    with pytest.raises(FaultRefusedError, match="demo cluster only"):
        desk.cause(kind, A)


def test_what_does_not_answer_as_confman_is_not_touched() -> None:
    control = Nodes()
    desk = FaultDesk(NODES, control, lambda: (B, C), demo=False, allow_faults=True, clock=Time())
    with pytest.raises(FaultRefusedError, match=":6100 does not answer as a Confman node"):
        desk.preview(KILL, A)
    assert control.did == []


def test_unknown_nodes_and_doubled_faults_are_refused() -> None:
    desk, _ = demo()
    with pytest.raises(FaultRefusedError, match="none of this cluster's nodes"):
        desk.cause(KILL, "http://127.0.0.1:9")
    desk.cause(PAUSE, A)
    with pytest.raises(FaultRefusedError, match=":6100 is paused already"):
        desk.cause(PAUSE, A)
    desk.cause(KILL, A)
    for kind in (KILL, PAUSE, ISOLATE):
        with pytest.raises(FaultRefusedError, match="killed already"):
            desk.cause(kind, A)
    for kind in (RESUME, HEAL):
        with pytest.raises(FaultRefusedError, match="nothing to undo"):
            desk.cause(kind, A)
    with pytest.raises(FaultRefusedError, match="nothing to undo"):
        desk.cause(RESTART, B)


def test_revive_undoes_everything_once() -> None:
    desk, control = demo()
    desk.cause(KILL, A)
    desk.cause(PAUSE, B)
    desk.cause(ISOLATE, B)
    done, failed = desk.revive("drill")
    assert failed == ()
    assert {(fault.kind, fault.node, fault.by) for fault in done} == {
        (RESTART, A, "drill"),
        (RESUME, B, "drill"),
        (HEAL, B, "drill"),
    }
    assert control.dead | control.paused | control.cut == set()
    assert desk.revive() == ((), ())


def test_what_fails_is_said_and_stays_standing() -> None:
    desk, control = demo()
    desk.cause(KILL, A)
    control.fails = "no such program"
    assert desk.revive() == ((), ("no such program",))
    with pytest.raises(FaultRefusedError, match="no such program"):
        desk.preview(KILL, B)
    control.fails = ""
    assert len(desk.revive()[0]) == 1


def test_resume_all_resumes_and_does_nothing_else() -> None:
    desk, control = demo()
    desk.cause(KILL, A)
    desk.cause(PAUSE, B)
    [fault] = desk.resume_all()
    assert (fault.kind, fault.node, fault.by) == (RESUME, B, "exit")
    assert control.did[-1] == ("resume", B)
    assert A in control.dead


def test_a_node_that_somebody_else_brought_back_can_be_hurt_again() -> None:
    desk, control = demo()
    desk.cause(KILL, A)
    control.dead.clear()
    with pytest.raises(FaultRefusedError, match="killed already"):
        desk.cause(KILL, A)
    desk._clock.now += 10.0  # type: ignore[attr-defined]
    desk.cause(KILL, A)
    assert control.did == [("kill", A), ("kill", A)]


@given(st.lists(st.tuples(st.sampled_from(list(FaultKind)), st.sampled_from(NODES)), max_size=30), st.booleans())
def test_whatever_is_asked_one_node_lives_and_everything_comes_back(
    asked: list[tuple[FaultKind, str]], is_demo: bool
) -> None:
    desk, control = demo() if is_demo else foreign()
    for kind, node in asked:
        try:
            plan = desk.preview(kind, node)
            unhurt = set(NODES) - control.dead - control.paused - control.cut
            desk.cause(kind, node)
        except FaultRefusedError:
            continue
        left = set(NODES) - control.dead - control.paused - control.cut
        assert left
        if len(unhurt) >= 2 > len(left):
            assert plan.needs_confirmation
    desk.revive()
    assert control.dead | control.paused | control.cut == set()
    assert desk.standing() == ()
