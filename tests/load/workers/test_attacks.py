"""Strangers at the master's port, and workers that were invited and send what none sends: real sockets, real runs."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import msgspec
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.core.clock import now
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import Cause, SecondSample
from confman_tui.load.workers.messages import Drained, Kind, Pulse, RunBroken, TroubleSeen
from confman_tui.load.workers.plan import WorkerPlan
from tests.support.confman_server import Server
from tests.support.fake_worker import (
    FakeWorker,
    connected,
    locusts,
    ours,
    second_counted,
    stats,
    stats_entry,
)
from tests.support.load_runs import API_KEY, NAMESPACES, Book, plan, replace, wait_until
from tests.support.waiting import DEADLINE_S

TOKEN = "ffeeddccbbaa99887766554433221100"
OTHER_TOKEN = "00ffeeddccbbaa998877665544332211"
MB = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The logs of these tests' workers go to a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


class Port:
    """An engine with one local worker and places for others, and what it said of them."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.engine = Engine()
        self.engine.on_trouble = self.troubles.append
        self.engine.start()
        self.port = 0

    @contextmanager
    def joined(self, count: int) -> Iterator[list[FakeWorker]]:
        """So many workers with the token beside the local one."""
        the_plan = WorkerPlan(1, count, api_key=API_KEY, token=TOKEN)
        addresses: list[str] = []
        waiting = self.engine.wait_for_workers(the_plan, on_wait=lambda waited: addresses.append(waited.address))
        wait_until(lambda: bool(addresses) or waiting.done())
        address = addresses[-1] if addresses else waiting.result(DEADLINE_S)
        self.port = int(address.rpartition(":")[2])
        with ExitStack() as stack:
            fakes = [FakeWorker(self.port, f"fake-{number}", TOKEN) for number in range(count)]
            for fake in fakes:
                stack.callback(fake.close)
            waiting.result(DEADLINE_S)
            self.troubles.clear()
            yield fakes


@pytest.fixture(scope="module")
def kept(state: None) -> Iterator[Port]:
    made = Port()
    yield made
    assert made.engine.close(DEADLINE_S)


@pytest.fixture
def port(kept: Port) -> Iterator[Port]:
    yield kept
    kept.engine.stop_run()
    wait_until(lambda: not kept.engine.health().running)


def shown_plainly(sentences: list[str]) -> bool:
    return all(sentence.isprintable() and not sentence.startswith("=") for sentence in sentences)


def greeting(version: int, mechanism: bytes) -> bytes:
    """What a peer of an older ZMTP, or without encryption, begins with (rfc.zeromq.org/spec/23)."""
    return b"\xff" + bytes(8) + b"\x7f" + bytes([version, 0]) + mechanism.ljust(20, b"\0") + bytes(32)


def test_who_has_no_token_is_turned_away_told_once_and_costs_nobody_anything(port: Port, server: Server) -> None:
    with port.joined(0):
        port.engine.set_targets(server.url, (server.url,))
        future = port.engine.run(replace(plan(seconds=1.0), workers=1), on_sample=lambda sample: None)
        memory = psutil.Process().memory_info().rss
        with ExitStack() as stack:
            for name, token in (("plain", None), ("wrong", OTHER_TOKEN)):
                context, peer = connected(port.port, name, token)
                stack.callback(context.term)
                stack.callback(peer.close, 0)
                for kind in ("quit", "stats", "client_ready", *Kind):
                    peer.send(locusts(kind, {"version": "1"}))
            old = b"\x01\0" + b"\x08\0" + locusts("quit")
            unencrypted = [greeting(version, kind) for version, kind in ((1, b""), (3, b"NULL"), (3, b"CURVE"))]
            for opening in (b"GET / HTTP/1.1\r\n\r\n", old, *unencrypted):
                for _flood in range(8):
                    raw = stack.enter_context(socket.create_connection(("127.0.0.1", port.port)))
                    with suppress(BrokenPipeError, ConnectionResetError):
                        raw.sendall(opening + b"\x04\x26\x05HELLO" + bytes(200_000))
            outcome = future.result(DEADLINE_S)
        assert outcome.invalid == ""
        assert outcome.requests == server.control()["put"] > 0
        assert len(port.troubles) == 1
        assert "without the workers' token knocked" in port.troubles[0]
        assert TOKEN not in port.troubles[0]
        assert psutil.Process().memory_info().rss - memory < 64 * MB


def write(fake: FakeWorker, url: str, **changes: object) -> bytes:
    """A write that this worker was asked for, with changes."""
    assert fake.prepared is not None
    at = now()
    fields: dict[str, object] = {
        "namespace": NAMESPACES[0],
        "key": f"key-{fake.prepared.share.token}0000001",
        "digest": 1,
        "started": at,
        "ended": at,
        "node": url,
        "outcome": WriteOutcome.ACKNOWLEDGED,
        "intended": None,
    }
    ended = list((fields | changes).values())
    return ours({"type": "WritesReported", "run": fake.prepared.run, "started": [], "ended": [ended]})


