"""Short names of nodes for the screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from confman_tui.tui.text import clean


def short_names(nodes: Iterable[str]) -> dict[str, str]:
    """``:6100`` for each node where all share one host, ``host:port`` where they do not."""
    urls = tuple(nodes)
    hosts = {urlsplit(url).hostname for url in urls}
    return {url: (f":{_port(url)}" if len(hosts) == 1 else f"{urlsplit(url).hostname}:{_port(url)}") for url in urls}


def name_of(node: str | None, names: Mapping[str, str]) -> str:
    """The short name of ``node``; its cleaned address when it is not one of the configured ones.

    Before the nodes are known its port stands for it.
    """
    if node is None:
        return "?"
    known = names.get(node)
    if known is not None:
        return known
    if not names:
        try:
            return short_names((node,))[node]
        except ValueError:
            pass
    return clean(node.removeprefix("http://"), 40)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
