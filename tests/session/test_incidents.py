"""An election is reported from its first step on, not only when it is over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from confman_tui.cluster.states import Fact, FactKind
from confman_tui.cluster.writes.gaps import WriteStream
from confman_tui.session.events import ElectionAdvanced, Event
from confman_tui.session.incidents import IncidentTracker
from confman_tui.settings import Settings

NODES = ("http://127.0.0.1:6100", "http://127.0.0.1:6200", "http://127.0.0.1:6300")


def test_each_step_of_an_election_that_goes_on_is_told() -> None:
    events: list[Event] = []
    monitor = SimpleNamespace(nodes=NODES, book=SimpleNamespace(stream=WriteStream()))
    none = cast(Any, None)
    tracker = IncidentTracker(cast(Settings, none), cast(Any, monitor), none, none, events.append, lambda: 100.0)
    tracker.on_fact(Fact(FactKind.LEADER_SERVING, 90.0, NODES[0], 6))
    assert events == [], "nothing goes on"
    for fact in (
        Fact(FactKind.LEADER_LOST, 100.0, NODES[0], 6),
        Fact(FactKind.TERM_ADVANCED, 101.0, NODES[1], 7),
        Fact(FactKind.ELECTED, 101.2, NODES[1], 7),
        Fact(FactKind.LEADER_SERVING, 101.5, NODES[1], 7),
    ):
        tracker.on_fact(fact)
    elections = [event.election for event in events if isinstance(event, ElectionAdvanced)]
    assert len(elections) == 4
    assert [election.claim_s is not None for election in elections] == [False, False, True, True]
    assert elections[-1].serving_s == 1.5
    assert elections[-1].new_leader == NODES[1]
    assert len({election.origin for election in elections}) == 1
