"""Nodes that mean harm: where the key goes, what counts as served, and how much and how long is read."""

from __future__ import annotations

import csv
import gzip
import json
import resource
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.seeded_values import seeded_value
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import Cause, RunOutcome, RunPlan, SecondSample
from confman_tui.load.saturation import BoundRule
from confman_tui.settings.scenarios import Target
from tests.support.hostile_servers import Asked, HostileServer, Part, drip, endless, honest, http
from tests.support.load_runs import Book, plan, replace, run

TIMEOUT_S = 0.4
SIZE = 1024
LARGE = "a body larger than an entry's"


def writes(users: int = 2) -> RunPlan:
    return replace(plan(users=users, seconds=0.06), request_timeout_s=TIMEOUT_S)


def reads(users: int = 2, seeded_bytes: int = 0) -> RunPlan:
    the_plan = plan(users=users, seconds=0.06, write_share=0.0, target=Target.ANY)
    return replace(the_plan, request_timeout_s=TIMEOUT_S, seeded_bytes=seeded_bytes)


def all_served(engine: Engine, the_plan: RunPlan, least: int) -> None:
    """Run it again until that many requests were made; none may fail."""
    made = 0
    while made < least:
        outcome = run(engine, the_plan)
        assert outcome.failures == 0
        made += outcome.requests


def only(outcome: RunOutcome, cause: Cause) -> bool:
    """Whether all of a run's requests failed for one cause."""
    return outcome.requests > 0 and outcome.failures_by_cause == {cause: outcome.requests}


def redirecting(status: int, location: Callable[[Asked], str | None]) -> Callable[[Asked], Iterable[Part]]:
    def script(asked: Asked) -> Iterable[Part]:
        to = location(asked)
        return [http(status, b"", *([] if to is None else [f"Location: {to}"]))]

    return script


# The key


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("the_plan", [writes(), reads()], ids=["writes", "reads"])
def test_no_redirect_takes_the_key_to_a_foreign_listener(
    engine: Engine, tmp_path: Path, status: int, the_plan: RunPlan
) -> None:
    book = Book()
    with HostileServer(honest) as foreign:
        to = redirecting(status, lambda asked: f"http://user:word@127.0.0.1:{foreign.port}{asked.path}?token=x")
        with HostileServer(to) as node:
            engine.set_targets(node.url, (node.url,))
            outcome = run(engine, replace(the_plan, csv_prefix=tmp_path / "run"), observer=book)
        assert foreign.asked == []
        assert len(node.asked) == outcome.requests
        text = f"redirected away: {status} to {foreign.url}"
        assert only(outcome, Cause.REDIRECTED_AWAY)
        assert outcome.error_texts == {text: outcome.requests}
    assert book.outcomes() <= {WriteOutcome.UNKNOWN}
    with (tmp_path / "run_failures.csv").open(newline="") as lines:
        assert {row["Error"] for row in csv.DictReader(lines)} == {"redirected away"}


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (None, "no Location"),
        ("http://", "http://"),
        ("\x1b[2J//", "[2J//"),
        ("http:\\\\127.0.0.1/", "http:\\\\127.0.0.1/"),
        ("https://127.0.0.1:1/", "https://127.0.0.1:1"),
    ],
)
def test_a_redirect_to_nowhere_is_told(engine: Engine, location: str | None, shown: str) -> None:
    with HostileServer(redirecting(307, lambda _: location)) as node:
        engine.set_targets(node.url, (node.url,))
        outcome = run(engine, writes())
    if location is not None and "\x1b" in location:
        assert only(outcome, Cause.OTHER), "such a header is no HTTP"
        return
    assert only(outcome, Cause.REDIRECTED_AWAY)
    assert list(outcome.error_texts) == [f"redirected away: 307 to {shown}"]


