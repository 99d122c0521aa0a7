"""Answers of any kind, through the real client of the load: each ends in one event, ok or a failure with a cause."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locust.env import Environment
from locust.event import Events

from confman_tui.cluster.seeded_values import seeded_value
from confman_tui.load import context, users
from confman_tui.load.causes import RequestFailure
from confman_tui.load.run_model import Cause
from confman_tui.load.targets import TargetBoard, Targets
from confman_tui.settings.scenarios import Target
from tests.support.hostile_servers import Asked, HostileServer, Part
from tests.support.keys import ADMIN
from tests.support.load_runs import Book, plan, replace

TIMEOUT_S = 0.15
SIZE = 200
MOST_MEMORY_KB = 150 * 1024
"""What the client may take beside what the test itself holds."""
BOMB = gzip.compress(b"0" * 100_000_000)


@dataclass(frozen=True)
class Said:
    """One answer. ``{node}``, ``{other}`` and ``{foreign}`` in its headers are addresses."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    """None: the entry that was asked for."""
    framing: str
    pieces: int
    pause_s: float
    cut: int
    """Bytes at its end that are never sent."""

    def parts(self, asked: Asked, addresses: dict[str, str]) -> Iterable[Part]:
        body = self.body
        if body is None:
            body = asked.entry(seeded_value(*asked.name, SIZE))
        lines = [f"HTTP/1.1 {self.status}"]
        for name, value in self.headers:
            for place, address in addresses.items():
                value = value.replace("{" + place + "}", address)
            lines.append(f"{name}: {value}")
        if self.framing == "length":
            lines.append(f"Content-Length: {len(body)}")
        elif self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        whole = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        whole = whole[: max(len(whole) - self.cut, 0)]
        step = max(len(whole) // self.pieces, 1)
        for at in range(0, len(whole), step):
            yield whole[at : at + step]
            if self.pause_s:
                yield self.pause_s


LOCATIONS = st.one_of(
    st.sampled_from(
        [
            *("{foreign}/", "{node}/a b", "{other}/x?y", "/", "", "//{foreign}", "http://user:word@foreign/"),
            *("{node}@127.0.0.1:1/", "http:\\\\127.0.0.1:1/", "{other}.foreign/", "HTTP://LOCALHOST:1", "javascript:x"),
        ]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30),
)
HEADERS = st.one_of(
    st.tuples(st.just("Location"), LOCATIONS),
    st.tuples(st.just("Content-Encoding"), st.sampled_from(["gzip", "deflate", "br", "identity", "", "gzip, gzip"])),
    st.tuples(st.just("Content-Length"), st.sampled_from(["0", "7", "-1", "99999999999999", "x"])),
    st.tuples(st.just("Transfer-Encoding"), st.sampled_from(["chunked", "gzip", "x"])),
    st.tuples(st.just("Connection"), st.sampled_from(["close", "keep-alive", "upgrade"])),
    st.tuples(st.just("Set-Cookie"), st.just("a=b; Domain=127.0.0.1")),
    st.tuples(st.just("X-Long"), st.integers(0, 40_000).map(lambda count: "x" * count)),
    st.tuples(st.just("X"), st.text(st.characters(max_codepoint=255), max_size=20)),
)
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=200),
    st.sampled_from(
        [BOMB, b"x" * 200_000, b"[" * 9000, b'{"title":"No leader available"}', b'{"title":"\x1b[2J"}', b"\xff\xfe"]
    ),
    st.builds(lambda key: b'{"namespace":"bench-small-000","key":"%b","value":"v"}' % key, st.binary(max_size=9)),
)
USUAL = ["200 OK", "307 X", "308 X", "302 X", "503 X", "401 X", "100 X", "204 X", "304 X"]
STATUSES = st.one_of(
    *[st.sampled_from(["200 OK", "200 OK", *USUAL])] * 7,
    st.integers(0, 1200).map(str),
    st.text(st.characters(max_codepoint=255), max_size=5),
)
SAID = st.builds(
    Said,
    STATUSES,
    st.one_of(
        st.just(()), st.lists(HEADERS, min_size=1, max_size=1).map(tuple), st.lists(HEADERS, max_size=4).map(tuple)
    ),
    st.one_of(st.none(), BODIES),
    st.sampled_from(["length"] * 4 + ["chunked", "chunked", "none"]),
    st.sampled_from([1, 1, 1, 2, 7]),
    st.sampled_from([0.0] * 10 + [0.01, TIMEOUT_S * 2]),
    st.sampled_from([0] * 10 + [1, 20, 10_000]),
)


@contextmanager
def memory_bounded() -> Iterator[None]:
    """No more than `MOST_MEMORY_KB` above what this process had at its start, at any moment."""

    def kilobytes(field: str) -> int:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])

    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        yield
        return
    before = kilobytes("VmRSS:")
    yield
    assert kilobytes("VmHWM:") - before < MOST_MEMORY_KB


class Ends:
    """A user of the load, and the events of its requests."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        the_plan = replace(
            plan(write_share=0.5, target=Target.ANY), seeded_bytes=SIZE, request_timeout_s=TIMEOUT_S, payload_bytes=SIZE
        )
        self.book = Book()
        self.shared = context.from_plan(the_plan, TargetBoard(Targets(nodes[0], nodes, nodes[0], nodes)), self.book)
        environment: Any = Environment(user_classes=[users.MixedUser], events=Events())  # type: ignore[no-untyped-call]
        context.inject(environment, self.shared)
        environment.events.request.add_listener(self._on_request)
        self.user = users.MixedUser(environment)
        self.events: list[dict[str, Any]] = []

    def _on_request(self, **meta: Any) -> None:
        self.events.append(meta)

    def one(self) -> RequestFailure | None:
        """Send one request; how it failed."""
        before = len(self.events)
        self.user.one_request()
        assert len(self.events) == before + 1
        assert not self.shared.in_flight
        assert self.user.write is None
        error = self.events[-1]["exception"]
        assert error is None or isinstance(error, RequestFailure)
        return error


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_whatever_a_node_answers_is_counted_once(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "PAUSE_S", (0.0, 0.0))
    answers: list[Said] = []
    addresses: dict[str, str] = {}
    met: Counter[Cause | None] = Counter()

    def script(asked: Asked) -> Iterable[Part]:
        return answers.pop(0).parts(asked, addresses) if answers else []

    with (
        HostileServer(script) as node,
        HostileServer(script) as other,
        HostileServer(script) as foreign,
        memory_bounded(),
    ):
        addresses |= {"node": node.url, "other": other.url, "foreign": foreign.url}
        ends = Ends((node.url, other.url))

        @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.lists(SAID, min_size=2, max_size=2))
        def one_example(said: list[Said]) -> None:
            answers[:] = said
            failure = ends.one()
            met[failure.cause if failure is not None else None] += 1
            if failure is None:
                assert any(each.status.startswith("200") for each in said)
            else:
                assert ADMIN not in failure.text + repr(failure)
                assert failure.text.isascii()
                assert failure.text.isprintable()
                assert len(failure.text) < 160

        one_example()
        assert foreign.asked == []
        assert len(ends.book.starts) == len(ends.book.ends)
        ends.user.on_stop()
    assert len(met) >= 4, met
