"""Which nodes have caught up with the cluster, why the others have not, and how long to wait for them. Pure.

A node has caught up when it is ready, names the cluster's leader and is in its term.

A node that has not caught up answers reads from what it has, which may be old: nothing is proven by what it lacks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from confman_tui.cluster.states import NO_ANSWER_STATES, STATE_WORDS, WELL_STATES, ClusterView, NodeState, NodeView

DOWN_FOR_GOOD_S = 5.0
"""A node that has given no answer of Confman's for longer is not waited for: nothing says that it is on its way."""


def why_behind(view: ClusterView, node: NodeView) -> str:
    """Why a node has not caught up, in words that a duration can follow; empty when it has: it is ready, names the
    leader, and is in the leader's term."""
    if node.state in NO_ANSWER_STATES or node.state is NodeState.NOT_READY:
        return STATE_WORDS[node.state]
    if not node.ready:
        return STATE_WORDS[NodeState.NOT_READY]
    if node.state not in WELL_STATES:
        return STATE_WORDS[node.state]
    if view.leader is None:
        return "without a leader"
    if node.names_leader != view.leader:
        return "naming another leader"
    return "" if node.term == view.node(view.leader).term else "in another term than the leader"


@dataclass(frozen=True, slots=True)
class Behind:
    """A node that has not caught up."""

    node: str
    why: str
    """In words, such as ``not ready``."""
    since: float
    """Since when, on the program's clock."""
    answers: bool
    """Whether it answers as Confman does."""

    def words(self, now: float, looked_since: float | None = None) -> str:
        """``not ready for 30 s``; where the wait for it was longer than that, how long the wait was, too.

        Args:
            now: the present.
            looked_since: when the wait began.
        """
        held = max(0.0, now - self.since)
        text = f"{self.why} for {held:.0f} s"
        if looked_since is not None and now - looked_since > held + 1.0:
            text += f", not caught up for {now - looked_since:.0f} s"
        return text


class CatchUp:
    """Follows which nodes are behind, from one view to the next. Give it every view, or one every now and then."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, float]] = {}

    def behind(self, view: ClusterView, returned: Mapping[str, float] | None = None) -> tuple[Behind, ...]:
        """The nodes that have not caught up.

        Args:
            view: what is known.
            returned: when a node was given back to the cluster (resumed, healed or restarted): what it was before does
                not count against it.
        """
        found = []
        for node in view.nodes:
            why = why_behind(view, node)
            before, since = self._since.get(node.node, ("", view.at))
            if why != before:
                # A follower's state is older than what is wrong with the leader or the term that it names.
                known = node.state not in WELL_STATES and node.since is not None
                since = node.since if known and node.since is not None else view.at
                self._since[node.node] = (why, since)
            if why:
                since = max(since, (returned or {}).get(node.node, since))
                found.append(Behind(node.node, why, since, node.state not in NO_ANSWER_STATES))
        return tuple(found)


def awaited(
    behind: Collection[Behind], nodes: int, hurt: Collection[str], now: float, wait_s: float, begun: float = 0.0
) -> tuple[Behind, ...]:
    """Those of the nodes behind that are worth waiting for. None is when all are well, nor when fewer than a majority
    can come back: no leader can be elected then.

    A node that answers is waited for until it has been behind for ``wait_s`` in all, so that one that was behind
    for longer already costs nothing; one that gives no answer until it has been so for `DOWN_FOR_GOOD_S`, unless it was
    so before the run; one that we killed, paused or isolated ourselves, and did not give back, not at all.

    Args:
        behind: from `CatchUp.behind`.
        nodes: how many the cluster has.
        hurt: nodes that we hurt and did not give back.
        now: the present.
        wait_s: ``--wait``, in seconds.
        begun: when the run began.
    """
    down_since = max(begun, now - DOWN_FOR_GOOD_S)
    able = [one for one in behind if one.node not in hurt and (one.answers or one.since > down_since)]
    if nodes - len(behind) + len(able) < nodes // 2 + 1:
        return ()
    return tuple(one for one in able if now - one.since < wait_s)