def test_ever_new_targets_do_not_fill_the_texts(engine: Engine) -> None:
    names = iter(range(10**9))
    with HostileServer(redirecting(302, lambda _: f"http://host-{next(names)}/")) as node:
        engine.set_targets(node.url, (node.url,))
        outcome = run(engine, writes(users=60))
    assert outcome.requests > 40
    assert only(outcome, Cause.REDIRECTED_AWAY)
    assert len(outcome.error_texts) == 41
    assert outcome.error_texts["redirected away: further texts"] == outcome.requests - 40


# Following once


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("form", ["{leader}{path}", '{leader}/a key/with "quotes" and blanks?x', "//{authority}{path}"])
def test_a_redirect_to_a_node_is_followed_with_all_that_was_sent(engine: Engine, status: int, form: str) -> None:
    book = Book()
    with HostileServer(honest) as leader:
        authority = leader.url.partition("//")[2]
        to = redirecting(status, lambda asked: form.format(leader=leader.url, authority=authority, path=asked.path))
        with HostileServer(to) as follower:
            engine.set_targets(follower.url, (follower.url, leader.url), (follower.url, leader.url))
            samples: list[SecondSample] = []
            outcome = run(engine, writes(), observer=book, samples=samples)
        assert outcome.failures == 0
        assert outcome.redirected == outcome.requests == len(follower.asked) == len(leader.asked) > 0
        for first, second in zip(sorted(follower.asked, key=str), sorted(leader.asked, key=str), strict=True):
            assert (first.method, first.path, first.body) == (second.method, second.path, second.body)
            assert {**first.headers, "host": ""} == {**second.headers, "host": ""}
        assert {end[5] for end in book.ends} == {leader.url}, "booked where it was answered"
        assert outcome.per_node == {follower.url: outcome.requests}, "one request, sent there first"


@pytest.mark.parametrize("location", [None, "/elsewhere"], ids=["by name", "relative"])
def test_a_second_redirect_is_followed_by_nobody(engine: Engine, location: str | None) -> None:
    book = Book()

    def to_itself(asked: Asked) -> str:
        return location or f"{elected.url}{asked.path}"

    with HostileServer(redirecting(307, to_itself)) as elected:
        to_elected = redirecting(307, lambda asked: f"{elected.url}{asked.path}")
        with HostileServer(to_elected) as follower:
            engine.set_targets(follower.url, (follower.url,), (follower.url, elected.url))
            outcome = run(engine, writes(), observer=book)
        assert only(outcome, Cause.REDIRECTED_AGAIN)
        assert outcome.redirected == outcome.requests == len(follower.asked) == len(elected.asked)
    assert outcome.error_texts == {"redirected again": outcome.requests}
    assert book.outcomes() == {WriteOutcome.UNKNOWN}


def test_a_redirect_that_is_never_whole_is_a_timeout(engine: Engine) -> None:
    head = b"HTTP/1.1 307 X\r\nLocation: /\r\nContent-Length: 1000\r\n\r\n"
    with HostileServer(lambda _: drip(head)) as node:
        engine.set_targets(node.url, (node.url,))
        assert only(run(engine, writes()), Cause.TIMEOUT)


# What was asked for


def _other(asked: Asked, **fields: object) -> bytes:
    return json.dumps({**json.loads(asked.entry()), **fields}).encode()


STRANGE: tuple[Callable[[Asked], bytes], ...] = (
    lambda _: b"",
    lambda _: b"<html>logged in</html>",
    lambda _: b"[]",
    lambda _: b"null",
    lambda _: b"[" * 5000,
    lambda _: b'{"status":"healthy"}',
    lambda asked: b"[" + asked.entry() + b"]",
    lambda asked: asked.entry()[:-1],
    lambda asked: _other(asked, namespace="another"),
    lambda asked: _other(asked, key="another"),
    lambda asked: _other(asked, key=None),
    lambda asked: _other(asked, value=7),
    lambda asked: asked.entry() + b"\x00",
)
"""Bodies that are not the entry asked for."""


