"""What a person reads at the end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import Verification
from confman_tui.load.run_model import Cause
from confman_tui.results.model import ScenarioResult
from confman_tui.results.tables.peaks import peak_lines
from confman_tui.results.tables.results_table import results_table
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
        "peak read throughput: 531 req/s (read-10u: 10 users without pauses)",
        "peak write throughput: 88.0 req/s (write-10u: 10 users with pauses of 50 to 100 ms)",
        "no ratio of reads to writes: no scenarios that only read and only write ran with as many users and",
        "    the same pauses (read-10u and write-stress-10u do)",
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


def _rates(name: str, reads: int, writes: int, **changes: Any) -> ScenarioResult:
    """A run of 15 s."""
    outcome = result_samples.outcome(reads_ok=15 * reads, writes_ok=15 * writes)
    return result_samples.result(name, outcome=outcome, elections=(), verification=None, **changes)


def _peaks(*results: ScenarioResult) -> list[str]:
    return peak_lines(results)


def test_peaks_of_like_with_like_have_a_ratio() -> None:
    """write-10u's users pause and read-10u's don't: only write-stress-10u can be set against it, which the original
    suite leaves out of its peak."""
    lines = _peaks(_rates("write-10u", 0, 110), _rates("read-10u", 600, 0), _rates("write-stress-10u", 0, 120))
    assert lines == [
        "peak read throughput: 600 req/s (read-10u: 10 users without pauses)",
        "peak write throughput: 120 req/s (write-stress-10u: 10 users without pauses); without it, as the original "
        "suite counts: 110 (write-10u: 10 users with pauses of 50 to 100 ms)",
        "reads to writes, 10 users each, without pauses: 5.00 (read-10u to write-stress-10u)",
    ]


@pytest.mark.parametrize(
    "write",
    [
        _rates("write-1u", 0, 12, users=1),
        _rates("write-stress-10u", 0, 120, users=5),
        _rates("write-stress-10u", 0, 120, payload_bytes=10),
        _rates("write-stress-10u", 0, 120, rate=500.0),
        _rates("mixed-10u", 200, 50),
        _rates("nobody-knows", 0, 50),
    ],
)
def test_peaks_of_unlike_runs_have_none_and_say_why(write: ScenarioResult) -> None:
    assert _peaks(_rates("read-10u", 600, 0), write)[-1].startswith("no ratio of reads to writes: no scenarios that")


def test_writes_of_the_probe_and_of_the_warm_up_are_told_apart() -> None:
    """Otherwise "1,742 acknowledged" stands beside 1,735 writes that succeeded."""
    verified = Verification(acknowledged=1742, checked=1742, by_probe=7)
    outcome = result_samples.outcome(writes_ok=1735)
    table = results_table([result_samples.result(outcome=outcome, verification=verified)])
    assert "writes: ok: 1,742 acknowledged (7 of them the probe's), 1,742 read back" in table
    assert "warm-up" not in table
    outcome = result_samples.outcome(writes_ok=1700)
    table = results_table([result_samples.result(outcome=outcome, verification=verified, warmup_s=1.0)])
    assert "writes: 35 of them were acknowledged in the warm-up, which the figures leave out" in table


def test_a_stall_without_an_election_is_none() -> None:
    stall = result_samples.election(
        fault=None, new_leader=result_samples.NODES[0], term_before=1, term_after=1, serving_s=0.96
    )
    lines = results_table([result_samples.result(elections=(stall,))]).splitlines()
    assert "elections: none" in lines
    at = lines.index("leader lost for a while, without an election:")
    assert lines[at + 1] == "  write-10u: term 1, 127.0.0.1:6100 led again after 0.96 s, 1.62 ± 0.02 s without writes"
    both = results_table([result_samples.result(elections=(stall, result_samples.election()))]).splitlines()
    assert both[both.index("elections:") + 1].startswith("  write-10u: kill, term 6 to 7, 127.0.0.1:6200 led after")


def test_tiers_stand_apart() -> None:
    lines = results_table([result_samples.result(), result_samples.result(tier="large")]).splitlines()
    assert [line for line in lines if line.startswith("tier")] == ["tier small", "tier large"]


@pytest.mark.parametrize(
    ("verification", "said"),
    [
        (Verification(), "0 acknowledged, 0 read back: nothing to judge"),
        (Verification(acknowledged=9, asked=False), "9 acknowledged, 0 read back: nothing to judge"),
        (Verification(acknowledged=9), "writes of write-10u: NOT JUDGED: 9 acknowledged, 0 read back"),
        (
            Verification(acknowledged=9, checked=4, unread=5),
            "writes of write-10u: NOT JUDGED: 9 acknowledged, 4 read back",
        ),
        (Verification(acknowledged=9, checked=9, lost=1), "writes: LOST WRITES: 9 acknowledged, 9 read back"),
        (Verification(acknowledged=9, checked=9, phantom=1), "writes: PHANTOM WRITES: 9 acknowledged, 9 read back"),
        (Verification(acknowledged=9, checked=3, stale=2), "writes: ok: 9 acknowledged, 3 read back, 0 lost, 2 stale"),
        (
            Verification(acknowledged=9, checked=9, nodes_read=3, nodes=3, diverged=1),
            "writes: DIVERGED WRITES: 9 acknowledged, 9 read back from 3 of 3 nodes, 0 lost, 1 diverged, 0 stale",
        ),
        (
            Verification(acknowledged=9, checked=9, nodes_read=1, nodes=3, unproven=9),
            "NOT JUDGED: 9 acknowledged, 9 read back from 1 of 3 nodes, 9 on too few nodes",
        ),
        (
            Verification(acknowledged=9, checked=9, nodes_read=2, nodes=3, not_caught_up=4),
            "NOT JUDGED: 9 acknowledged, 9 read back from 2 of 3 nodes, 4 not caught up",
        ),
        (
            Verification(acknowledged=9, checked=9, nodes_read=3, nodes=3, phantom=3, late=1),
            "0 stale, 3 phantom (1 of them late), 0 of 0 unknown present",
        ),
        (None, "writes: not verified: write-10u"),
    ],
)
def test_the_verdict_on_the_writes(verification: Verification | None, said: str) -> None:
    assert said in " ".join(results_table([result_samples.result(verification=verification)]).split())


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


def test_timeouts_are_named_with_the_setting_that_makes_them() -> None:
    outcome = result_samples.outcome(requests=40, failures=40, failures_by_cause={Cause.TIMEOUT: 40}, writes_ok=0)
    slow = result_samples.result(outcome=outcome, request_timeout_s=2.5)
    assert "write-10u: 40 requests without an answer within 2.5 s (--request-timeout)" in results_table([slow])
    assert "--request-timeout" not in results_table([result_samples.result()])


def test_what_an_acknowledged_write_of_the_demo_cluster_means_stands_below_its_figures() -> None:
    kernels, disks = "with the kernels of a majority", "on the disks of a majority of the nodes (--demo-fsync)"
    for fsync, told, untold in ((False, kernels, disks), (True, disks, kernels)):
        table = results_table([result_samples.result(fsync=fsync)])
        assert told in table
        assert untold not in table
    assert "demo cluster" not in results_table([result_samples.result(fsync=None)]), (
        "nobody knows it of another cluster"
    )


def test_redirects_that_led_away_are_named_with_their_target() -> None:
    texts = {"redirected away: 302 to http://foreign:80": 30, "redirected away: further texts": 10, "timeout": 90}
    outcome = result_samples.outcome(failures_by_cause={Cause.REDIRECTED_AWAY: 40}, error_texts=texts)
    said = "write-10u: 40 requests redirected to none of the nodes and not sent there, most by 302 to"
    assert said in results_table([result_samples.result(outcome=outcome)])
    assert "redirected to none" not in results_table([result_samples.result()])
