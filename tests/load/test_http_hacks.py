"""What reaches a socket is what Locust counted, and a library that does not fit is refused in words."""

from __future__ import annotations

import socket

import pytest
from geventhttpclient import client, connectionpool

from confman_tui.cluster.elections import WriteOutcome
from confman_tui.load import http_hacks
from confman_tui.load.engine import Engine
from confman_tui.load.run_model import Cause
from tests.support.confman_server import Server
from tests.support.load_runs import Book, plan, run


@pytest.mark.parametrize("mode", ["close", "reset", "cut"])
def test_a_server_that_closes_connections_gets_each_write_once(engine: Engine, server: Server, mode: str) -> None:
    server.control(mode=mode)
    engine.set_targets(server.url, (server.url,))
    book = Book()
    outcome = run(engine, plan(users=5, seconds=0.6), observer=book)
    served = server.control()
    assert outcome.requests > 10
    assert served["put"] == outcome.requests == len(book.starts) == len(book.ends)
    assert outcome.failures_by_cause == {Cause.RESET: outcome.requests}
    assert book.outcomes() == {WriteOutcome.UNKNOWN}


def test_a_kept_connection_that_the_server_closed_meanwhile_fails_no_request(engine: Engine, server: Server) -> None:
    # each answer says that the connection stays open, and then it is closed: the next request must notice
    server.control(mode="ok")
    engine.set_targets(server.url, (server.url,))
    quiet = run(engine, plan(users=1, seconds=0.5, wait_s=(0.05, 0.05)))
    assert quiet.failures == 0
    server.control(mode="close_after")
    closing = run(engine, plan(users=1, seconds=0.6, wait_s=(0.05, 0.05)))
    served = server.control()
    assert closing.requests > 5
    assert closing.failures == 0
    assert served["put"] == quiet.requests + closing.requests
    assert served["connections"] >= closing.requests


def test_idle_connections_are_checked_above_descriptor_1023() -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    opened: list[socket.socket] = []
    try:
        while not opened or opened[-1].fileno() < 1100:
            opened.append(socket.socket())
        here, there = socket.socketpair()
        opened += [here, there]
        assert here.fileno() > 1023
        check = http_hacks._YieldingSelect.select
        assert check([here], [], [], 0.0) == ([], [], [])
        there.close()
        assert check([here], [], [], 0.0) == ([here], [], [])
    finally:
        for each in opened:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_installed_library_fits_and_is_changed() -> None:
    http_hacks.apply()
    assert client._may_retry_after_send_error("PUT") is False
    assert connectionpool.select is http_hacks._YieldingSelect  # type: ignore[attr-defined, comparison-overlap]


@pytest.mark.parametrize(
    ("module", "name"), [(client, "_may_retry_after_send_error"), (connectionpool, "select")], ids=["replay", "select"]
)
def test_a_library_without_the_names_is_refused(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> None:
    monkeypatch.delattr(module, name)
    with pytest.raises(http_hacks.PatchError, match=rf"{name}.*is gone.*Install geventhttpclient"):
        http_hacks.apply()


def test_a_library_that_no_longer_uses_the_names_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.HTTPClient, "request", lambda *_a, **_k: None)
    with pytest.raises(http_hacks.PatchError, match="_may_retry_after_send_error"):
        http_hacks.check()
