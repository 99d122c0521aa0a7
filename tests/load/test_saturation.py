"""Whether the generator was the limit: the pure rule, its words, and the means over a run."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.load.generator_use import UseTotals
from confman_tui.load.run_model import RunPlan, SecondSample
from confman_tui.load.saturation import (
    CPU_LIMIT,
    LAG_LIMIT_S,
    BoundRule,
    GeneratorBound,
    GeneratorSample,
    Limit,
    over_limit,
)
from confman_tui.settings.scenarios import Target

PLAN = RunPlan("read-10u", 10, 15.0, Target.ANY, 0.0, (0.0, 0.0), 1024, ("bench-a",), (("bench-a", "k"),), "secret")
IDLE = SecondSample(0.0, 1.0, 10, 100, 0, {}, 1000, 2000, 3000, 4000, 3, 0.01, {}, engine_cpu=0.2, hub_lag_s=0.001)
BUSY = replace(IDLE, engine_cpu=0.97)
LATE = replace(IDLE, hub_lag_s=0.045)
WATCHED = GeneratorSample(1.0, 1.0, 0.6, 1.2, 0.001, None)
ON_SCREEN = replace(WATCHED, screen_lag_s=0.004)

Second = tuple[SecondSample, GeneratorSample | None]


def run_of(*samples: SecondSample, watched: GeneratorSample | None = WATCHED) -> list[Second]:
    """The samples one after another, each as long as it was."""
    seconds_of: list[Second] = []
    at = 1000.0
    for sample in samples:
        seconds = sample.end - sample.start
        seconds_of.append((replace(sample, start=at, end=at + seconds), watched))
        at += seconds
    return seconds_of


def bound_of(seconds: list[Second], plan: RunPlan, cores: int) -> GeneratorBound | None:
    """Whether the generator was the limit in a run of these seconds."""
    rule = BoundRule(plan, cores)
    for sample, watched in seconds:
        rule.add(sample, watched)
    return rule.verdict


@pytest.mark.parametrize(
    ("sample", "limit"),
    [
        (IDLE, None),
        (replace(IDLE, engine_cpu=CPU_LIMIT), None),
        (replace(IDLE, engine_cpu=0.901), Limit.THREAD),
        (replace(IDLE, hub_lag_s=LAG_LIMIT_S), None),
        (replace(IDLE, hub_lag_s=0.0201), Limit.LAG),
        (replace(IDLE, worker_cpu={"a": 0.5, "b": 0.95}), Limit.WORKER),
        (replace(IDLE, worker_cpu={"a": 0.5, "b": 0.9}), None),
        (replace(BUSY, worker_cpu={"a": 0.5}), Limit.MASTER),
        (replace(BUSY, worker_cpu={"a": 0.95}), Limit.WORKER),
    ],
)
def test_a_second_is_over_a_limit_only_above_it(sample: SecondSample, limit: Limit | None) -> None:
    assert over_limit(sample) is limit


def test_a_worker_that_waits_for_a_core_is_over_its_limit_too() -> None:
    starved = replace(IDLE, worker_cpu={"a": 0.6, "b": 0.95}, worker_wait={"a": 0.35})
    assert over_limit(starved) is Limit.WORKER
    alone = replace(IDLE, worker_cpu={"a": 0.6, "b": 0.2}, worker_wait={"a": 0.35, "b": 0.1})
    verdict = bound_of(run_of(*[alone] * 3), replace(PLAN, workers=2), 4)
    assert verdict is not None
    assert verdict.reason == "a used up to 60 % of a core and waited for one 35 % of the time"
    assert verdict.advice == "the generator on a machine of its own, or fewer users", "more workers would wait too"


def test_waiting_for_a_core_counts_as_using_it() -> None:
    starved = replace(IDLE, engine_cpu=0.6)
    assert over_limit(starved, replace(WATCHED, engine_wait=0.35)) is Limit.THREAD
    assert over_limit(starved, replace(WATCHED, engine_wait=0.25)) is None
    assert over_limit(starved, replace(WATCHED, engine_wait=None)) is None


@pytest.mark.parametrize(
    ("samples", "seconds"),
    [
        ([BUSY] * 3, 3),
        ([BUSY] * 2, None),
        ([BUSY, BUSY, IDLE, BUSY, BUSY], None),
        ([BUSY, LATE, BUSY], 3),
        ([IDLE, *[LATE] * 4, IDLE, *[BUSY] * 5, IDLE, BUSY, BUSY], 9),
        ([replace(LATE, end=3.5)], 4),  # a hub that hung for 3.5 s gives one sample
        ([BUSY, BUSY, replace(BUSY, end=0.3)], None),
        ([replace(BUSY, end=0.9985)] * 3, 3),  # three seconds of a grid may miss some ms
        ([replace(BUSY, warmup=True)] * 9 + [BUSY] * 2, None),
        ([replace(BUSY, warmup=True)] * 9 + [BUSY] * 4, 4),
        ([], None),
    ],
)
def test_only_stretches_of_three_seconds_count(samples: list[SecondSample], seconds: int | None) -> None:
    verdict = bound_of(run_of(*samples), PLAN, 4)
    assert (verdict.seconds if verdict is not None else None) == seconds


seconds_of_a_run = st.lists(
    st.builds(
        lambda length, cpu, lag, workers: replace(
            IDLE, end=length, engine_cpu=cpu, hub_lag_s=lag, worker_cpu=dict(enumerate_names(workers))
        ),
        st.sampled_from([1.0, 1.0, 1.0, 0.4, 2.5]),
        st.sampled_from([0.1, 0.9, 0.95, 1.0]),
        st.sampled_from([0.0, 0.02, 0.03]),
        st.lists(st.sampled_from([0.2, 0.9, 0.99]), max_size=2),
    ),
    max_size=25,
)


def enumerate_names(shares: list[float]) -> list[tuple[str, float]]:
    """The CPU shares with workers' names."""
    return [(f"worker-{number}", share) for number, share in enumerate(shares, start=1)]


