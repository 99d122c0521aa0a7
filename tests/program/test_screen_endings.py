"""However the program on a terminal ends, whatever it is doing: by signals, ^C, a closed window or a hasty person.

Session, engine and Locust live on threads of the screen's process: none of them may hold up its end.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from confman_tui.core.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_WORKERS
from tests.support.confman_server import Server
from tests.support.terminal import SCREEN_DEMO, TerminalProgram
from tests.support.waiting import wait_for

POLLING = "confman_tui.cluster.observer.process"
WORKER = "confman_tui.load.workers.local_worker"


ENDINGS: dict[str, Callable[[TerminalProgram], object]] = {
    "SIGTERM": lambda screen: screen.process.send_signal(signal.SIGTERM),
    "SIGHUP": lambda screen: screen.process.send_signal(signal.SIGHUP),
    "SIGINT": lambda screen: screen.process.send_signal(signal.SIGINT),
    # as a terminal in raw mode passes it on
    "control-c": lambda screen: screen.leave("\x03"),
    "closed window": lambda screen: screen.hang_up(),
}


def silent() -> Iterator[tuple[str, Callable[..., object]]]:
    """A node that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", lambda **wanted: None


def answering() -> Iterator[tuple[str, Callable[..., object]]]:
    """A node that answers, in a way that can be changed."""
    with Server() as server:
        yield server.url, server.control


class Phase:
    """How the program gets into one phase, and how it is seen to be there."""

    def __init__(self, home: Path, name: str, stack: contextlib.ExitStack) -> None:
        self.name = name
        self.control: Callable[..., object] = lambda **wanted: None
        if name == "election":
            # the one that is left of two nodes can't win it
            arguments = [*SCREEN_DEMO, "--demo-nodes", "2"]
        else:
            node = silent if name == "finding" else answering
            url, self.control = stack.enter_context(contextlib.contextmanager(node)())
            arguments = ["--nodes", url, "--host", url]
        arguments += {"seeding": ["--tier", "xlarge"], "verifying": ["--duration", "1"]}.get(name, [])
        home.mkdir()
        self.screen = TerminalProgram(arguments, home)
        stack.callback(self.screen.end)

    def lead_there(self) -> None:
        """Press what leads there, and wait until it has begun."""
        screen = self.screen
        if self.name in ("running", "election", "verifying"):
            screen.start_writing()
        if self.name == "election":
            screen.press("k")
            screen.wait_shows("Only 1 of 2 nodes would be left")
            screen.press("y")
            screen.wait_shows("no leader")
        elif self.name == "verifying":
            # reading back takes a while then
            self.control(delay_s=0.25)
            screen.wait_shows("checking acknowledged writes")
        elif self.name == "seeding":
            screen.wait_shows("seeding")
        elif self.name == "finding":
            screen.wait_shows("looking for the cluster")
        elif self.name == "cleaning":
            screen.wait_idle()
            self.control(delay_s=0.1)
            screen.press("q")
            screen.wait_shows("leaving: cleaning up")
        screen.note_ports()


PHASES: dict[str, tuple[str, ...]] = {
    "finding": ("SIGTERM", "control-c"),
    "seeding": ("SIGHUP", "closed window"),
    "running": tuple(ENDINGS),
    "election": ("SIGTERM", "closed window"),
    "verifying": ("SIGHUP", "control-c"),
    "cleaning": ("SIGINT", "closed window"),
}
"""Each with a signal, since the three take one way through the program, and with one of the other endings; all of them
are tried in one phase, and what is left of them in the slow tests."""


def end_in(phase: str, ending: str, home: Path) -> None:
    """One program, from its start to its end."""
    with contextlib.ExitStack() as stack:
        made = Phase(home, phase, stack)
        screen = made.screen
        made.lead_there()
        ENDINGS[ending](screen)
        code = screen.wait_end()
        if ending != "closed window":
            screen.wait_restored()
        assert b"Traceback" not in screen.written, (ending, screen.said())
        if ending.startswith("SIG"):
            # one that comes when the last cleaning is all but done may find nothing left to interrupt
            assert code == EXIT_INTERRUPTED or (phase == "cleaning" and code == EXIT_OK), (ending, screen.said())
        if phase in ("running", "election", "verifying"):
            assert (home / "results" / "small-write-10u_summary.json").exists(), f"{ending}: the figures so far"
        screen.assert_nothing_left()


def end_in_each(phase: str, endings: Iterable[str], home: Path) -> None:
    """One program per ending, beside each other, because most of the time goes into starting them; each has a terminal,
    a home and a cluster of its own."""
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(end_in, phase, ending, home / ending) for ending in endings]
    for each in waiting:
        each.result()


