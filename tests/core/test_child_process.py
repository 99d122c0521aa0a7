"""Child processes: one way to start them, to talk to them and to end them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.core.child_process.pipes import MessageCutter, MessagePipe, incoming, line_of, receive, send
from confman_tui.core.child_process.start import ChildProcess, start
from tests.support.child_echo import Echo, Seen
from tests.support.waiting import DEADLINE_S, until

MODULE = "tests.support.child_echo"


@contextmanager
def echo(*arguments: str, own_session: bool = False) -> Iterator[ChildProcess]:
    child = start(MODULE, *arguments, own_session=own_session)
    try:
        yield child
    finally:
        child.end(0.0)


def output(child: ChildProcess) -> int:
    assert child.stdout is not None
    return child.stdout.fileno()


def begun(child: ChildProcess, text: str = "first") -> Seen:
    """Have it say what it sees; what it printed before is in no message."""
    child.send(Echo(text))
    assert receive(output(child), Echo, 20.0) == Echo(text)
    return receive(output(child), Seen, 20.0)


def test_nobody_sees_a_secret_and_no_module_of_the_working_directory_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "msgspec.py").write_text("raise ImportError('not ours')\n")
    monkeypatch.chdir(tmp_path)
    for name in ("CONFMAN_BENCH_API_KEY", "LOCUST_USERS", "HARMLESS"):
        monkeypatch.setenv(name, "secret")
    with echo("an argument") as child:
        seen = begun(child)
        assert seen.arguments == ["an argument"]
        assert "HARMLESS" in seen.variables
        assert not {"CONFMAN_BENCH_API_KEY", "LOCUST_USERS"} & set(seen.variables)
        assert str(tmp_path) not in seen.path
        assert psutil.Process(child.pid).cmdline()[1:4] == ["-P", "-m", MODULE]
        assert "an argument" in child.command_line


@pytest.mark.parametrize("own_session", [False, True])
def test_it_has_a_process_group_and_a_session_only_when_asked_for(own_session: bool) -> None:
    with echo(own_session=own_session) as child:
        assert os.getpgid(child.pid) == child.pid
        assert (os.getsid(child.pid) == child.pid) is own_session
        assert own_session or os.getsid(child.pid) == os.getsid(0)


def test_it_outlives_the_thread_that_asked_for_it() -> None:
    children: list[ChildProcess] = []

    def ask() -> None:
        children.append(start(MODULE))
        begun(children[0])  # it has asked for the parent-death signal

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    (child,) = children
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
    finally:
        child.end(0.0)


def test_the_end_of_its_input_ends_it_and_one_that_does_not_mind_is_killed() -> None:
    with echo() as child:
        begun(child)
        child.end(10.0)
        assert child.returncode == 0
    with echo("stubborn") as child:
        begun(child)
        child.end(0.1)
        assert child.returncode == -signal.SIGKILL
    child.end(0.0)  # once more does nothing


def test_what_cannot_be_started_is_an_error_where_it_was_asked_for() -> None:
    with pytest.raises(FileNotFoundError):
        start(MODULE, command=["/nonexistent/python"])


PROGRAM = """
import sys, time
from confman_tui.core.child_process.start import start
from confman_tui.core.child_process.pipes import receive
from tests.support.child_echo import Echo, Seen
child = start("tests.support.child_echo", "stubborn")
child.send(Echo("x"))
receive(child.stdout.fileno(), Echo, 20.0)
receive(child.stdout.fileno(), Seen, 20.0)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_one_that_ignores_the_end_of_its_input_ends_with_a_killed_program_all_the_same() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        child = psutil.Process(int(program.stdout.readline()))
        program.kill()
    gone, alive = psutil.wait_procs([child], timeout=DEADLINE_S)
    for left in alive:
        left.kill()
    assert gone == [child]


# -- messages


@given(st.lists(st.text(max_size=9), max_size=5), st.integers(1, 9))
def test_messages_are_whole_however_they_arrive(texts: list[str], size: int) -> None:
    data = b"".join(line_of(Echo(text)) for text in texts)
    cutter = MessageCutter(Echo)
    got = [message for at in range(0, len(data), size) for message in cutter.feed(data[at : at + size])]
    assert got == [Echo(text) for text in texts]


@pytest.mark.parametrize("line", [b"", b"no message", b"\xff", b'{"type":"Seen"}', b'{"type":"Echo","text":5}'])
def test_a_line_that_is_no_message_is_left_out_and_logged(line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert list(MessageCutter(Echo).feed(line + b"\n" + line_of(Echo("next")))) == [Echo("next")]
    assert "left out" in caplog.text


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    source, sink = os.pipe()
    try:
        yield source, sink
    finally:
        for descriptor in (source, sink):
            try:
                os.close(descriptor)
            except OSError:
                continue


def test_receive_reads_not_a_byte_more_than_its_message() -> None:
    with pipe() as (source, sink):
        send(sink, Echo("a"))
        send(sink, Echo("b"))
        assert receive(source, Echo) == Echo("a")
        os.close(sink)
        assert list(incoming(source, Echo)) == [Echo("b")]


def test_receive_says_why_there_is_no_message() -> None:
    with pipe() as (source, sink):
        with pytest.raises(TimeoutError):
            receive(source, Echo, 0.01)
        os.write(sink, b"5\n")
        with pytest.raises(ValueError, match="object"):
            receive(source, Echo)
        os.write(sink, b'{"half')
        os.close(sink)
        with pytest.raises(EOFError):
            receive(source, Echo)


async def test_more_than_a_pipe_holds_goes_through_without_waiting() -> None:
    got: list[object] = []
    ends: list[str] = []
    with echo() as child:
        assert child.stdin is not None
        pipe = MessagePipe(
            asyncio.get_running_loop(),
            output(child),
            child.stdin.fileno(),
            Echo | Seen,
            got.append,
            lambda: ends.append("ended"),
        )
        sent = [Echo(str(number) * 50_000) for number in range(10)]
        # the other side takes nothing while it is sent: who waited for it would wait for ever
        os.kill(child.pid, signal.SIGSTOP)
        pipe.send(*sent)
        os.kill(child.pid, signal.SIGCONT)
        await until(lambda: len(got) == len(sent) + 1)
        assert [message for message in got if isinstance(message, Echo)] == sent
        child.kill()
        await until(lambda: ends == ["ended"])
        pipe.send(Echo("to nobody"))
        pipe.close()


async def test_what_takes_a_message_may_fail_and_gets_the_next_one_all_the_same() -> None:
    got: list[Echo] = []
    failures: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def take(message: Echo) -> None:
        got.append(message)
        if len(got) == 1:
            raise ZeroDivisionError

    with pipe() as (source, sink):
        reading = MessagePipe(loop, source, None, Echo, take, lambda: None)
        reading.send(Echo("a pipe without a sink drops it"))
        os.write(sink, line_of(Echo("a")) + line_of(Echo("b")))
        await until(lambda: len(got) == 2)
        reading.close()
    assert [type(failure) for failure in failures] == [ZeroDivisionError]