Bad = Callable[[FakeWorker, int, str], bytes]
FAILURE = (True, Cause.RESET, "x")
BAD: dict[str, Bad] = {
    "two thousand million failures": lambda fake, run, url: ours(second_counted(run, failures={FAILURE: 2 * 10**9})),
    "a million failures of no node": lambda fake, run, url: ours(second_counted(run, failures={FAILURE: 999_999})),
    "many users": lambda fake, run, url: ours({"type": "Pulse", "run": run, "users": "many", "in_flight": 0}),
    "no number": lambda fake, run, url: ours(Pulse(run, 1, 1, float("nan"), 0.0)),
    "a second of next year": lambda fake, run, url: ours(second_counted(run, number=30_000_000)),
    "a second of last year": lambda fake, run, url: ours(second_counted(run, start=now() - 3e7)),
    "half a mark": lambda fake, run, url: ours(second_counted(run, read_marks=[1, 2, 3])),
    "a formula for a node": lambda fake, run, url: ours(second_counted(run, by_node={"=1+1": [{5: 1}, {}, 0, 0]})),
    "another's CPU": lambda fake, run, url: ours(second_counted(run, worker_cpu={"worker-1": 0.1})),
    "a formula for a key": lambda fake, run, url: write(fake, url, key="=1+1"),
    "another's key": lambda fake, run, url: write(fake, url, key="key-000000000001"),
    "bytes": lambda fake, run, url: b"\xc1\x1b[2J",
    "brackets": lambda fake, run, url: b"\x91" * 500_000,
    "a list of ever": lambda fake, run, url: b"\x93\xa5stats\xdd\xff\xff\xff\xff",
    "a row of another name": lambda fake, run, url: stats(stats_entry(name="=1+1")),
    "times of no Locust": lambda fake, run, url: stats(response_times={1_234_567: 1}),
    "users that end": lambda fake, run, url: locusts("client_stopped"),
    "a file, please": lambda fake, run, url: locusts("locustfile", {"version": "2"}),
    "a defect": lambda fake, run, url: ours(RunBroken(run, "\x1b[2J boo")),
}
"""By what it is."""


def test_a_worker_that_sends_what_none_sends_loses_its_place_and_nobody_else_does(port: Port, server: Server) -> None:
    with port.joined(len(BAD) + 1) as fakes:
        port.engine.set_targets(server.url, (server.url,))
        samples: list[SecondSample] = []
        book = Book()
        # one user each, so that the local worker has one too
        the_plan = replace(plan(users=len(BAD) + 2, seconds=2.0, wait_s=(0.001, 0.002)), workers=len(BAD) + 2)
        memory = psutil.Process().memory_info().rss
        future = port.engine.run(the_plan, on_sample=samples.append, observer=book)
        wait_until(lambda: all(fake.began for fake in fakes))
        for fake, bad in zip(fakes, BAD.values(), strict=False):
            assert fake.prepared is not None
            fake.send(bad(fake, fake.prepared.run, server.url))
        flooder = fakes[-1]
        assert flooder.prepared is not None
        flooder.send(*[ours(TroubleSeen(flooder.prepared.run, "x" * 200))] * 12_000)
        for fake in fakes[:-1]:
            fake.wait_heard("quit")
        # who floods may lose its connection before it could hear anything
        wait_until(lambda: any(flooder.name in one for one in port.troubles))
        outcome = future.result(DEADLINE_S)
        assert psutil.Process().memory_info().rss - memory < 64 * MB
        assert outcome.requests == len(book.ends) == server.control()["put"] > 0
        assert outcome.failures == 0
        assert outcome.per_node == {server.url: outcome.requests}
        assert all(sample.worker_cpu.keys() <= {"worker-1", "worker-2"} for sample in samples)
        for fake, name in zip(fakes, [*BAD, "a flood"], strict=True):
            (said,) = [one for one in port.troubles if one.startswith(f"{fake.name} sent ") or f"{fake.name}: " in one]
            assert "is given up" in said or name == "a defect", name
            assert "the run goes on" in said, name
        assert shown_plainly([*port.troubles, outcome.invalid])
        assert len(port.troubles) == len(fakes)


def test_a_worker_that_says_something_else_than_it_sent_makes_the_figures_invalid(port: Port, server: Server) -> None:
    with port.joined(1) as (fake,):
        port.engine.set_targets(server.url, (server.url,))
        future = port.engine.run(replace(plan(users=2, seconds=0.5), workers=2), on_sample=lambda sample: None)
        wait_until(lambda: fake.began)
        assert fake.prepared is not None
        fake.send(ours(Drained(fake.prepared.run, now(), 5, 5)))
        outcome = future.result(DEADLINE_S)
        assert "fake-0 says that it sent 5 requests and reported 5 to Locust; 0 and 0 came in" in outcome.invalid
        assert outcome.requests == server.control()["put"] > 0


