"""What may be done to which node, and what is asked first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultInjector

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


def demo(nodes: tuple[str, ...] = NODES) -> tuple[FaultInjector, Nodes]:
    control = Nodes(nodes)
    return FaultInjector(nodes, control, control.live, demo=True, clock=Time()), control


def local(allow: bool = True, restart: bool = True, nodes: tuple[str, ...] = NODES) -> tuple[FaultInjector, Nodes]:
    control = Nodes(nodes)
    injector = FaultInjector(
        nodes, control, control.live, demo=False, allow_faults=allow, undoable_kill=restart, clock=Time()
    )
    return injector, control


def test_on_the_demo_cluster_at_once() -> None:
    injector, control = demo()
    plan = injector.preview(KILL, A)
    assert (plan.needs_confirmation, plan.warning, plan.target) == (False, "", f"pid 7: {A}")
    fault = injector.cause(KILL, A)
    assert (fault.kind, fault.node, fault.at, fault.by) == (KILL, A, 100.0, "you")
    assert control.did == [("kill", A)]
    assert injector.standing() == (fault,)


@pytest.mark.parametrize("kind", [KILL, PAUSE, ISOLATE])
def test_without_a_majority_left_it_asks_first(kind: FaultKind) -> None:
    injector, _ = demo()
    injector.cause(PAUSE, A)
    plan = injector.preview(kind, B)
    assert plan.needs_confirmation
    assert "Only 1 of 3 nodes" in plan.warning


def test_it_asks_although_the_polling_has_not_noticed_the_first_fault_yet() -> None:
    control = Nodes()
    injector = FaultInjector(NODES, control, lambda: NODES, demo=True, clock=Time())
    injector.cause(ISOLATE, A)
    assert injector.preview(KILL, B).needs_confirmation


@pytest.mark.parametrize("kind", [KILL, PAUSE, ISOLATE])
def test_the_last_live_node_is_left_alone(kind: FaultKind) -> None:
    injector, control = demo()
    injector.cause(KILL, A)
    injector.cause(KILL, B)
    for ask in (injector.preview, injector.cause):
        with pytest.raises(FaultRefusedError, match=":6300 is the last live node"):
            ask(kind, C)
    assert len(control.did) == 2
    single, _ = demo((A,))
    with pytest.raises(FaultRefusedError, match="last live node"):
        single.cause(kind, A)


def test_a_foreign_cluster_needs_leave_and_a_person() -> None:
    injector, control = local(allow=False)
    for kind in (KILL, PAUSE):
        with pytest.raises(FaultRefusedError, match="--allow-faults"):
            injector.cause(kind, A)
    assert control.did == []
    injector, control = local()
    plan = injector.preview(PAUSE, A)
    assert (plan.needs_confirmation, plan.warning) == (True, "")
    injector.cause(PAUSE, A)
    assert not injector.preview(RESUME, A).needs_confirmation


@pytest.mark.parametrize(("is_demo", "at"), [(True, 100.0), (False, 100.2)])
def test_the_fault_is_stamped_when_the_signal_is_sent(is_demo: bool, at: float) -> None:
    """The demo sends it first and waits; for another cluster the process is looked for first."""
    injector, control = demo() if is_demo else local()
    kill = control.kill

    def slow(node: str) -> None:
        injector._clock.now += 0.2  # type: ignore[attr-defined]
        kill(node)

    control.kill = slow  # type: ignore[method-assign]
    injector = FaultInjector(NODES, control, control.live, demo=is_demo, allow_faults=True, clock=injector._clock)
    assert injector.cause(KILL, A).at == at


def test_a_foreign_kill_without_a_way_back_says_so() -> None:
    injector, _ = local(restart=False)
    assert "can't be undone" in injector.preview(KILL, A).warning
    assert injector.preview(PAUSE, A).warning == ""
    injector.cause(KILL, A)
    done, failed = injector.revive()
    assert done == ()
    assert "--restart-cmd" in failed[0]
    assert ":6100" in failed[0]


def test_a_node_off_loopback_is_never_touched() -> None:
    far = "http://192.0.2.7:6100"
    injector, control = local(nodes=(far, B, C))
    for kind in (KILL, PAUSE):
        with pytest.raises(FaultRefusedError, match="loopback"):
            injector.cause(kind, far)
    assert control.did == []


@pytest.mark.parametrize("kind", [ISOLATE, HEAL])
def test_isolating_is_for_the_demo_cluster(kind: FaultKind) -> None:
    injector, _ = local()
    with pytest.raises(FaultRefusedError, match="demo cluster only"):
        injector.cause(kind, A)


def test_what_does_not_answer_as_confman_is_not_touched() -> None:
    control = Nodes()
    injector = FaultInjector(NODES, control, lambda: (B, C), demo=False, allow_faults=True, clock=Time())
    with pytest.raises(FaultRefusedError, match=":6100 does not answer as a Confman node"):
        injector.preview(KILL, A)
    assert control.did == []


def test_unknown_nodes_and_doubled_faults_are_refused() -> None:
    injector, _ = demo()
    with pytest.raises(FaultRefusedError, match="none of this cluster's nodes"):
        injector.cause(KILL, "http://127.0.0.1:9")
    injector.cause(PAUSE, A)
    with pytest.raises(FaultRefusedError, match=":6100 is paused already"):
        injector.cause(PAUSE, A)
    injector.cause(KILL, A)
    for kind in (KILL, PAUSE, ISOLATE):
        with pytest.raises(FaultRefusedError, match="killed already"):
            injector.cause(kind, A)
    for kind in (RESUME, HEAL):
        with pytest.raises(FaultRefusedError, match="nothing to undo"):
            injector.cause(kind, A)
    with pytest.raises(FaultRefusedError, match="nothing to undo"):
        injector.cause(RESTART, B)


def test_revive_undoes_everything_once() -> None:
    injector, control = demo()
    injector.cause(KILL, A)
    injector.cause(PAUSE, B)
    injector.cause(ISOLATE, B)
    done, failed = injector.revive("drill")
    assert failed == ()
    assert {(fault.kind, fault.node, fault.by) for fault in done} == {
        (RESTART, A, "drill"),
        (RESUME, B, "drill"),
        (HEAL, B, "drill"),
    }
    assert control.dead | control.paused | control.cut == set()
    assert injector.revive() == ((), ())


def test_what_fails_is_said_and_stays_standing() -> None:
    injector, control = demo()
    injector.cause(KILL, A)
    control.fails = "no such program"
    assert injector.revive() == ((), ("no such program",))
    with pytest.raises(FaultRefusedError, match="no such program"):
        injector.preview(KILL, B)
    control.fails = ""
    assert len(injector.revive()[0]) == 1


def test_resume_all_resumes_and_does_nothing_else() -> None:
    injector, control = demo()
    injector.cause(KILL, A)
    injector.cause(PAUSE, B)
    [fault] = injector.resume_all()
    assert (fault.kind, fault.node, fault.by) == (RESUME, B, "exit")
    assert control.did[-1] == ("resume", B)
    assert A in control.dead


def test_a_node_that_somebody_else_brought_back_can_be_hurt_again() -> None:
    injector, control = demo()
    injector.cause(KILL, A)
    control.dead.clear()
    with pytest.raises(FaultRefusedError, match="killed already"):
        injector.cause(KILL, A)
    injector._clock.now += 10.0  # type: ignore[attr-defined]
    injector.cause(KILL, A)
    assert control.did == [("kill", A), ("kill", A)]


@given(st.lists(st.tuples(st.sampled_from(list(FaultKind)), st.sampled_from(NODES)), max_size=30), st.booleans())
def test_whatever_is_asked_one_node_lives_and_everything_comes_back(
    asked: list[tuple[FaultKind, str]], is_demo: bool
) -> None:
    injector, control = demo() if is_demo else local()
    for kind, node in asked:
        try:
            plan = injector.preview(kind, node)
            unhurt = set(NODES) - control.dead - control.paused - control.cut
            injector.cause(kind, node)
        except FaultRefusedError:
            continue
        left = set(NODES) - control.dead - control.paused - control.cut
        assert left
        if len(unhurt) >= 2 > len(left):
            assert plan.needs_confirmation
    injector.revive()
    assert control.dead | control.paused | control.cut == set()
    assert injector.standing() == ()
