"""The name of a node on the screen."""

from __future__ import annotations

from collections.abc import Mapping

from confman_tui.cluster.node_names import short_names
from confman_tui.tui.text import clean


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
