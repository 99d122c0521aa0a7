"""Which nodes run on this machine, and as which processes: for the CPU that each takes, never to signal one."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress

import psutil

from confman_tui.cluster.addresses import host_of, is_loopback, port_of
from confman_tui.cluster.faults.local_process import WILDCARDS, listening, plain_ip

_FORWARDERS = frozenset(
    {"docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "ssh", "socat", "kubectl"}
)
"""Programs that listen in a node's place and pass on: their CPU is not the node's."""


def _addresses(node: str) -> frozenset[str]:
    """The addresses that a node's host stands for; empty when it does not resolve."""
    try:
        found = socket.getaddrinfo(host_of(node), port_of(node), type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(str(entry[4][0]).partition("%")[0] for entry in found)


def local_nodes(nodes: Iterable[str]) -> tuple[str, ...]:
    """The nodes whose address is loopback or one of this machine's interfaces. Looks names up: not for a loop's
    thread."""
    own = {
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    return tuple(node for node in nodes if is_loopback(node) or _addresses(node) & own)


def processes_of(nodes: Sequence[str]) -> dict[str, psutil.Process]:
    """The process that listens at each of these nodes' addresses, where the system says so; the others are left out.

    It walks all sockets and processes: some ms to some hundred ms, so do it rarely and in a thread.
    """
    try:
        sockets = listening()
    except (psutil.Error, OSError):
        return {}
    found: dict[str, psutil.Process] = {}
    for node in nodes:
        here = [(plain_ip(address), pid) for address, port, pid in sockets if port == port_of(node) and pid is not None]
        addresses = _addresses(node)
        exact = {pid for address, pid in here if address in addresses}
        pids = exact or {pid for address, pid in here if address in WILDCARDS}
        if not pids:
            continue
        with suppress(psutil.Error):
            process = psutil.Process(min(pids))
            if process.name() not in _FORWARDERS:
                found[node] = process
    return found
