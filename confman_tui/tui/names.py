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
    """The short name of ``node``, or its cleaned address when it is not one of the configured ones."""
    if node is None:
        return "?"
    known = names.get(node)
    return known if known is not None else clean(node.removeprefix("http://"), 40)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
