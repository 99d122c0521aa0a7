"""The keys of a scenario's document, which other programs read, and that all of it comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from confman_tui.cluster.elections import Breach, BrokenKey, UnreadNode, Verification
from confman_tui.cluster.watch_mode import WatchPace, WatchUse
from confman_tui.load.generator_use import GAUGES, GeneratorUse, Used
from confman_tui.load.run_model import Uncorrected
from confman_tui.load.saturation import GeneratorBound
from confman_tui.results.files.scenario_json import result_from, scenario_document
from confman_tui.results.files.summary import read_summary, save_result
from confman_tui.results.model import Change, Comparison, RateChange, ScenarioResult
from confman_tui.settings.scenarios import Reads
from tests.support import result_samples

_KEYS = {
    "": (
        "name scenario users duration_s entries_before requests failures failures_by_cause rps p50_us p95_us "
        "p99_us p999_us max_us elections verification files tier payload_bytes reads_ok writes_ok read_rps write_rps "
        "p90_us p9999_us per_node reads by_node redirected redirect_p50_us redirect_max_us rate rate_changes "
        "uncorrected not_started schedule_lag_s error_texts start end stopped_early invalid note opening "
        "request_timeout_s fsync warmup_s repeats repeated comparison generator_bound generator watch version cluster "
        "histograms settings versions machine"
    ),
    "failures_by_cause": "refused reset timeout no_leader not_replicated redirected_again redirected_away wrong_answer "
    "too_large out_of_files other",
    "elections": (
        "origin fault fault_node fault_by old_leader new_leader term_before term_after rounds lost_s term_s "
        "claim_s serving_s agree_s first_write_s without_writes_s uncertainty_s write_uncertainty_s "
        "intended_writes reads_ok reads_failed longest_wait_s recover90_s writes_missed detected_s "
        "writes_from_poll stalled"
    ),
    "verification": (
        "acknowledged refused unknown lost stale recovered phantom checked judged passed seconds lost_keys note "
        "without unread asked by_probe broken diverged not_caught_up unproven late nodes_read nodes"
    ),
    "verification.broken": "key breach holds",
    "verification.without": "node why",
    "by_node": "node requests failed reads writes reads_failed writes_failed rps p50_us p99_us",
    "rate_changes": "after_s rate",
    "uncorrected": "p50_us p90_us p95_us p99_us p999_us p9999_us max_us",
    "opening": "seconds left_out matters requests failures rps p50_us p99_us max_us rest_rps rest_p50_us rest_p99_us",
    "repeats": (
        "number started duration_s entries_before requests failures rps p50_us p95_us p99_us max_us stopped_early"
    ),
    "repeated": "rps p50_us p95_us p99_us max_us",
    "repeated.rps": "runs median min max mean stdev mad ci95_low ci95_high",
    "comparison": "kept_at runs_before runs_after entries_before changes",
    "comparison.changes": "measure before after change noise within_noise",
    "generator_bound": "seconds reason advice",
    "generator": (
        "engine_cpu engine_wait worker_cpu_max worker_wait_max program_cpu machine_cpu hub_lag_ms "
        "conductor_lag_ms screen_lag_ms in_flight oldest_in_flight_s worker_cpu node_cpu"
    ),
    "generator.hub_lag_ms": "mean max",
    "watch": "poll_ms poll_alert_ms probe polls probe_writes alert_s",
    "cluster": "nodes leader term",
    "histograms": "all reads writes uncorrected",
}
"""The keys of each object of a summary, by its path; lists are of the same object."""


def _with_everything() -> ScenarioResult:
    """A result in which every part of the model is there, and every figure survives rounding."""
    outcome = result_samples.outcome(
        uncorrected=Uncorrected(1_010, 1_500, 2_140, 5_160, 13_000, 23_000, 27_800, "SElTVB=="),
        opening=result_samples.opening(),
        not_started=45,
        schedule_lag_s=1.25,
        redirect_p50_us=452,
        redirect_max_us=95_300,
        invalid="worker-1 ended by signal 9",
    )
    changes = (Change("rps", 1.5, 2.5, 0.25, 0.125), Change("p50_us", 2.0, 1.0, -0.5, None))
    return replace(
        result_samples.repeated([100, 104]),
        outcome=outcome,
        elections=(result_samples.election(), result_samples.election(fault=None, writes_from_poll=True)),
        verification=replace(
            Verification(5, 4, 3, 1, 1, 2, 1, 5, 2.5, unread=9, by_probe=2, diverged=1, not_caught_up=3, unproven=4),
            broken=(BrokenKey("a/b", Breach.DIVERGED, {"http://n": "nothing"}),),
            note="a",
            without=(UnreadNode("http://n", "slow"),),
            late=1,
            nodes_read=2,
            nodes=3,
        ),
        note="a note",
        rate=200.0,
        rate_changes=(RateChange(-1.5, 220.5),),
        warmup_s=1.5,
        comparison=Comparison(result_samples.START, 2, 1, 900, changes),
        generator=GeneratorUse(dict.fromkeys(GAUGES, Used(0.5, 0.75)), {"worker-1": Used(0.1, 0.2)}, {"n": Used(1, 2)}),
        watch=WatchUse(WatchPace(0.25, 0.05, 0.0125), 40, 3, 1.5),
        generator_bound=GeneratorBound(12, "a reason", "an advice"),
        reads=Reads.ENTRY,
        request_timeout_s=30.0,
        scenario="write-stress-10u",
        fsync=True,
    )


def test_every_key_stays_and_every_value_comes_back(tmp_path: Path) -> None:
    """The model's fields may be renamed; the keys of the files may not."""
    saved = save_result(_with_everything(), result_samples.settings_for(tmp_path), result_samples.CLUSTER)
    file = Path(saved.files[-1])
    document = json.loads(file.read_text())
    for path, names in _KEYS.items():
        holder = document
        for key in filter(None, path.split(".")):
            holder = holder[key][0] if isinstance(holder[key], list) else holder[key]
        assert set(holder) == set(names.split()), path
    back, whole = read_summary(file)
    assert back == replace(saved, outcome=replace(saved.outcome, files=()))
    assert whole == document


def test_a_verdict_of_an_early_version_is_read_with_its_keys() -> None:
    counts = dict.fromkeys(
        ("acknowledged", "refused", "unknown", "lost", "stale", "recovered", "phantom", "checked"), 1
    )
    document = scenario_document(result_samples.result(verification=None)) | {
        "verification": {**counts, "seconds": 1.0, "lost_keys": ["n/a"], "note": "", "judged": True, "passed": False}
    }
    verification = result_from(document).verification
    assert verification is not None
    assert verification.broken == (BrokenKey("n/a", Breach.LOST),)
    assert (verification.judged, verification.failed, verification.nodes) == (True, True, 0)