def test_who_was_not_invited_gets_no_share(port: Port, server: Server) -> None:
    """One more with the token than there are places, one with a made-up ticket, and one of another version."""
    with port.joined(1) as (fake,), ExitStack() as stack:
        hello: dict[str, object] = {"version": "9.9.9\x1b[2J", "protocol": 1, "name": "=1+1"}
        late = FakeWorker(port.port, "late", TOKEN)
        stack.callback(late.close)
        other = FakeWorker(port.port, "other", TOKEN, hello=hello)
        stack.callback(other.close)
        late.wait_heard(Kind.WAIT)
        other.wait_heard(Kind.REFUSED)
        port.engine.set_targets(server.url, (server.url,))
        outcome = port.engine.run(replace(plan(users=2, seconds=0.3), workers=2), on_sample=lambda sample: None).result(
            DEADLINE_S
        )
        assert outcome.requests == server.control()["put"] > 0
        assert outcome.invalid == "", "that somebody was refused is no matter of the run"
        assert fake.prepared is not None
        assert late.prepared is None
        assert other.prepared is None
        assert ["was refused" in one for one in port.troubles] == [True]
        assert shown_plainly(port.troubles)


# -- fuzz

plain_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.just("=1+1"),
    st.just("\x1b[2J"),
)
values = st.recursive(
    plain_values,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(0, 9), inner, max_size=4)
    ),
    max_leaves=8,
)
Mutation = tuple[int, int, int, object]
mutations: st.SearchStrategy[Mutation] = st.tuples(st.integers(0, 6), st.integers(0, 30), st.integers(0, 30), values)


def mutated(mutation: Mutation, fake: FakeWorker, url: str) -> bytes:
    """A valid message of the worker's with one field of it, or of what it holds, replaced; or plain bytes."""
    assert fake.prepared is not None
    which, field, inner, value = mutation
    run = fake.prepared.run
    node = {url: [{5: 1}, {7: 2}, 0, 0]}
    valid: list[dict[str, object]] = [
        second_counted(run, by_node=node, worker_cpu={fake.name: 0.5}, read_marks=[0, 50, 1, 0]),
        {"type": "WritesReported", "run": run, "started": [now()], "ended": []},
        {"type": "Pulse", "run": run, "users": 1, "in_flight": 1, "oldest_s": 0.1, "lag_s": 0.1},
        {"type": "Drained", "run": run, "ended": now(), "requests": 0, "reported": 0},
        {"type": "ClockAsked", "at": 1.0},
    ]
    if which < len(valid):
        message = dict(valid[which])
        names = list(message)
        name = names[field % len(names)]
        held = message[name]
        if isinstance(held, dict) and held:
            inside = list(held)
            message[name] = held | {inside[inner % len(inside)]: value}
        else:
            message[name] = value
        return ours(message)
    kinds = ("stats", "heartbeat", "spawning_complete", "exception", "logs", "quit", *Kind)
    if which == len(valid):
        return locusts(kinds[field % len(kinds)], value)
    return msgspec.msgpack.encode(value) + bytes([field])


def fuzz(port: Port, server: Server, drawn: list[Mutation]) -> None:
    with port.joined(len(drawn)) as fakes:
        port.engine.set_targets(server.url, (server.url,))
        server.control(clear=True)
        the_plan = replace(plan(users=len(drawn) + 1, seconds=0.5, wait_s=(0.001, 0.002)), workers=len(drawn) + 1)
        book = Book()
        memory = psutil.Process().memory_info().rss
        future = port.engine.run(the_plan, on_sample=lambda sample: None, observer=book)
        wait_until(lambda: all(fake.began for fake in fakes))
        for fake, mutation in zip(fakes, drawn, strict=True):
            data = mutated(mutation, fake, server.url)
            fake.send(data, data)
        outcome = future.result(DEADLINE_S)
        assert psutil.Process().memory_info().rss - memory < 64 * MB
        # the local worker's are all there; a fake's second, where it is a possible one, holds five at most
        put = server.control()["put"]
        assert len(book.ends) == put > 0
        assert put <= outcome.requests <= put + 5 * len(drawn)
        assert shown_plainly([*port.troubles, outcome.invalid])


def batches(count: int) -> st.SearchStrategy[list[Mutation]]:
    return st.lists(mutations, min_size=count, max_size=count)


COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@settings(COMMON, max_examples=4)
@given(batches(25))
def test_no_message_of_a_worker_ends_the_run_of_the_others(port: Port, server: Server, drawn: list[Mutation]) -> None:
    fuzz(port, server, drawn)


@pytest.mark.slow
@settings(COMMON, max_examples=50)
@given(batches(40))
def test_no_message_of_two_thousand_ends_the_run_of_the_others(
    port: Port, server: Server, drawn: list[Mutation]
) -> None:
    fuzz(port, server, drawn)
