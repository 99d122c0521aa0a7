"""Each way in which a request can fail, from a real server's behaviour to its row in the files."""

from __future__ import annotations

import csv
import socket
import ssl
from pathlib import Path

import pytest
from geventhttpclient.useragent import RetriesExceeded

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.load import causes
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import Cause
from confman_tui.settings.scenarios import Target
from tests.support.confman_server import Server
from tests.support.load_runs import Book, plan, replace, run

UNKNOWN, REFUSED = WriteOutcome.UNKNOWN, WriteOutcome.REFUSED


@pytest.mark.parametrize(
    ("mode", "cause", "text", "row", "fate"),
    [
        ("close", Cause.RESET, "reset: closed without an answer", "reset", UNKNOWN),
        ("cut", Cause.RESET, "reset: answer cut short", "reset", UNKNOWN),
        ("no_leader", Cause.NO_LEADER, "503 no leader", "503 no leader", REFUSED),
        ("not_replicated", Cause.NOT_REPLICATED, "503 not replicated", "503 not replicated", UNKNOWN),
        ("hostile", Cause.OTHER, "other: answered 500", "other: answered 500", UNKNOWN),
        ("no_content", Cause.OTHER, "other: answered 204", "other: answered 204", UNKNOWN),
        ("garbage", Cause.OTHER, "other: malformed answer", "other: malformed answer", UNKNOWN),
        ("redirect", Cause.REDIRECTED_AGAIN, "redirected again", "redirected again", UNKNOWN),
    ],
)
def test_a_write_that_fails(
    engine: Engine, server: Server, tmp_path: Path, mode: str, cause: Cause, text: str, row: str, fate: WriteOutcome
) -> None:
    server.control(mode=mode)
    engine.set_targets(server.url, (server.url,))
    book = Book()
    outcome = run(engine, plan(users=3, seconds=0.3, csv_prefix=tmp_path / "run"), observer=book)
    assert outcome.requests == outcome.failures == outcome.writes_failed > 3
    assert outcome.failures_by_cause == {cause: outcome.requests}
    assert outcome.error_texts == {text: outcome.requests}
    assert book.outcomes() == {fate}
    assert outcome.p50_us is None
    with (tmp_path / "run_failures.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(r["Method"], r["Name"], r["Error"], int(r["Occurrences"])) for r in rows] == [
        ("PUT", "/config/[key] PUT", row, outcome.requests)
    ]


def test_a_read_that_fails_is_counted_as_a_read(engine: Engine, server: Server) -> None:
    server.control(mode="reset")
    engine.set_targets(None, (server.url,))
    outcome = run(engine, plan(users=2, write_share=0.0, target=Target.ANY))
    assert outcome.reads_failed == outcome.requests > 0
    assert outcome.writes_failed == 0
    assert outcome.failures_by_cause == {Cause.RESET: outcome.requests}


def test_refused_connections_do_not_spin(engine: Engine) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        engine.set_targets(url, (url,))
        book = Book()
        outcome = run(engine, plan(users=10, seconds=1.0), observer=book)
    assert outcome.failures_by_cause == {Cause.REFUSED: outcome.requests}
    assert book.outcomes() == {REFUSED}
    # every user tries again, after 100 to 250 ms
    assert 10 < outcome.requests <= 10 * (1 + (outcome.ended - outcome.started) / 0.1)
    assert outcome.per_node == {url: outcome.requests}


def test_a_node_that_never_answers_is_a_timeout_after_two_seconds(engine: Engine, server: Server) -> None:
    server.control(mode="hang")
    engine.set_targets(server.url, (server.url,))
    book = Book()
    outcome = run(engine, plan(users=3, seconds=0.5), observer=book)
    assert outcome.failures_by_cause == {Cause.TIMEOUT: 3}
    assert book.outcomes() == {UNKNOWN}
    waited = [ended - started for _ns, _key, _digest, started, ended, _node, _outcome in book.ends]
    assert all(seconds > 1.9 for seconds in waited)


@pytest.mark.parametrize("key", ["wrong-key", "confman_dev_reader"])
def test_a_refused_key_is_a_write_that_did_not_happen(engine: Engine, server: Server, key: str) -> None:
    engine.set_targets(server.url, (server.url,))
    book = Book()
    outcome = run(engine, replace(plan(users=1), api_key=key), observer=book)
    assert outcome.error_texts == {"other: answered 401": outcome.requests}
    assert book.outcomes() == {REFUSED}


def test_a_servers_text_is_made_harmless_and_bounded() -> None:
    body = b'{"title":"\\u001b[2J[red]' + b"x" * 500 + b'"}'
    failure = causes.of_status(500, body)
    assert failure.text.startswith("other: answered 500 [2J[red]xxx")
    assert len(failure.text) < 100
    assert failure.text.isprintable()


def test_a_server_that_makes_up_texts_fills_neither_memory_nor_files(engine: Engine, server: Server) -> None:
    # "hostile_title" puts the path, different for each key, into the title
    server.control(mode="hostile_title")
    engine.set_targets(server.url, (server.url,))
    outcome = run(engine, plan(users=200, seconds=0.6))
    assert outcome.requests > 100
    assert len(outcome.error_texts) == 41
    assert outcome.error_texts["other: further texts"] == outcome.requests - 40


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RetriesExceeded("http://h/secret", 0, original=TimeoutError("timed out")), Cause.TIMEOUT),
        (RetriesExceeded("http://h/secret", 0, original=BrokenPipeError(32, "Broken pipe")), Cause.RESET),
        (ConnectionResetError(104, "reset by peer"), Cause.RESET),
        (ConnectionRefusedError(111, "refused"), Cause.REFUSED),
        (socket.gaierror(-2, "unknown"), Cause.OTHER),
        (OSError(24, "Too many open files"), Cause.OUT_OF_FILES),
        (OSError(23, "Too many open files in system"), Cause.OUT_OF_FILES),
        (ValueError("http://h/secret"), Cause.OTHER),
        (ssl.SSLCertVerificationError(1, "certificate verify failed: http://h/secret"), Cause.OTHER),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), Cause.RESET),
        (ssl.SSLError(1, "wrong version number: http://h/secret"), Cause.OTHER),
    ],
)
def test_errors_are_told_without_addresses(error: Exception, cause: Cause) -> None:
    failure = causes.of_error(error)
    assert failure.cause is cause
    assert "http" not in failure.text
    assert "secret" not in repr(failure) + str(failure)