@given(seconds_of_a_run, st.integers(0, 5), st.integers(1, 8))
def test_the_rule_is_what_its_definition_says(samples: list[SecondSample], warm_up: int, cores: int) -> None:
    """Against the definition, written down a second time: group by "over", sum, leave the short ones out."""
    samples = [replace(s, warmup=number < warm_up) for number, s in enumerate(samples)]
    seconds = run_of(*samples)

    def over(second: Second) -> bool:
        s = second[0]
        return max(s.engine_cpu, *s.worker_cpu.values(), 0.0) > 0.9 or s.hub_lag_s > 0.02

    stretches = [list(group) for is_over, group in groupby(seconds[warm_up:], key=over) if is_over]
    lengths = [sum(s.end - s.start for s, _ in stretch) for stretch in stretches]
    expected = sum(length for length in lengths if length > 2.9)
    rule = BoundRule(PLAN, cores)
    reached = [rule.add(*second) for second in seconds]
    verdict = rule.verdict
    assert verdict == bound_of(seconds, PLAN, cores)
    assert (verdict.seconds if verdict else 0) == round(expected)
    assert sum(reached) == sum(length > 2.9 for length in lengths), "once per stretch"
    last = seconds[warm_up:][-1:]
    assert (rule.lasting is not None) == bool(last and over(last[0]) and lengths[-1] > 2.9)
    if verdict is not None:
        assert verdict.reason
        assert verdict.advice
        assert ";" not in verdict.reason, "marks of the timeline are separated by it"


@given(seconds_of_a_run)
def test_less_load_never_makes_it_worse(samples: list[SecondSample]) -> None:
    def bound_s(of: list[SecondSample]) -> int:
        verdict = bound_of(run_of(*of), PLAN, 4)
        return verdict.seconds if verdict is not None else 0

    halved = [replace(s, engine_cpu=s.engine_cpu / 2, hub_lag_s=s.hub_lag_s / 2, worker_cpu={}) for s in samples]
    assert bound_s(halved) == 0
    assert bound_s(samples) <= round(sum(s.end - s.start for s in samples))


