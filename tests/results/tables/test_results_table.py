"""What a person reads at the end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import Verification
from confman_tui.load.run_model import Cause
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
        (Verification(acknowledged=9, asked=False), "9 acknowledged, 0 read back: nothing to judge"),
        (Verification(acknowledged=9), "writes of write-10u: NOT JUDGED: 9 acknowledged, 0 read back"),
        (
            Verification(acknowledged=9, checked=4, unread=5),
            "writes of write-10u: NOT JUDGED: 9 acknowledged, 4 read back",
        ),
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


def test_timeouts_are_named_with_the_setting_that_makes_them() -> None:
    outcome = result_samples.outcome(requests=40, failures=40, failures_by_cause={Cause.TIMEOUT: 40}, writes_ok=0)
    slow = result_samples.result(outcome=outcome, request_timeout_s=2.5)
    assert "write-10u: 40 requests without an answer within 2.5 s (--request-timeout)" in results_table([slow])
    assert "--request-timeout" not in results_table([result_samples.result()])
