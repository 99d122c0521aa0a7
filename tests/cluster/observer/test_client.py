"""The process that polls and probes: it reports what is so, keeps its secrets, and ends with the program."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.observer.client import Observer
from confman_tui.cluster.observer.messages import (
    NodePolled,
    ObserverOptions,
    ProbeWriteEnded,
    ToObserver,
    ToProgram,
)
from confman_tui.cluster.observer.process import Outbox
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.states import Poll, PollKind
from confman_tui.cluster.watch_mode import WatchPace
from confman_tui.cluster.writes.ledger import WriteBook
from confman_tui.core.child_process.pipes import line_of
from confman_tui.core.clock import now
from confman_tui.core.errors import ClusterError
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.settings.tiers import PROBE_NAMESPACE
from tests.support.keys import ADMIN
from tests.support.probe_turns import turns_of_the_probe
from tests.support.waiting import DEADLINE_S, until

texts = st.text(max_size=40)
times = st.floats(0, 2e9)
polls = st.builds(
    Poll,
    texts,
    times,
    times,
    st.sampled_from(list(PollKind)),
    st.booleans(),
    texts,
    st.none() | texts,
    st.none() | st.integers(0, 2**63 - 1),
    texts,
)


@given(polls)
def test_a_poll_survives_its_way(poll: Poll) -> None:
    message = NodePolled(poll)
    assert msgspec.json.decode(line_of(message), type=ToProgram) == message


paces = st.builds(WatchPace, st.floats(0.01, 10), st.floats(0.01, 10), st.none() | st.floats(0, 10))


@given(st.lists(texts, min_size=1, max_size=9), texts, paces, st.floats(-1e9, 2e9))
def test_options_survive_their_way(nodes: list[str], key: str, pace: WatchPace, offset: float) -> None:
    options = ObserverOptions(tuple(nodes), key, pace, "abcdef", offset, 7)
    line = line_of(options)
    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line, type=ObserverOptions) == options


def test_options_do_not_show_the_key() -> None:
    options = ObserverOptions(("http://127.0.0.1:1",), "swordfish", WatchPace(), "abcdef", 0.0, 7)
    assert "swordfish" not in repr(options)


def test_a_digest_of_64_bits_survives_its_way() -> None:
    ended = ProbeWriteEnded("n", "k", 2**64 - 1, 1.0, 2.0, "u", WriteOutcome.UNKNOWN)
    assert msgspec.json.decode(line_of(ended), type=ToProgram) == ended


@pytest.mark.parametrize(
    "line", [b'["sign","why"]', b'{"type":"BeAlert"}', b'{"type":"BookWrites","booking":1}', b'{"type":"Polling"}']
)
def test_what_the_observer_does_not_understand_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(line, type=ToObserver)


async def test_a_change_goes_at_once_and_takes_along_what_waited() -> None:
    sent: list[tuple[object, ...]] = []
    outbox = Outbox(lambda *messages: sent.append(messages))
    first, second, third = (ProbeWriteEnded("n", key, 1, 1.0, 2.0, "u", WriteOutcome.UNKNOWN) for key in "abc")
    outbox.put(first)
    assert sent == []
    outbox.put(second, at_once=True)
    assert sent == [(first, second)]
    outbox.put(third)
    await until(lambda: len(sent) == 2)
    assert sent[1] == (third,)
    outbox.flush()
    assert len(sent) == 2


class Watched:
    """An observer and what it reported."""

    def __init__(self, nodes: tuple[str, ...], probe_s: float, command: list[str] | None = None) -> None:
        self.polls: list[Poll] = []
        self.troubles: list[str] = []
        self.stamp = SharedWriteTimes()
        self.book = WriteBook(self.stamp)
        self.observer = Observer(
            nodes,
            ADMIN,
            self.book,
            self.stamp,
            self.polls.append,
            pace=WatchPace(0.05, 0.05, probe_s),
            on_trouble=self.troubles.append,
            command=command,
        )


@asynccontextmanager
async def watching(nodes: tuple[str, ...], probe_s: float = 0.03) -> AsyncIterator[Watched]:
    watched = Watched(nodes, probe_s)
    await watched.observer.start()
    try:
        yield watched
    finally:
        await watched.observer.stop()
        # the cluster is shared with other tests
        async with ConfmanClient(ADMIN, nodes=nodes) as client:
            for entry in await client.list_entries(nodes[0], PROBE_NAMESPACE):
                await client.delete_entry(nodes[0], PROBE_NAMESPACE, entry.key)


def keys_of(book: WriteBook) -> list[str]:
    return [write.key for name in book.ledger.namespaces for write in book.ledger.writes(name)]


async def test_it_polls_and_probes_and_the_writes_are_there(demo: DemoCluster) -> None:
    before = now()
    async with watching(demo.urls) as watched:
        await until(lambda: {poll.node for poll in watched.polls if poll.kind is PollKind.ANSWER} == set(demo.urls))
        # on a busy machine an answer may be late
        assert {poll.kind for poll in watched.polls} <= {PollKind.ANSWER, PollKind.TIMEOUT}
        assert all(before < poll.sent <= poll.answered < now() for poll in watched.polls)
        assert watched.book.stream.last_started is None, "nobody allowed it to write yet"
        watched.observer.book(True)
        watched.observer.start_probe()
        await until(lambda: len(keys_of(watched.book)) >= 5)
        await watched.observer.stop_probe()
        keys = keys_of(watched.book)
        assert len(set(keys)) == len(keys)
        assert all(watched.observer.is_spent_key(key) for key in keys)
        assert watched.book.ledger.outcomes()[0] == len(keys)
        async with ConfmanClient(ADMIN, nodes=demo.urls) as client:
            kept = {entry.key for entry in await client.list_entries(demo.urls[0], PROBE_NAMESPACE)}
        assert kept >= set(keys)
        at_rest = watched.book.stream.last_started
        polled = len(watched.polls)
        await until(lambda: len(watched.polls) > polled + 6)
        assert watched.book.stream.last_started == at_rest, "a stopped probe writes no more"


async def test_a_write_of_an_earlier_run_that_is_reported_late_is_not_booked_in_the_next() -> None:
    """Between two runs its key was removed with all of that run, and it would seem lost."""
    watched = Watched(("http://127.0.0.1:9",), 0.1)

    def ended(key: str, started: float) -> None:
        outcome = WriteOutcome.ACKNOWLEDGED
        watched.observer._on_message(ProbeWriteEnded(PROBE_NAMESPACE, key, 1, started, started + 0.001, "n", outcome))

    watched.observer.book(True)
    ended("key-first", now())
    watched.observer.book(False)
    sent = now()
    watched.book.hand_over_ledger()
    watched.observer.book(True)
    ended("key-late", sent)
    ended("key-second", now())
    assert keys_of(watched.book) == ["key-second"]


async def test_a_write_of_the_load_keeps_the_probe_quiet(demo: DemoCluster) -> None:
    async with watching(demo.urls, probe_s=0.3) as watched:
        watched.observer.start_probe()
        await until(lambda: watched.book.stream.last_ack is not None)
        started: list[float] = []
        pass_on = watched.book.stream.started

        def on_started(at: float) -> None:
            started.append(at)
            pass_on(at)

        watched.book.started = on_started
        polled, load = len(watched.polls), list[float]()
        while len(watched.polls) < polled + 60:  # a second's polls of three nodes
            load.append(now())
            watched.stamp.set_started(load[-1])
            await asyncio.sleep(0.02)
        assert len(started) <= 1 + turns_of_the_probe(load, 0.3), "at most the one that was on its way"


async def test_an_observer_that_is_killed_is_replaced_and_goes_on_with_other_keys(demo: DemoCluster) -> None:
    async with watching(demo.urls) as watched:
        watched.observer.book(True)
        watched.observer.start_probe()
        await until(lambda: len(keys_of(watched.book)) >= 2)
        pid = watched.observer.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: watched.observer.pid not in (None, pid))
        first = set(keys_of(watched.book))
        polled = len(watched.polls)
        await until(lambda: len(watched.polls) > polled and set(keys_of(watched.book)) > first)
        keys = keys_of(watched.book)
        assert len(set(keys)) == len(keys)
        assert all(watched.observer.is_spent_key(key) for key in keys)
        assert watched.troubles == [
            "the process that polls the nodes ended (it was killed by SIGKILL) and is started again"
        ]


async def test_its_process_shows_the_key_to_nobody_and_ends_with_it(
    demo: DemoCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFMAN_BENCH_API_KEY", ADMIN)
    async with watching(demo.urls) as watched:
        pid = watched.observer.pid
        assert pid is not None
        process = psutil.Process(pid)
        assert ADMIN not in " ".join(process.cmdline())
        assert ADMIN not in " ".join(process.environ().values())
    assert not psutil.pid_exists(pid)


CRASH = '{"type":"ObserverCrashed","error":"no sockets left"}'


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nonexistent/python"], "can't be started: No such file or directory"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "did not begin: it ended"),
        (
            [sys.executable, "-c", 'print(\'{"type":"ObserverCrashed","error":"no sockets left"}\')'],
            "did not begin: no sockets left",
        ),
    ],
)
async def test_one_that_does_not_begin_is_reported_in_a_sentence(command: list[str], words: str) -> None:
    watched = Watched(("http://127.0.0.1:1",), 0.1, command)
    with pytest.raises(ClusterError, match=words):
        await watched.observer.start()
    await watched.observer.stop()


PARENT = """
import asyncio
from confman_tui.cluster.writes.ledger import WriteBook
from confman_tui.cluster.observer.client import Observer
from confman_tui.cluster.observer.shared_times import SharedWriteTimes
from confman_tui.cluster.watch_mode import WatchPace

async def main():
    stamp = SharedWriteTimes()
    pace = WatchPace(1, 1, 0)
    observer = Observer(("http://127.0.0.1:1",), "key", WriteBook(), stamp, print, pace=pace, on_trouble=print)
    await observer.start()
    print(observer.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_it_ends_when_the_program_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        child = psutil.Process(int(program.stdout.readline()))
        program.kill()
    gone, _ = psutil.wait_procs([child], timeout=DEADLINE_S)
    assert gone == [child]


def test_times_are_seen_by_who_shares_them() -> None:
    stamp = SharedWriteTimes()
    other = SharedWriteTimes(os.dup(stamp.descriptor))
    assert (other.started, other.acknowledged, other.acknowledged_start) == (0.0, 0.0, 0.0)
    stamp.set_started(1234.5)
    stamp.set_acknowledged(3.5, 2.5)
    assert (other.started, other.acknowledged, other.acknowledged_start) == (1234.5, 3.5, 2.5)
