"""How a node is named to a person, and which configured node a name means."""

from __future__ import annotations

from collections.abc import Iterable

from confman_tui.cluster.addresses import host_of, port_of


def short_names(nodes: Iterable[str]) -> dict[str, str]:
    """The names of these nodes (base URLs) side by side: ``:6100`` where all share one host, else ``host:6100``."""
    urls = tuple(nodes)
    one_host = len({host_of(node) for node in urls}) == 1
    return {node: f":{port_of(node)}" if one_host else full_name(node) for node in urls}


def full_name(node: str) -> str:
    """The name of a node by itself, such as ``127.0.0.1:6100``: what a file holds, which stands by itself too."""
    return node.split("://", 1)[-1]


class NodeNames:
    """Which configured node another name means.

    Nodes may call themselves otherwise than the person did (``localhost`` and ``127.0.0.1``, names within a container
    network). A name means the configured node of the same address, else the one that was learned, else the only one
    with that port.
    """

    def __init__(self, nodes: Iterable[str]) -> None:
        self._nodes = frozenset(nodes)
        self._learned: dict[str, str] = {}
        by_port: dict[int, list[str]] = {}
        for node in self._nodes:
            by_port.setdefault(port_of(node), []).append(node)
        self._by_port = {port: found[0] for port, found in by_port.items() if len(found) == 1}

    def match(self, url: str | None) -> str | None:
        """The configured node that a normalised base URL means, or None."""
        if url is None or url in self._nodes:
            return url
        return self._learned.get(url) or self._by_port.get(port_of(url))

    def learn(self, url: str, node: str) -> None:
        """A node called itself ``url`` while it led, so that name means it."""
        if url not in self._nodes and len(self._learned) < 64:
            self._learned[url] = node