@pytest.mark.parametrize(
    "phase",
    [pytest.param(phase, marks=pytest.mark.slow) if phase in ("finding", "cleaning") else phase for phase in PHASES],
)
def test_it_ends_in_order_in_every_phase(phase: str, tmp_path: Path) -> None:
    end_in_each(phase, PHASES[phase], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("phase", [phase for phase, endings in PHASES.items() if len(endings) < len(ENDINGS)])
def test_it_ends_in_order_in_every_phase_by_every_other_ending(phase: str, tmp_path: Path) -> None:
    end_in_each(phase, [ending for ending in ENDINGS if ending not in PHASES[phase]], tmp_path)


@pytest.mark.parametrize(
    "phase",
    [
        *(pytest.param(phase, marks=pytest.mark.slow) for phase in ("finding", "seeding")),
        *("running", "verifying", "cleaning"),
    ],
)
def test_a_person_in_a_hurry_waits_for_nothing(phase: str, tmp_path: Path) -> None:
    """The node answers nothing any more while the program goes: it did not wait for an answer, nor for its limits."""
    with contextlib.ExitStack() as stack:
        made = Phase(tmp_path / "home", phase, stack)
        screen = made.screen
        made.lead_there()
        made.control(delay_s=3600.0)
        while screen.process.poll() is None:
            # the first asks where something would be lost, the second says yes, the third leaves at once
            with contextlib.suppress(OSError):
                screen.press("q")
            with contextlib.suppress(AssertionError):
                wait_for(lambda: screen.process.poll() is not None, "its end", 0.2)
        screen.wait_restored()
        assert b"Traceback" not in screen.written
        if phase != "finding":
            screen.wait_shows("left at once; ")
            assert b"cleaning failed" not in screen.written, "it gave up by itself"
        wait_for(lambda: not screen.family(), lambda: f"processes left: {screen.family()}")


def test_the_process_that_polls_is_started_anew(tmp_path: Path) -> None:
    """It is killed while users write: their run goes on and ends with its figures, and nothing is left."""
    with Server() as server:
        screen = TerminalProgram(["--nodes", server.url, "--host", server.url, "--duration", "4"], tmp_path)
        try:
            screen.start_writing()
            [first] = screen.of_module(POLLING)
            assert "confman_dev" not in " ".join(first.cmdline())
            first.kill()
            wait_for(lambda: [one.pid for one in screen.of_module(POLLING)] not in ([], [first.pid]), "another one")
            document = screen.summary("write-10u")
            assert document["failures"] == 0
            assert document["verification"]["lost"] == 0
            assert screen.leave() == EXIT_OK
        finally:
            screen.end()
        screen.assert_nothing_left()


@pytest.mark.parametrize(
    "keys", ["", pytest.param("qqq", marks=pytest.mark.slow)], ids=["after it was told", "at once"]
)
def test_a_run_that_lost_its_workers_gives_the_code_of_that(keys: str, tmp_path: Path) -> None:
    """As without a screen; where a person leaves at once, 130 stands before it, and the reason is told all the same."""
    with Server() as server:
        screen = TerminalProgram(["--nodes", server.url, "--host", server.url, "--workers", "2"], tmp_path)
        try:
            screen.start_writing()
            seeded = server.control()["put"]
            wait_for(lambda: server.control()["put"] > seeded + 100, "some load")
            for worker in screen.of_module(WORKER):
                worker.kill()
            if keys:
                screen.wait_shows("ended by signal 9")
                with contextlib.suppress(OSError):
                    screen.press(keys)
                assert screen.wait_end() in (EXIT_WORKERS, EXIT_INTERRUPTED)
            else:
                assert screen.summary("write-10u")["invalid"].startswith("worker-")
                assert screen.leave() == EXIT_WORKERS
                assert screen.shows("exit code 7: write-10u: the figures are invalid: worker-")
        finally:
            screen.end()


def test_these_are_all_its_processes(tmp_path: Path) -> None:
    """Beside the nodes: the program itself, the renderer of graphs, the process that polls."""
    screen = TerminalProgram(SCREEN_DEMO, tmp_path)
    try:
        screen.start_writing()
        wait_for(lambda: bool(screen.of_module("confman_tui.tui.charts.renderer")), "the renderer")
        modules = sorted(process.cmdline()[3] for process in screen.family() if process.pid != screen.process.pid)
        assert modules.count("confman_tui.demo.node") == 3
        rest = [module for module in modules if module != "confman_tui.demo.node"]
        assert rest == [POLLING, "confman_tui.tui.charts.renderer"]
        screen.process.send_signal(signal.SIGTERM)
        assert screen.wait_end() == EXIT_INTERRUPTED
    finally:
        screen.end()
    screen.assert_nothing_left()


def test_a_key_pressed_too_early_is_kept_and_s_forgets_it(tmp_path: Path) -> None:
    with Server(delay_ms=200) as server:
        screen = TerminalProgram(["--nodes", server.url, "--host", server.url, "--duration", "1"], tmp_path)
        try:
            screen.wait_shows("looking for the cluster")
            screen.press("1")
            screen.wait_shows("write-1u starts when the data is there")
            screen.press("s")
            screen.wait_shows("write-1u will not start: stopped")
            screen.press("3")
            screen.wait_shows("read-1u starts when the data is there")
            screen.press("4")
            screen.wait_shows("read-10u starts when the data is there")
            server.control(delay_s=0.0)
            assert screen.summary("read-10u")["requests"] > 0
            assert not (tmp_path / "results" / "small-read-1u_summary.json").exists(), "the newest took its place"
            assert not (tmp_path / "results" / "small-write-1u_summary.json").exists()
            assert screen.leave() == EXIT_OK
        finally:
            screen.end()
        screen.assert_nothing_left()
