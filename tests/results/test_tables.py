"""What a person reads at the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import Fault, FaultKind, Verification
from confman_tui.load.run_model import Cause
from confman_tui.results.drill import drill_document, drill_table, save_drill, spread
from confman_tui.results.tables import results_table
from confman_tui.session.events import DrillEnded, DrillRound
from tests.support import result_samples


def test_the_table_of_a_series() -> None:
    reads = result_samples.outcome(
        requests=7965, failures=0, failures_by_cause={}, reads_ok=7965, writes_ok=0, p50_us=512
    )
    series = [
        result_samples.result(),
        result_samples.result("read-10u", outcome=reads, elections=(), verification=None),
    ]
    assert results_table(series).splitlines() == [
        "tier small",
        "scenario         requests       failed  req/s  p50 ms  p95 ms  p99 ms  max ms  entries",
        "write-10u           1,332  12 (0.90 %)   88.0    34.1    81.2     110   1,630    1,000",
        "  refused                   8 (0.60 %)",
        "  503 no leader             4 (0.30 %)",
        "read-10u            7,965            0    531    0.51    81.2     110   1,630    1,000",
        "write-10u: after a redirect: 3 requests",
        "read-10u: after a redirect: 3 requests",
        "peak read throughput: 531 req/s (read-10u)",
        "peak write throughput: 88.0 req/s (write-10u)",
        "peak read to peak write: 6.03",
        "writes: ok: 1,320 acknowledged, 1,320 read back, 0 lost, 0 stale, 0 phantom, 1 of 4 unknown present",
        "elections:",
        "  write-10u: kill, term 6 to 7, 127.0.0.1:6200 led after 1.43 s, 1.62 ± 0.02 s without writes",
        "",
        "req/s and times: successful requests only; entries: what the cluster held before the scenario",
    ]


def test_a_scenario_without_any_success() -> None:
    nothing = result_samples.outcome(
        requests=3,
        failures=3,
        failures_by_cause={Cause.OTHER: 3},
        reads_ok=0,
        writes_ok=0,
        **dict.fromkeys(("p50_us", "p95_us", "p99_us", "max_us")),
    )
    lines = results_table([result_samples.result(outcome=nothing, verification=None, elections=())]).splitlines()
    assert lines[2].split() == ["write-10u", "3", "3", "(100", "%)", "0.00", "-", "-", "-", "-", "1,000"]
    assert not any("peak" in line for line in lines)
    assert "elections: none" in lines


def test_tiers_stand_apart() -> None:
    lines = results_table([result_samples.result(), result_samples.result(tier="large")]).splitlines()
    assert [line for line in lines if line.startswith("tier")] == ["tier small", "tier large"]


@pytest.mark.parametrize(
    ("verification", "said"),
    [
        (Verification(), "0 acknowledged, 0 read back: nothing to judge"),
        (Verification(acknowledged=9), "9 acknowledged, 0 read back: nothing to judge"),
        (Verification(acknowledged=9, checked=9, lost=1), "writes: LOST WRITES: 9 acknowledged, 9 read back"),
        (Verification(acknowledged=9, checked=9, phantom=1), "writes: PHANTOM WRITES: 9 acknowledged, 9 read back"),
        (Verification(acknowledged=9, checked=3, stale=2), "writes: ok: 9 acknowledged, 3 read back, 0 lost, 2 stale"),
        (None, "writes: not verified: write-10u"),
    ],
)
def test_the_verdict_on_the_writes(verification: Verification | None, said: str) -> None:
    assert said in results_table([result_samples.result(verification=verification)])


@settings(deadline=None)
@given(
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    st.text(min_size=1, max_size=60),
    st.text(max_size=200),
    st.floats(0, 1e6),
)
def test_no_line_is_wider_than_a_hundred_columns(failed: int, ok: int, name: str, note: str, gap: float) -> None:
    """However large the figures and whatever the names: only counts beyond 10^12 may push the columns further."""
    failed, ok = failed % 10**9, ok % 10**9
    outcome = result_samples.outcome(
        requests=failed + ok, failures=failed, failures_by_cause={Cause.OTHER: failed}, writes_ok=ok
    )
    table = results_table(
        [
            result_samples.result(
                name, outcome=outcome, note=note, elections=(result_samples.election(without_writes_s=gap),)
            )
        ]
    )
    assert all(len(line) <= 100 and line.isprintable() for line in table.splitlines()), table


def _drill(**changes: object) -> DrillEnded:
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
    return DrillEnded(rounds, Verification(acknowledged=10, checked=10), "2 of 3 rounds judged, no write lost.", 0)


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
    assert document["spread"]["without_writes_s"] == {"min": 1.62, "median": 2.12, "p95": 2.62, "max": 2.62}
    assert document["spread"]["recover90_s"]["max"] == 2.5
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_an_unjudged_round_never_counts() -> None:
    election = result_samples.election(without_writes_s=0.01)
    ended = DrillEnded(
        (DrillRound(1, 1, election.fault, False, "no steady state", election),), None, "Nothing judged.", 4
    )
    assert drill_document(ended)["spread"]["without_writes_s"]["min"] is None
    assert "min" not in drill_table(ended)
    assert "round 1 unjudged: no steady state" in drill_table(ended)
    assert "no round was run" in drill_table(DrillEnded((), None, "Stopped.", 130))


def test_the_drills_table() -> None:
    assert drill_table(_drill()).splitlines() == [
        "round       fault            node  detect  elect  agree  no writes  to 90 %  return   terms",
        "1            kill  127.0.0.1:6100    0.12   1.43   1.50       1.62     2.50    0.25  6 to 7",
        "2            kill  127.0.0.1:6100    0.12   1.43   1.50       2.62        -       -  6 to 7",
        "3 unjudged   kill  127.0.0.1:6100       -      -      -          -        -       -       -",
        "min                                  0.12   1.43   1.50       1.62     2.50    0.25",
        "median                               0.12   1.43   1.50       2.12     2.50    0.25",
        "p95                                  0.12   1.43   1.50       2.62     2.50    0.25",
        "max                                  0.12   1.43   1.50       2.62     2.50    0.25",
        "seconds from the fault, to 90 % of the writes per second before; no writes: ± 0.02 s;",
        "return: seconds from the end of the fault until the node had caught up",
        "round 3 unjudged: too few writes to judge",
        "round 2: 127.0.0.1:6100 did not come back: not ready for 30 s",
        "writes: ok: 10 acknowledged, 10 read back, 0 lost, 0 stale, 0 phantom, 0 of 0 unknown present",
        "2 of 3 rounds judged, no write lost.",
    ]


def test_a_wide_row_of_the_drill_is_shown_whole() -> None:
    fault = Fault(FaultKind.ISOLATE, "http://127.0.0.1:21234", 1.0, "drill")
    election = result_samples.election(fault=fault, term_before=98, term_after=99)
    table = drill_table(DrillEnded((DrillRound(50, 50, fault, False, "too few", election),), None, "Nothing.", 4))
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
    told = spread(values)
    assert told["min"] == min(values)
    assert told["max"] == max(values)
    p95 = told["p95"]
    assert p95 in values
    assert p95 is not None
    assert sum(value <= p95 for value in values) >= 0.95 * len(values)
    assert sum(value < p95 for value in values) < 0.95 * len(values)