@pytest.mark.parametrize(
    ("sample", "watched", "plan", "cores", "reason", "advice"),
    [
        (BUSY, WATCHED, PLAN, 4, "the load's thread used 97 % of a core", "--workers 1 or more, or fewer users"),
        (BUSY, WATCHED, replace(PLAN, users=1), 4, "the load's thread used 97 % of a core", "--workers 1 or more"),
        (BUSY, None, replace(PLAN, rate=500.0), 4, "the load's thread used 97 % of a core",
         "--workers 1 or more, or a lower --rate"),
        (BUSY, replace(WATCHED, machine_cpu=0.99), PLAN, 4,
         "the load's thread used 97 % of a core, all cores 99 % busy",
         "the generator on a machine of its own, or fewer users"),
        (BUSY, WATCHED, PLAN, 1, "the load's thread used 97 % of a core",
         "the generator on a machine of its own, or fewer users"),
        (replace(BUSY, engine_cpu=0.7), replace(WATCHED, engine_wait=0.28), PLAN, 2,
         "the load's thread used 70 % of a core and waited for one 28 % of the time",
         "the generator on a machine of its own, or fewer users"),
        (LATE, WATCHED, PLAN, 4, "the load's loop was up to 45 ms late", "--workers 1 or more, or fewer users"),
        (LATE, ON_SCREEN, PLAN, 4, "the load's loop was up to 45 ms late",
         "--workers 1 (a process apart from the screen), or fewer users"),
        (LATE, replace(ON_SCREEN, machine_cpu=0.99), PLAN, 4,
         "the load's loop was up to 45 ms late, all cores 99 % busy",
         "--workers 1 (a process apart from the screen), or fewer users"),
        (LATE, ON_SCREEN, PLAN, 1, "the load's loop was up to 45 ms late",
         "the generator on a machine of its own, or fewer users"),
        (BUSY, ON_SCREEN, replace(PLAN, users=1), 4, "the load's thread used 97 % of a core",
         "--workers 1 (a process apart from the screen)"),
        (BUSY, replace(ON_SCREEN, machine_cpu=0.99), PLAN, 4,
         "the load's thread used 97 % of a core, all cores 99 % busy",
         "the generator on a machine of its own, or fewer users"),
        (replace(LATE, worker_cpu={"worker-1": 0.5}), ON_SCREEN, replace(PLAN, workers=1), 4,
         "the load's loop was up to 45 ms late", "fewer users"),
        (replace(IDLE, worker_cpu={"worker-1": 0.99}), WATCHED, replace(PLAN, workers=1), 4,
         "worker-1 used up to 99 % of a core", "--workers 2, or fewer users"),
        (replace(IDLE, worker_cpu={"worker-1": 0.99, "worker-2": 0.95}), WATCHED, replace(PLAN, workers=2), 2,
         "2 of 2 workers used up to 99 % of a core",
         "workers on other machines (confman-tui worker), or fewer users"),
        (replace(BUSY, worker_cpu={"worker-1": 0.5}), WATCHED, replace(PLAN, workers=1), 4,
         "the master's thread used 97 % of a core", "fewer users"),
    ],
)  # fmt: skip
def test_the_words_fit_the_case(
    sample: SecondSample, watched: GeneratorSample | None, plan: RunPlan, cores: int, reason: str, advice: str
) -> None:
    verdict = bound_of(run_of(*[sample] * 4, watched=watched), plan, cores)
    assert verdict is not None
    assert (verdict.reason, verdict.advice) == (reason, advice)


def test_the_reason_is_what_lasted_longest() -> None:
    verdict = bound_of(run_of(BUSY, *[LATE] * 3), PLAN, 4)
    assert verdict is not None
    assert "late" in verdict.reason


def test_means_are_over_time_and_leave_the_warm_up_out() -> None:
    totals = UseTotals()
    assert totals.use() is None
    watched = replace(WATCHED, node_cpu={"http://n1": 0.5})
    totals.add(replace(BUSY, warmup=True), watched)
    totals.add(replace(IDLE, engine_cpu=0.1, end=3.0, worker_cpu={"w": 0.5}), watched)
    totals.add(replace(IDLE, engine_cpu=0.5), replace(watched, machine_cpu=None, node_cpu={}))
    totals.add(replace(IDLE, end=0.001, engine_cpu=7.0), watched)  # a moment's share is the clock's granularity
    use = totals.use()
    assert use is not None
    assert use.gauges["engine_cpu"].mean == pytest.approx((0.1 * 3 + 0.5) / 4)
    assert use.gauges["engine_cpu"].max == 0.5
    assert use.gauges["machine_cpu"].mean == 0.6, "of the time for which it is known"
    assert use.gauges["hub_lag_ms"].max == 1.0
    assert "screen_lag_ms" not in use.gauges
    assert use.node_cpu["http://n1"].mean == 0.5
    assert use.worker_cpu["w"].max == 0.5
