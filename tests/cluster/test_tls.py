"""TLS: which certificates are taken, and what is said of those that are not."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from pathlib import Path

import pytest

from confman_tui.cluster.api import UnreachableError
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.states import Poll, PollKind
from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions, context_for, make_context, needs_tls
from confman_tui.core.errors import UsageError
from tests.support.keys import ADMIN
from tests.support.odd_servers import OddServer, http, serving
from tests.support.polls import poll_once
from tests.support.tls_cluster import Authority
from tests.support.waiting import DEADLINE_S

READY = json.dumps({"cluster": {"role": "leader", "leader": None, "term": 1}})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


class TlsServer(OddServer):
    """Answers every request as ready, over TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(self._ready)
        self._context = context

    @property
    def url(self) -> str:
        return super().url.replace("http:", "https:")

    async def _ready(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self.read_request(reader)
            writer.write(http(200, READY))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0, ssl=self._context)
        self._port = self._server.sockets[0].getsockname()[1]

    async def __aenter__(self) -> TlsServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def polled(url: str, tls: ssl.SSLContext) -> Poll:
    (poll,) = await poll_once((url,), deadline_s=DEADLINE_S, tls=tls)
    return poll


async def test_a_good_certificate_is_taken(authority: Authority) -> None:
    async with TlsServer(authority.server_context()) as node:
        assert (await polled(node.url, authority.trusting)).kind is PollKind.ANSWER
        async with ConfmanClient(ADMIN, nodes=(node.url,), tls=authority.trusting) as client:
            assert (await client.attempt_put(node.url, "n", "k", "v", DEADLINE_S)).outcome is WriteOutcome.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("host", "expired", "known", "words"),
    [
        ("127.0.0.1", False, False, "its certificate is of a CA that is not trusted here (--ca-file FILE names one)"),
        ("nowhere.example", False, True, "its certificate is for another host"),
        ("127.0.0.2", False, True, "its certificate is for another host"),
        ("127.0.0.1", True, True, "its certificate has expired"),
    ],
)
async def test_a_certificate_that_does_not_fit_gets_no_key(
    authority: Authority, host: str, expired: bool, known: bool, words: str
) -> None:
    tls = authority.trusting if known else make_context(MACHINE_CAS)
    async with TlsServer(authority.server_context(host, expired=expired)) as node:
        poll = await polled(node.url, tls)
        assert (poll.kind, poll.detail) == (PollKind.UNTRUSTED, words)
        async with ConfmanClient(ADMIN, nodes=(node.url,), tls=tls, timeout_s=DEADLINE_S) as client:
            with pytest.raises(UnreachableError) as caught:
                await client.list_namespaces(node.url)
            assert words in str(caught.value)
            attempt = await client.attempt_put(node.url, "n", "k", "v", DEADLINE_S)
            assert (attempt.outcome, attempt.detail) == (WriteOutcome.REFUSED, words)
        insecure = make_context(TlsOptions(insecure=True))
        assert node.requests == []
        assert (await polled(node.url, insecure)).kind is PollKind.ANSWER


async def test_what_does_not_speak_tls_is_told() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http(400))
        await writer.drain()

    async with serving(plain) as node:
        poll = await polled(node.url.replace("http:", "https:"), make_context(MACHINE_CAS))
        assert poll.kind is PollKind.NOT_CONFMAN
        assert poll.detail.startswith("does not speak TLS")


def test_only_https_nodes_make_the_program_read_certificates() -> None:
    assert not needs_tls(("http://a:1",))
    assert needs_tls(("http://a:1", "https://a:2"))
    assert context_for(("http://a:1",), MACHINE_CAS).cert_store_stats()["x509"] == 0
    assert context_for(("https://a:1",), MACHINE_CAS).cert_store_stats()["x509"] > 50


def test_the_file_named_stands_alone(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_context(TlsOptions(str(authority.file))).cert_store_stats()["x509"] == 1
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert make_context(MACHINE_CAS).cert_store_stats()["x509"] == 1
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    assert make_context(TlsOptions(str(authority.file))).cert_store_stats()["x509"] == 1
    with pytest.raises(UsageError, match=r"^SSL_CERT_FILE: '/nowhere' is not there"):
        make_context(MACHINE_CAS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not there; it must be a file of CAs in PEM"),
        ("folder", "is no file; it must be a file of CAs in PEM"),
        ("fifo", "is no file; it must be a file of CAs in PEM"),
        ("", "holds no certificate in PEM"),
        ("hello", "holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n", "holds no certificate in PEM"),
    ],
)
def test_a_file_that_holds_no_ca_is_wrong_usage(content: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content == "folder":
        file.mkdir()
    elif content == "fifo":
        os.mkfifo(file)
    elif content is not None:
        file.write_text(content)
    with pytest.raises(UsageError) as caught:
        TlsOptions(str(file)).check()
    assert str(caught.value).startswith(f"--ca-file: '{file}' {words}")
