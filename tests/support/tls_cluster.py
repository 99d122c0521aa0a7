"""An embedded cluster whose nodes speak TLS, behind a CA of the test's own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme

from confman_tui.cluster.tls import TlsOptions, make_context
from confman_tui.core.child_process.start import start
from confman_tui.demo.node_contract import NodeOptions
from confman_tui.demo.supervisor import COMPACT_AFTER
from tests.support.odd_servers import free_port
from tests.support.polls import poll_once
from tests.support.waiting import DEADLINE_S, wait_for

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Authority:
    """A CA and what it issues, as files in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA(organization_name=name)
        self._folder = folder
        self._name = name
        self.file = folder / f"{name}.pem"
        """The CA itself."""
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, host: str = "127.0.0.1", *, expired: bool = False) -> Path:
        """A certificate with its key."""
        made = self._ca.issue_cert(host, not_after=LONG_AGO) if expired else self._ca.issue_cert(host)
        path = self._folder / f"{self._name}-{host}{'-expired' if expired else ''}.pem"
        made.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def server_context(self, host: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
        """For a server of the test's own process."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(host, expired=expired))
        return context

    @property
    def trusting(self) -> ssl.SSLContext:
        """For a client that trusts it."""
        return make_context(TlsOptions(str(self.file)))


@dataclass(frozen=True)
class TlsCluster:
    """Three nodes at https addresses."""

    urls: tuple[str, ...]
    authority: Authority

    @property
    def flags(self) -> list[str]:
        """What the program is started with."""
        return ["--nodes", ",".join(self.urls), "--host", self.urls[0]]


@contextmanager
def tls_cluster(folder: Path) -> Iterator[TlsCluster]:
    """A running one, with a leader."""
    authority = Authority(folder)
    certificate = authority.issue()
    urls = {f"node-{number}": f"https://127.0.0.1:{free_port()}" for number in (1, 2, 3)}
    with ExitStack() as nodes:
        for name in urls:
            data = folder / name
            data.mkdir(mode=0o700)
            log = nodes.enter_context((data / "node.log").open("ab"))
            process = start("tests.support.tls_node", name, str(data), str(certificate), output=log.fileno())
            nodes.callback(process.end, 0.0)
            process.send(NodeOptions(name, urls, (150, 300), COMPACT_AFTER, True))
        cluster = TlsCluster(tuple(urls.values()), authority)
        wait_for(lambda: asyncio.run(_is_ready(cluster)), lambda: (folder / "node-1/node.log").read_text(), DEADLINE_S)
        yield cluster


async def _is_ready(cluster: TlsCluster) -> bool:
    polls = await poll_once(cluster.urls, tls=cluster.authority.trusting)
    return all(poll.ready for poll in polls) and any(poll.role == "leader" for poll in polls)
