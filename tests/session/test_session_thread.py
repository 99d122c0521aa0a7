"""The session on its thread, without a screen: commands from another thread, events, what is kept, and the ends."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from confman_tui.cli import make_demo
from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.core.errors import EXIT_UNJUDGED
from confman_tui.load.locust_setup import prepare
from confman_tui.results.contents import results_only
from confman_tui.session.events import (
    DeferredRunDropped,
    Event,
    NoticeGiven,
    Phase,
    PhaseChanged,
    RunDeferred,
    ScenarioEnded,
    ScenarioStarted,
    SweepRefused,
    VerificationEnded,
)
from confman_tui.session.exit_reasons import ExitReasons
from confman_tui.session.session_thread import SessionThread
from confman_tui.settings import resolve
from confman_tui.settings.command_line import parse
from tests.support.confman_server import Server
from tests.support.lying_servers import LyingCluster
from tests.support.three_servers import Trio
from tests.support.waiting import DEADLINE_S

Events = queue.SimpleQueue[Event]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare()
    for name in ("CONFIG_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path / name))
    return tmp_path


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def session_of(home: Path, *flags: str) -> tuple[SessionThread, Events]:
    parsed = parse([*flags, "--output-dir", str(home / "results"), "--duration", "1s"])
    return SessionThread(resolve(parsed.command, parsed.flags, {}).settings, make_demo), queue.SimpleQueue()


def of(server: Server) -> tuple[str, ...]:
    return ("--nodes", server.url, "--host", server.url)


def until(events: Events, wanted: Callable[[Event], bool], deadline_s: float = DEADLINE_S) -> list[Event]:
    """All events up to the first that is wanted."""
    deadline, seen = time.monotonic() + deadline_s, list[Event]()
    while True:
        seen.append(events.get(timeout=max(0.01, deadline - time.monotonic())))
        if wanted(seen[-1]):
            return seen


def phase(wanted: Phase) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, PhaseChanged) and event.phase is wanted


def ended(session: SessionThread) -> None:
    session.quit()
    assert session.join(DEADLINE_S)
    assert session.crash is None


def test_commands_go_there_and_events_come_back(home: Path) -> None:
    demo = ("--demo", "--demo-ports", "auto", "--demo-election-timeout", "300-600")
    before = psutil.Process().children(recursive=True)
    session, events = session_of(home, *demo)
    with pytest.raises(FaultRefusedError, match="no cluster is open yet"):
        session.preview_fault(FaultKind.KILL, "http://127.0.0.1:1")
    session.start(events.put)
    try:
        until(events, phase(Phase.IDLE))
        session.run_scenarios(["write-1u"])
        (*_, last) = until(events, lambda event: isinstance(event, ScenarioEnded))
        assert isinstance(last, ScenarioEnded)
        assert last.result.verification is not None
        assert last.result.verification.passed
        with pytest.raises(FaultRefusedError, match="none of this cluster"):
            session.preview_fault(FaultKind.KILL, "http://127.0.0.1:1")
        assert session.leave_behind() == "", "the demo's data goes with it"
        family = [child for child in psutil.Process().children(recursive=True) if child not in before]
        assert len(family) >= 4
    finally:
        ended(session)
    assert not psutil.wait_procs(family, timeout=DEADLINE_S)[1]


def test_only_the_latest_wish_is_kept_and_begins_when_the_data_is_there(home: Path, server: Server) -> None:
    server.control(delay_s=0.1)
    session, events = session_of(home, *of(server))
    session.start(events.put)
    try:
        session.run_scenarios(["write-1u"])
        session.run_scenarios(["read-1u", "read-10u"])
        server.control(delay_s=0.0)
        seen = until(events, lambda event: isinstance(event, ScenarioEnded) and event.result.name == "read-10u")
    finally:
        ended(session)
    assert [event.names for event in seen if isinstance(event, RunDeferred)] == [("write-1u",), ("read-1u", "read-10u")]
    assert [event.name for event in seen if isinstance(event, ScenarioStarted)] == ["read-1u", "read-10u"]
    assert not [event for event in seen if isinstance(event, DeferredRunDropped)]


def test_a_stop_forgets_the_wish_first_and_stops_the_seeding_then(home: Path, server: Server) -> None:
    session, events = session_of(home, *of(server), "--tier", "xlarge")
    session.start(events.put)
    try:
        until(events, phase(Phase.SEEDING))
        server.control(delay_s=0.2)
        session.run_scenarios(["write-10u"])
        session.stop()
        (*_, last) = until(events, lambda event: isinstance(event, DeferredRunDropped))
        assert last == DeferredRunDropped(("write-10u",), last.at, "stopped")  # type: ignore[union-attr]
        session.stop()
        seen = until(events, phase(Phase.IDLE))
        assert not [event for event in seen if isinstance(event, ScenarioStarted)]
        server.control(delay_s=0.0)
    finally:
        ended(session)


def test_a_run_whose_verification_is_stopped_is_not_judged(home: Path) -> None:
    def late(trio: Trio, number: int, namespace: str, key: str, value: str) -> None:
        trio.delay(namespace, key, 600.0, 1, 2)

    with LyingCluster(late) as cluster:
        session, events = session_of(home, "--nodes", cluster.nodes, "--host", cluster.trio.urls[0])
        session.start(events.put)
        try:
            until(events, phase(Phase.IDLE))
            session.run_scenarios(["write-1u"])
            until(events, phase(Phase.VERIFYING))
            session.stop()
            (*_, last) = until(events, lambda event: isinstance(event, ScenarioEnded))
        finally:
            ended(session)
    assert isinstance(last, ScenarioEnded)
    verification = last.result.verification
    assert verification is not None
    assert (verification.judged, verification.passed, verification.failed, verification.missed) == (
        *(False, False, False),
        True,
    )
    reasons = ExitReasons()
    reasons.take(VerificationEnded("write-1u", verification))
    assert reasons.code == EXIT_UNJUDGED
    summary = json.loads((home / "results" / "small-write-1u_summary.json").read_text())
    assert (summary["verification"]["judged"], summary["verification"]["passed"]) == (False, False)
    assert "NOT JUDGED" in results_only(home / "results")


def test_the_demo_cluster_takes_the_place_of_a_search_that_goes_on(home: Path) -> None:
    nobody = ("--nodes", "http://127.0.0.1:1", "--host", "http://127.0.0.1:1", "--wait", "10m")
    session, events = session_of(home, *nobody, "--demo-ports", "auto", "--demo-election-timeout", "300-600")
    session.start(events.put)
    try:
        until(events, phase(Phase.FINDING))
        session.run_scenarios(["write-1u"])
        session.start_demo()
        seen = until(events, lambda event: isinstance(event, ScenarioEnded))
        assert not [event for event in seen if isinstance(event, PhaseChanged) and event.phase is Phase.OFFLINE]
        assert not [event for event in seen if isinstance(event, DeferredRunDropped)], "what was asked for is kept"
    finally:
        ended(session)


def test_a_sweep_that_cannot_start_says_so_once_and_the_data_can_be_put_back(home: Path, server: Server) -> None:
    session, events = session_of(home, *of(server))
    session.start(events.put)
    try:
        until(events, phase(Phase.IDLE))
        session.run_scenarios(["write-1u"])
        until(events, phase(Phase.IDLE))
        session.sweep((5, 10, 20))
        seen = until(events, phase(Phase.IDLE))
        (refused,) = [event for event in seen if isinstance(event, SweepRefused)]
        assert (refused.seeded, refused.largest) == (100, 20)
        assert refused.held >= 100, "what the run wrote was removed first"
        assert not [event for event in seen if isinstance(event, NoticeGiven)], "one thing is said"
        session.put_back()
        until(events, phase(Phase.IDLE))
        session.sweep((20,))
        (again,) = [event for event in until(events, phase(Phase.IDLE)) if isinstance(event, SweepRefused)]
        assert again.held <= 101, "the seeded ones, and perhaps the probe's"
    finally:
        ended(session)


def test_a_drill_runs_as_it_was_asked_for(home: Path) -> None:
    demo = ("--demo", "--demo-ports", "auto", "--demo-election-timeout", "300-600", "--rounds", "5")
    session, events = session_of(home, *demo)
    session.start(events.put)
    try:
        until(events, phase(Phase.IDLE))
        session.drill(FaultKind.PAUSE, 2)
        (*_, last) = until(events, phase(Phase.DRILLING))
        assert isinstance(last, PhaseChanged)
        assert last.detail == "2 rounds of pause"
    finally:
        ended(session)


def test_a_wish_is_dropped_where_no_cluster_is_found(home: Path) -> None:
    session, events = session_of(home, "--nodes", "http://127.0.0.1:1", "--host", "http://127.0.0.1:1")
    session.start(events.put)
    try:
        session.run_scenarios(["read-1u"])
        session.run_scenarios(["read-10u"])
        until(events, lambda event: isinstance(event, RunDeferred) and event.names == ("read-10u",))
        session.stop()
        until(events, lambda event: isinstance(event, DeferredRunDropped))
        session.run_scenarios(["read-1u"])
        session.retry()  # refused: it is being looked for already
        until(events, lambda event: isinstance(event, NoticeGiven) and "still under way" in event.text)
    finally:
        ended(session)


def test_leaving_at_once_does_not_wait_for_a_search_of_processes(
    home: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview looks for the process behind a port and holds the lock of the fault injector meanwhile."""
    session, events = session_of(home, *of(server), "--allow-faults")
    searching, go_on = threading.Event(), threading.Event()

    def search(self: object, node: str) -> str:
        searching.set()
        go_on.wait(DEADLINE_S)
        return "pid 1"

    monkeypatch.setattr("confman_tui.cluster.faults.local_control.LocalControl.describe", search)
    monkeypatch.setattr("confman_tui.cluster.faults.injector.FaultInjector._check", lambda self, kind, node: None)
    session.start(events.put)
    try:
        until(events, phase(Phase.IDLE))
        thread = threading.Thread(target=session.preview_fault, args=(FaultKind.KILL, server.url))
        thread.start()
        assert searching.wait(DEADLINE_S)
        assert "namespaces" in session.leave_behind()
        session.abandon(0.05)
        assert thread.is_alive(), "it did not wait"
        go_on.set()
        thread.join(DEADLINE_S)
    finally:
        go_on.set()
        ended(session)


def test_a_defect_of_a_command_is_a_notice(home: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("confman_tui.session.incidents.IncidentTracker.revive", broken)
    session, events = session_of(home, *of(server))
    session.start(events.put)
    until(events, phase(Phase.IDLE))
    session.revive()
    until(events, lambda event: isinstance(event, NoticeGiven) and "ZeroDivisionError: a defect" in event.text)
    session.quit()
    assert session.join(DEADLINE_S)
    assert isinstance(session.crash, ZeroDivisionError)


def test_a_defect_before_the_first_command_leaves_nobody_waiting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("confman_tui.session.session_thread.Session", broken)
    session, events = session_of(home)
    session.start(events.put)
    until(events, phase(Phase.CLOSED))
    assert session.join(DEADLINE_S)
    assert isinstance(session.crash, ZeroDivisionError)