@pytest.mark.parametrize("the_plan", [writes(len(STRANGE)), reads(len(STRANGE))], ids=["writes", "reads"])
def test_a_200_with_something_else_is_a_wrong_answer(engine: Engine, the_plan: RunPlan) -> None:
    book = Book()
    turns = iter(range(10**9))
    with HostileServer(lambda asked: [http(200, STRANGE[next(turns) % len(STRANGE)](asked))]) as node:
        engine.set_targets(node.url, (node.url,))
        outcome = run(engine, the_plan, observer=book)
    assert outcome.requests >= len(STRANGE)
    assert only(outcome, Cause.WRONG_ANSWER)
    assert outcome.error_texts == {"wrong answer": outcome.requests}
    assert book.outcomes() <= {WriteOutcome.UNKNOWN}


@pytest.mark.parametrize("size", [1, 12, SIZE])
def test_an_entry_is_one_however_it_is_written(engine: Engine, size: int) -> None:
    def script(asked: Asked) -> Iterable[Part]:
        value = seeded_value(*asked.name, size)
        fields = json.loads(asked.entry(value))
        forms = (
            asked.entry(value),
            json.dumps(fields, indent=2).encode(),
            json.dumps(dict(reversed(fields.items()))).encode(),
            asked.entry(value).replace(b"a", b"\\u0061"),
        )
        return [http(200, forms[next(turns) % len(forms)])]

    turns = iter(range(10**9))
    with HostileServer(script) as node:
        engine.set_targets(node.url, (node.url,))
        for the_plan in (reads(seeded_bytes=size), writes()):
            all_served(engine, the_plan, 5)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[:-1] + ("A" if value[-1] != "A" else "B"),
        lambda value: value[:-1],
        lambda value: value + "A",
        lambda _value: "",
        lambda _value: seeded_value("another", "key", SIZE),
    ],
    ids=["changed", "shorter", "longer", "empty", "another's"],
)
def test_a_seeded_value_that_was_not_written_is_a_wrong_answer(engine: Engine, change: Callable[[str], str]) -> None:
    with HostileServer(lambda asked: [http(200, asked.entry(change(seeded_value(*asked.name, SIZE))))]) as node:
        engine.set_targets(node.url, (node.url,))
        assert only(run(engine, reads(seeded_bytes=SIZE)), Cause.WRONG_ANSWER)


# Too much, too slowly

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_CHUNK = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (lambda _: endless(_OK + b"\r\n", b"x" * 16384), LARGE),
        (
            lambda _: endless(_OK + b"Content-Length: 99999999999\r\n\r\n", b"x" * 16384),
            LARGE,
        ),
        (lambda _: endless(_CHUNKED, _CHUNK), LARGE),
        (lambda _: endless(_CHUNKED + b"5;", b"extension" * 999), LARGE),
        (
            lambda _: endless(_CHUNKED + b"0\r\n", b"Trailer: xxxxxxxxxxxxxxxx\r\n" * 99),
            LARGE,
        ),
        (lambda _: endless(_OK, b"X-More: xxxxxxxxxxxxxxxxxxxxx\r\n" * 99), "more than 32 KB of headers"),
        (lambda _: endless(_OK + b"X-Long: ", b"x" * 4096), "more than 32 KB of headers"),
        (lambda _: endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99), "more than 32 KB of headers"),
        (lambda _: endless(b"HTTP/1.1 302 X\r\n\r\n", b"x" * 16384), LARGE),
        (lambda _: endless(b"HTTP/1.1 500 X\r\n\r\n", b"x" * 16384), LARGE),
    ],
    ids=["body", "length", "chunks", "extension", "trailers", "headers", "header", "interim", "redirect", "error"],
)
def test_what_has_no_end_is_not_read_on(engine: Engine, script: Callable[[Asked], Iterable[Part]], text: str) -> None:
    with HostileServer(script) as node:
        engine.set_targets(node.url, (node.url,))
        outcome = run(engine, replace(writes(), request_timeout_s=5.0))
        assert only(outcome, Cause.TOO_LARGE)
        assert list(outcome.error_texts) == [f"too large: {text}"]
        # what the system's buffers held was sent, no more
        assert node.sent_bytes < outcome.requests * 8_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw"])
