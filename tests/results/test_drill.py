"""A drill's rounds as a table, a document and files."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import Fault, FaultKind, Verification
from confman_tui.results.files.drill_files import drill_document, save_drill
from confman_tui.results.model import DrillEnded, DrillRound
from confman_tui.results.statistics.drill_rounds import distribution
from confman_tui.results.tables.drill_table import drill_table
from tests.support import result_samples


def _drill() -> DrillEnded:
    election = result_samples.election()
    rounds = (
        DrillRound(1, 3, election.fault, True, "", election, return_s=0.25),
        DrillRound(
            2,
            3,
            election.fault,
            True,
            "",
            result_samples.election(without_writes_s=2.62, recover90_s=None),
            no_return="did not come back: not ready for 30 s",
        ),
        DrillRound(3, 3, election.fault, False, "too few writes to judge", None),
    )
    return DrillEnded(rounds, Verification(acknowledged=10, checked=10), "2 of 3 rounds judged, no write lost.")


def test_the_drills_document_has_the_names_that_were_agreed() -> None:
    document = drill_document(_drill())
    assert set(document) >= {"rounds", "verification"}
    first, second, third = document["rounds"]
    expected = {
        "fault": "kill",
        "node": result_samples.NODES[0],
        "judged": True,
        "detect_s": 0.124,
        "elect_s": 1.43,
        "agree_s": 1.5,
        "without_writes_s": 1.62,
        "uncertainty_s": 0.02,
        "recover90_s": 2.5,
        "term_before": 6,
        "term_after": 7,
    }
    assert {name: first[name] for name in expected} == expected
    assert (first["return_s"], second["no_return"]) == (0.25, "did not come back: not ready for 30 s")
    assert (third["judged"], third["reason"], third["elect_s"]) == (False, "too few writes to judge", None)
    assert document["verification"]["acknowledged"] == 10
    assert document["spread"]["without_writes_s"] == {
        "min": 1.62,
        "median": 2.12,
        "p95": 2.62,
        "max": 2.62,
        "p95_is_max": True,
    }
    assert first["first_write_s"] == document["spread"]["first_write_s"]["max"] == 1.6
    assert document["spread"]["recover90_s"]["max"] == 2.5
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_an_unjudged_round_never_counts() -> None:
    election = result_samples.election(without_writes_s=0.01)
    ended = DrillEnded((DrillRound(1, 1, election.fault, False, "no steady state", election),), None, "Nothing judged.")
    assert drill_document(ended)["spread"]["without_writes_s"]["min"] is None
    assert "min" not in drill_table(ended)
    assert "round 1 unjudged: no steady state" in drill_table(ended)
    assert "no round was run" in drill_table(DrillEnded((), None, "Stopped."))


def test_the_drills_table() -> None:
    assert drill_table(_drill()).splitlines() == [
        "round       fault            node  detect  elect  agree  write  90 %  no writes  return  terms",
        "1            kill  127.0.0.1:6100    0.12   1.43   1.50   1.60  2.50       1.62    0.25    6→7",
        "2            kill  127.0.0.1:6100    0.12   1.43   1.50   1.60     -       2.62       -    6→7",
        "3 unjudged   kill  127.0.0.1:6100       -      -      -      -     -          -       -      -",
        "min                                  0.12   1.43   1.50   1.60  2.50       1.62    0.25",
        "median                               0.12   1.43   1.50   1.60  2.50       2.12    0.25",
        "max = p95                            0.12   1.43   1.50   1.60  2.50       2.62    0.25",
        "detect to 90 %: seconds from the fault; write: one was acknowledged; 90 %: of the rate before",
        "no writes: for how long, ± 0.02 s, wherever it began",
        "return: seconds from the end of the fault until the node had caught up",
        "of 2 rounds the 95th percentile is the maximum",
        "round 3 unjudged: too few writes to judge",
        "round 2: 127.0.0.1:6100 did not come back: not ready for 30 s",
        "writes: ok: 10 acknowledged, 10 read back, 0 lost, 0 stale, 0 phantom, 0 of 0 unknown present",
        "2 of 3 rounds judged, no write lost.",
    ]


def test_twenty_rounds_have_a_95th_percentile_of_their_own() -> None:
    elections = [result_samples.election(without_writes_s=1.0 + number) for number in range(20)]
    rounds = tuple(DrillRound(i + 1, 20, one.fault, True, "", one) for i, one in enumerate(elections))
    table = drill_table(DrillEnded(rounds, None, "Done."))
    [p95] = [line.split() for line in table.splitlines() if line.startswith("p95")]
    assert "19.00" in p95
    assert "the 95th percentile is" not in table
    assert drill_document(DrillEnded(rounds, None, "Done."))["spread"]["without_writes_s"]["p95_is_max"] is False


def test_a_round_in_which_the_leader_stalled_names_one_term() -> None:
    stall = result_samples.election(new_leader=result_samples.NODES[0], term_before=1, term_after=1)
    table = drill_table(DrillEnded((DrillRound(1, 1, stall.fault, True, "", stall),), None, "Done."))
    assert table.splitlines()[1].endswith("  1"), "and not 1→1, as if there had been an election"


@given(st.floats(0, 9), st.floats(0, 3))
def test_moments_of_a_round_have_one_origin(first_write_s: float, longer: float) -> None:
    """The outage may have begun before the fault; throughput was back when it was written again, not before."""
    election = result_samples.election(
        first_write_s=first_write_s, recover90_s=first_write_s + longer, without_writes_s=first_write_s + 0.1
    )
    line = drill_table(DrillEnded((DrillRound(1, 1, election.fault, True, "", election),), None, "")).splitlines()[1]
    write, back = line.split()[6:8]
    assert float(write) <= float(back)


def test_a_wide_row_of_the_drill_is_shown_whole() -> None:
    fault = Fault(FaultKind.ISOLATE, "http://127.0.0.1:21234", 1.0, "drill")
    election = result_samples.election(fault=fault, term_before=98, term_after=99)
    table = drill_table(DrillEnded((DrillRound(50, 50, fault, False, "too few", election),), None, "Nothing."))
    assert "50 unjudged  isolate  127.0.0.1:21234" in table
    assert all(len(line) <= 100 for line in table.splitlines())


def test_the_drills_files(tmp_path: Path) -> None:
    rounds, document = save_drill(_drill(), tmp_path, "small", result_samples.CLUSTER)
    assert (rounds.name, document.name) == ("small-drill_rounds.csv", "small-drill.json")
    assert len(rounds.read_text().splitlines()) == 4
    assert json.loads(document.read_text())["tier"] == "small"


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_the_spread_is_of_the_values_seen(values: list[float]) -> None:
    found = distribution(values)
    assert found["min"] == min(values)
    assert found["max"] == max(values)
    p95 = found["p95"]
    assert p95 in values
    assert p95 is not None
    assert sum(value <= p95 for value in values) >= 0.95 * len(values)
    assert sum(value < p95 for value in values) < 0.95 * len(values)
