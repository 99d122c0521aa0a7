"""The words of events, as both front ends show them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from confman_tui.cluster.elections import Breach, BrokenKey, Election, Fault, FaultKind, UnreadNode, Verification
from confman_tui.cluster.states import Fact, FactKind
from confman_tui.load.saturation import GeneratorBound
from confman_tui.session.event_text import EventLine, Topic, line_of
from confman_tui.session.events import (
    DeferredRunDropped,
    DrillRound,
    DrillRoundEnded,
    ElectionMeasured,
    Event,
    FactObserved,
    FaultCaused,
    GeneratorLimitReached,
    LateWritesFound,
    LeftoversFound,
    Level,
    NoticeGiven,
    RateChanged,
    RunDeferred,
    ScenarioEnded,
    ScenarioStarted,
    VerificationEnded,
)
from confman_tui.settings.scenarios import Reads
from tests.support import result_samples, screen_story

NODES = screen_story.NODES
LOST = Fact(FactKind.LEADER_LOST, 100.0, NODES[0], 6, "connection refused")
VERIFIED = Verification(acknowledged=640, refused=49, unknown=1, checked=690)


def port(node: str | None) -> str:
    return "?" if node is None else f":{node.rpartition(':')[2]}"


def line(event: Event, *known: float) -> EventLine:
    found = line_of(event, port, known, 160.0)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (FactObserved(LOST), ":6100 lost as leader, term 6 (connection refused)"),
        (FactObserved(Fact(FactKind.LEADER_SERVING, 100.0, NODES[1], 7)), ":6200 leads, term 7"),
        (FactObserved(Fact(FactKind.SPLIT_CLAIM, 100.0, None, 7)), "two nodes claim to lead, term 7"),
        (FaultCaused(Fault(FaultKind.ISOLATE, NODES[0], 100.0, "drill")), "isolate :6100 (drill)"),
        (ScenarioStarted("read-1u", 100.0, 1, 15.0, 1234, 1024), "read-1u started: 1 user, 15 s, 1,234 entries"),
        (
            ScenarioStarted(
                "drill", 100.0, 10, None, 100, 1024, 500.0, 2.0, run=2, runs=3, step="step 1 of 2", reads=Reads.LEADER
            ),
            "drill started: 10 users, 500/s, until stopped, 100 entries, reads from the leader, step 1 of 2, "
            "run 2 of 3, after 2 s of warm-up",
        ),
        (RunDeferred(("read-1u",), 100.0), "read-1u starts when the data is there"),
        (DeferredRunDropped(("read-1u", "read-10u"), 100.0, "stopped"), "2 scenarios will not start: stopped"),
        (RateChanged("read-1u", 100.0, 550.0, 500.0), "rate 550/s, was 500/s"),
        (
            GeneratorLimitReached("read-1u", 100.0, GeneratorBound(3, "no core was free", "fewer users")),
            "read-1u: generator-bound, not the cluster's limit: no core was free; try fewer users",
        ),
        (LeftoversFound(("bench-small-000",)), "leftovers of an earlier run: 1 namespace"),
        (VerificationEnded("drill", VERIFIED), "drill verified: 690 writes read back, 640 acknowledged, 0 lost"),
        (
            VerificationEnded("drill", replace(VERIFIED, nodes_read=2, nodes=3)),
            "drill verified: 690 writes read back from 2 of 3 nodes, 640 acknowledged, 0 lost",
        ),
        (
            VerificationEnded("drill", replace(VERIFIED, nodes_read=3, nodes=3, diverged=2)),
            "drill: 0 LOST, 2 DIVERGED, 0 phantom writes, read back from 3 of 3 nodes",
        ),
        (
            LateWritesFound("drill", 1.0, (BrokenKey("n/a", Breach.LATE_PHANTOM), BrokenKey("n/b", Breach.PHANTOM))),
            "drill: 2 refused writes are there after all, late: n/a and 1 more",
        ),
        (VerificationEnded("drill", Verification()), "drill not verified: no acknowledged write to check"),
    ],
)
def test_the_words_of_an_event(event: Event, text: str) -> None:
    assert line(event).text == text


def test_what_is_no_news_to_read_has_no_line() -> None:
    assert line_of(LeftoversFound(()), port, (), 160.0) is None
    assert line_of(screen_story.acknowledgements(100.0, 20), port, (), 160.0) is None


def test_a_result_says_what_makes_its_figures_worth_less() -> None:
    outcome = result_samples.outcome(requests=100, failures=4, not_started=45)
    bound = GeneratorBound(5, "no core was free", "fewer users")
    ended = line(ScenarioEnded(result_samples.result(outcome=outcome, generator_bound=bound, note="INVALID: lost")))
    assert " 4 failed, 45 never began · INVALID: lost · generator-bound for 5 s" in ended.text
    assert ended.level is Level.WARNING


def test_a_notice_that_is_more_than_news_is_a_problem() -> None:
    assert line(NoticeGiven(Level.INFO, "hello", 1.0)).topic is Topic.RUNS
    assert line(NoticeGiven(Level.WARNING, "hello", 1.0)).topic is Topic.PROBLEMS


def test_an_election_that_has_a_line_gets_another_about_its_recovery_only() -> None:
    election = measured()
    assert line(ElectionMeasured(election)).text.startswith("election of :6200: serving after 1.50 s, writing after ")
    assert line(ElectionMeasured(election), election.origin).text == "back at 90 % after 2.40 s"
    assert line_of(ElectionMeasured(replace(election, recover90_s=None)), port, (election.origin,), 160.0) is None
    assert line(ElectionMeasured(replace(election, new_leader=None))).text == "election without a winner"


def test_a_leader_that_came_back_is_told_as_what_it_was() -> None:
    fact = Fact(FactKind.FORMER_LEADER, 1.0, NODES[0], 3, "names itself")
    assert line(FactObserved(fact)).text == ":6100 was leader, not yet a follower (names itself)"


def test_a_stall_without_an_election_is_told_as_one() -> None:
    stall = replace(measured(), new_leader=NODES[1], old_leader=NODES[1], term_before=1, term_after=1)
    assert line(ElectionMeasured(stall)).text.startswith(":6200 leads on in term 1: serving after 1.50 s")


def measured() -> Election:
    return screen_story.election(Fault(FaultKind.PAUSE, NODES[0], 150.3), 100.0)


def test_an_election_whose_first_write_came_before_the_poll_that_shows_its_leader() -> None:
    election = replace(measured(), serving_s=2.13, first_write_s=2.09)
    assert line(ElectionMeasured(election)).text == "election of :6200: writing after 2.09 s"


def test_a_verification_names_the_nodes_that_it_leaves_out() -> None:
    note = "judged without :6300 (not ready for 30 s)"
    verified = replace(VERIFIED, note=note, without=(UnreadNode(NODES[2], "not ready for 30 s"),))
    said = line(VerificationEnded("drill", verified))
    assert said.text == f"drill verified: 690 writes read back, 640 acknowledged, 0 lost; {note}"
    assert said.level is Level.WARNING
    lost = line(VerificationEnded("drill", replace(verified, lost=3)))
    assert lost.text == f"drill: 3 LOST, 0 phantom writes; {note}"
    assert lost.topic is Topic.PROBLEMS


def test_a_round_says_when_its_node_was_back_or_why_not() -> None:
    fault = Fault(FaultKind.PAUSE, NODES[0], 150.3)
    ended = DrillRound(1, 3, fault, True, "", measured(), return_s=33.1)
    assert line(DrillRoundEnded(ended)).text == "drill round 1 of 3: 1.62 s without writes, back after 33.1 s"
    why = "did not come back: not ready for 30 s"
    said = line(DrillRoundEnded(replace(ended, return_s=None, no_return=why)))
    assert said.text == f"drill round 1 of 3: 1.62 s without writes; :6100 {why}"
    assert said.level is Level.WARNING
    skipped = DrillRound(2, 3, None, False, "no steady state within 45 s", None)
    assert line(DrillRoundEnded(skipped)).text == "drill round 2 of 3 not judged: no steady state within 45 s"