def test_a_bomb_is_not_decompressed(engine: Engine, encoding: str) -> None:
    zeros = b"0" * 50_000_000
    raw = zlib.compressobj(wbits=-15)
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": lambda data: raw.compress(data) + raw.flush()}
    body = bomb[encoding](zeros)
    answer = http(200, body, f"Content-Encoding: {encoding.replace('raw', 'deflate')}")
    with HostileServer(lambda _: [answer]) as node:
        engine.set_targets(node.url, (node.url,))
        outcome = run(engine, writes())
        assert only(outcome, Cause.TOO_LARGE)
        assert {asked.headers["accept-encoding"] for asked in node.asked} == {"identity"}


@pytest.mark.parametrize(
    ("encode", "header", "cause"),
    [
        (gzip.compress, "gzip", None),
        (zlib.compress, "deflate", None),
        (bytes, "identity", None),
        (bytes, "gzip", Cause.WRONG_ANSWER),
        (lambda body: gzip.compress(gzip.compress(body)), "gzip, gzip", Cause.WRONG_ANSWER),
        (bytes, "br", Cause.WRONG_ANSWER),
        (bytes, "\x7f", Cause.WRONG_ANSWER),
    ],
)
def test_what_a_proxy_compressed_is_read_and_nothing_stranger(
    engine: Engine, encode: Callable[[bytes], bytes], header: str, cause: Cause | None
) -> None:
    with HostileServer(lambda asked: [http(200, encode(asked.entry()), f"Content-Encoding: {header}")]) as node:
        engine.set_targets(node.url, (node.url,))
        outcome = run(engine, writes())
    assert outcome.requests > 0
    assert set(outcome.failures_by_cause) <= {cause or Cause.OTHER, Cause.OTHER}
    assert (outcome.failures == 0) == (cause is None)


@pytest.mark.parametrize("begin", [_OK, _OK + b"X: ", _OK + b"Content-Length: 9999\r\n\r\n", _CHUNKED + b"9999\r\n"])
def test_what_drips_on_is_a_timeout(engine: Engine, begin: bytes) -> None:
    with HostileServer(lambda _: drip(begin)) as node:
        engine.set_targets(node.url, (node.url,))
        outcome = run(engine, writes())
    assert only(outcome, Cause.TIMEOUT)


def test_a_slow_answer_within_the_time_is_none(engine: Engine) -> None:
    def script(asked: Asked) -> Iterable[Part]:
        whole = http(200, asked.entry("x" * SIZE))
        return [part for at in range(0, len(whole), 400) for part in (whole[at : at + 400], 0.01)]

    with HostileServer(script) as node:
        engine.set_targets(node.url, (node.url,))
        all_served(engine, replace(reads(), request_timeout_s=30.0), 3)


# File descriptors


def test_without_file_descriptors_requests_fail_for_that_and_the_run_is_marked(engine: Engine) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    samples: list[SecondSample] = []
    book = Book()
    the_plan = writes(users=80)
    with HostileServer(lambda _: [0.5, *honest(_)]) as node:
        engine.set_targets(node.url, (node.url,))
        with Path("/dev/null").open() as last:
            resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 20, hard))
            try:
                outcome = run(engine, replace(the_plan, request_timeout_s=5.0), observer=book, samples=samples)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert outcome.failures_by_cause[Cause.OUT_OF_FILES] > 0
    assert outcome.error_texts["out of file descriptors"] == outcome.failures_by_cause[Cause.OUT_OF_FILES]
    assert Counter(end[-1] for end in book.ends)[WriteOutcome.REFUSED] == outcome.failures_by_cause[Cause.OUT_OF_FILES]
    rule = BoundRule(the_plan, 2)
    for sample in samples:
        rule.add(sample)
    assert rule.verdict is not None
    assert rule.verdict.reason.startswith("out of file descriptors: ")
    assert "ulimit -n" in rule.verdict.advice
