"""The conductor in a process of its own, without a screen: commands, questions, events and the end."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from confman_tui.arguments import parse
from confman_tui.cluster.control import FaultRefusedError
from confman_tui.cluster.elections_model import FaultKind
from confman_tui.events import Event, NoticeGiven, Phase, PhaseChanged, ScenarioEnded
from confman_tui.remote_conductor import RemoteConductor, receive, send
from confman_tui.settings import resolve


def conductor_of(*flags: str) -> tuple[RemoteConductor, queue.SimpleQueue[Event]]:
    parsed = parse(flags)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    return RemoteConductor(resolve(parsed.command, parsed.flags, {}).settings), events


def until(events: queue.SimpleQueue[Event], wanted: Callable[[Event], bool], deadline_s: float = 20.0) -> Event:
    deadline = time.monotonic() + deadline_s
    while True:
        event = events.get(timeout=max(0.01, deadline - time.monotonic()))
        if wanted(event):
            return event


def phase(wanted: Phase) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, PhaseChanged) and event.phase is wanted


def test_commands_go_there_and_events_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confman_tui.remote_conductor.NICE", 0)
    demo = ("--demo", "--demo-ports", "auto", "--demo-election-timeout", "300-600", "--output-dir", str(tmp_path))
    conductor, events = conductor_of(*demo, "--duration", "1s")
    conductor.start(events.put)
    assert conductor._process is not None
    bench = psutil.Process(conductor._process.pid)
    family = [bench, *bench.children(recursive=True)]
    until(events, phase(Phase.IDLE))
    conductor.run_scenarios(["write-1u"])
    ended = until(events, lambda event: isinstance(event, ScenarioEnded))
    assert isinstance(ended, ScenarioEnded)
    assert ended.result.verification is not None
    assert ended.result.verification.passed
    with pytest.raises(FaultRefusedError, match="none of this cluster"):
        conductor.preview_fault(FaultKind.KILL, "http://127.0.0.1:1")
    assert conductor.leave_behind() == "", "the demo's data goes with it"
    family += bench.children(recursive=True)
    conductor.quit()
    until(events, phase(Phase.CLOSED))
    assert conductor.join(5.0)
    assert conductor.crash is None
    gone, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert len(gone) >= 4


def test_leaving_at_once_waits_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confman_tui.remote_conductor.NICE", 0)
    conductor, events = conductor_of("--demo", "--demo-ports", "auto", "--output-dir", str(tmp_path))
    conductor.start(events.put)
    until(events, phase(Phase.FINDING))
    assert conductor._process is not None
    family = [psutil.Process(conductor._process.pid)]
    family += family[0].children(recursive=True)
    conductor.abandon()
    assert not psutil.wait_procs(family, timeout=5)[1]


def test_one_that_can_not_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("confman_tui.children.sys.executable", "/nonexistent/python")
    conductor, events = conductor_of()
    conductor.start(events.put)
    notice = until(events, lambda event: isinstance(event, NoticeGiven))
    assert isinstance(notice, NoticeGiven)
    assert "can't be started: No such file or directory" in notice.text
    until(events, phase(Phase.CLOSED))
    assert conductor.join(1.0)
    assert conductor.crash == notice.text


def test_messages_arrive_whole_or_not_at_all() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        big = ("event", "x" * 3_000_000)
        reader: queue.SimpleQueue[object] = queue.SimpleQueue()
        thread = threading.Thread(target=lambda: reader.put(receive(theirs)))
        thread.start()
        send(ours, big)
        thread.join(10)
        assert reader.get(timeout=1) == big
        ours.sendall(b"\x00\x00\x00\x10abc")
        ours.close()
        with pytest.raises(EOFError):
            receive(theirs)
