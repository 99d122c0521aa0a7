"""What we know of the cluster: plain frozen values, no clock, no network.

All times are seconds since the epoch on the program's steady clock (`confman_tui.core.clock`). A node is named by its
base URL without a trailing slash, such as ``http://127.0.0.1:6100``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PollKind(StrEnum):
    """How one poll of ``/health/ready`` ended."""

    ANSWER = "answer"
    """A Confman answer, 200 or 503, with its cluster section."""
    REFUSED = "refused"
    """The connection was refused: no process listens."""
    RESET = "reset"
    """The connection was closed or reset before the whole answer came."""
    TIMEOUT = "timeout"
    """No answer within the deadline."""
    NOT_CONFMAN = "not_confman"
    """An answer, but not one of Confman's (other status, no JSON, no cluster section)."""
    WRONG = "wrong"
    """Confman's shape with values that cannot be (a negative term, an unknown role)."""
    UNTRUSTED = "untrusted"
    """The node's certificate does not fit (TLS): nothing was asked, and no key was sent."""
    ERROR = "error"
    """Anything else, such as a name that does not resolve."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll of one node and its outcome."""

    node: str
    """Base URL of the node asked."""
    sent: float
    """When it was asked. An answer counts for this time, not for the time it came."""
    answered: float
    """When the answer came, or when the poll was given up."""
    kind: PollKind
    ready: bool = False
    """True for a 200 answer: the node knows a leader (not: writes go through)."""
    role: str = ""
    """``leader`` or ``follower``, as the node says; empty without an answer."""
    leader: str | None = None
    """The node's word for who leads, normalised to a base URL."""
    term: int | None = None
    detail: str = ""
    """What went wrong, in words, as plain text (may hold a node's text: never show it as markup)."""


class NodeState(StrEnum):
    """What a node is, as far as its answers and those of the others show."""

    UNKNOWN = "unknown"
    """Not asked yet."""
    LEADER = "leader"
    """Says that it leads, in the highest term seen: serves writes."""
    ELECTED = "elected"
    """Names itself as leader but does not say that it leads: not serving yet."""
    FORMER_LEADER = "former_leader"
    """Goes on naming itself for a moment though it leads no more: others lead a higher term, or it stepped down."""
    FOLLOWER = "follower"
    FOLLOWER_OF_DEAD = "follower_of_dead"
    """Ready, and names a leader that does not answer or no longer leads."""
    STALE_LEADER = "stale_leader"
    """Says that it leads, in a term lower than the highest seen."""
    NOT_READY = "not_ready"
    """503: knows no leader."""
    REFUSED = "refused"
    SILENT = "silent"
    """Accepts connections but does not answer."""
    NOT_CONFMAN = "not_confman"
    WRONG = "wrong"
    """Confman's shape with impossible values, or an error that fits nothing else."""


FAILED_POLL_STATES: dict[PollKind, NodeState] = {
    PollKind.REFUSED: NodeState.REFUSED,
    # A connection that is closed under a request is what a killed process leaves; the next poll is refused.
    PollKind.RESET: NodeState.REFUSED,
    PollKind.TIMEOUT: NodeState.SILENT,
    PollKind.NOT_CONFMAN: NodeState.NOT_CONFMAN,
    PollKind.UNTRUSTED: NodeState.NOT_CONFMAN,
    PollKind.WRONG: NodeState.WRONG,
    PollKind.ERROR: NodeState.WRONG,
}
"""What a node is after a poll that brought no valid answer."""

WELL_STATES = frozenset({NodeState.LEADER, NodeState.FOLLOWER})
"""The node takes part: it leads, or it follows a leader that lives."""
FAILED_STATES = frozenset(FAILED_POLL_STATES.values())
"""The node was asked and gave no valid answer of Confman's."""
NO_ANSWER_STATES = FAILED_STATES | {NodeState.UNKNOWN}
"""Nothing valid is known of the node: it failed, or was not asked yet."""
SILENT_STATES = NO_ANSWER_STATES - {NodeState.WRONG}
"""No Confman has answered at the node's address. A node that gave a wrong answer did answer."""
UNREACHABLE_STATES = frozenset({NodeState.REFUSED, NodeState.SILENT})
"""Nothing at all answers at the node's address."""
ALARMING_STATES = FAILED_STATES | {NodeState.STALE_LEADER}
"""What is shown as an alarm: the node failed, or claims to lead and does not."""

STATE_WORDS: dict[NodeState, str] = {
    NodeState.UNKNOWN: "unknown",
    NodeState.LEADER: "leader",
    NodeState.ELECTED: "elected, not serving",
    NodeState.FORMER_LEADER: "was leader",
    NodeState.FOLLOWER: "follower",
    NodeState.FOLLOWER_OF_DEAD: "follows a dead leader",
    NodeState.STALE_LEADER: "stale leader",
    NodeState.NOT_READY: "not ready",
    NodeState.REFUSED: "refused",
    NodeState.SILENT: "not answering",
    NodeState.NOT_CONFMAN: "not Confman",
    NodeState.WRONG: "wrong answer",
}
"""The words for each state, the same on the screen, in logs and in files."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node, as of the last poll that counted."""

    node: str
    state: NodeState = NodeState.UNKNOWN
    since: float | None = None
    """Since when it has been in this state."""
    term: int | None = None
    """The term of its last answer."""
    ready: bool = False
    names_leader: str | None = None
    """Whom it names as leader."""
    latency_s: float | None = None
    """Duration of its last answered poll, in seconds."""
    last_answer: float | None = None
    """Asking time of the last answered poll: the start of a silence."""
    detail: str = ""
    """Last error in words; kept until the node answers again."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """All nodes at one moment."""

    at: float
    nodes: tuple[NodeView, ...]
    """In the order they were configured."""
    leader: str | None = None
    """The node that leads (says so, in the highest term seen), or None."""
    term: int | None = None
    """The highest term seen."""
    leader_since: float | None = None

    def node(self, url: str) -> NodeView:
        """The view of one node; KeyError when it is not among the configured ones."""
        for view in self.nodes:
            if view.node == url:
                return view
        raise KeyError(url)

    @property
    def stranger(self) -> str | None:
        """The leader that all nodes which know one name, and that is none of the configured ones; None when there is
        no such. Nothing is written to it: it was not named to this program."""
        named = {view.names_leader for view in self.nodes if view.ready and view.state not in SILENT_STATES}
        only = next(iter(named)) if len(named) == 1 else None
        if self.leader is not None or only is None or any(view.node == only for view in self.nodes):
            return None
        return only

    @property
    def answering(self) -> tuple[str, ...]:
        """Nodes that answered as Confman does when last asked."""
        return tuple(view.node for view in self.nodes if view.state not in SILENT_STATES)

    @property
    def ready(self) -> tuple[str, ...]:
        """Nodes that can serve reads: those that answered with 200 when last asked."""
        return tuple(view.node for view in self.nodes if view.ready)


class FactKind(StrEnum):
    """What can change in a cluster; each change makes one `Fact`."""

    LEADER_LOST = "leader_lost"
    TERM_ADVANCED = "term_advanced"
    ELECTED = "elected"
    """A node names itself but does not serve yet."""
    LEADER_SERVING = "leader_serving"
    ALL_AGREE = "all_agree"
    """Every live node names the serving leader, in its term."""
    FOLLOWS_DEAD_LEADER = "follows_dead_leader"
    FORMER_LEADER = "former_leader"
    """A leader that came back, or stepped down, still names itself: it is no leader, and follows nobody yet."""
    STALE_LEADER = "stale_leader"
    SPLIT_CLAIM = "split_claim"
    """Two nodes claim to lead the same term."""
    NODE_DOWN = "node_down"
    NOT_ANSWERING = "not_answering"
    NODE_WRONG = "node_wrong"
    """It answers, but not as Confman does."""
    NODE_BACK = "node_back"


@dataclass(frozen=True, slots=True)
class Fact:
    """One change of the cluster."""

    kind: FactKind
    at: float
    """The asking time of the poll that showed it."""
    node: str | None = None
    term: int | None = None
    detail: str = ""
    uncertainty_s: float = 0.0
    """How much earlier it may have happened: back to the node's previous poll, in seconds."""
    seen: float = 0.0
    """When the answer that showed it came."""
