"""A run's first seconds (connection set-up, the server's warm-up), apart from the rest: in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confman_tui.load.run_model import Opening
from confman_tui.results.model import ScenarioResult
from confman_tui.results.plain import count, finite, milliseconds, rounded, sensible


def opening_line(result: ScenarioResult) -> str:
    """The first seconds apart from the rest, in words, where that matters: they were left out, or they differ so much
    that the whole run's figures are not those of a steady state. Empty otherwise."""
    first = result.outcome.opening
    if first is None:
        return ""
    told = _words(first.rps, first.p50_us, first.p99_us)
    then = _words(first.rest_rps, first.rest_p50_us, first.rest_p99_us)
    if first.left_out:
        return f"{result.name}: warm-up of {first.seconds:.1f} s left out: {told}; then {then}"
    if not opening_matters(result):
        return ""
    advice = f"--warmup {max(1, round(first.seconds))} leaves them out"
    return f"{result.name}: first {first.seconds:.1f} s: {told}; then {then}; {advice}"


def _words(rps: float, p50_us: int | None, p99_us: int | None) -> str:
    return f"{sensible(rps)} req/s, p50 {milliseconds(p50_us)}, p99 {milliseconds(p99_us)} ms"


def opening_matters(result: ScenarioResult) -> bool:
    """Whether the first seconds differ from the rest: throughput by a tenth, the median latency by a fifth, or a p99
    of twice the rest's."""
    first = result.outcome.opening
    if first is None:
        return False

    def beyond(one: int | None, other: int | None, ratio: float) -> bool:
        return one is not None and other is not None and other > 0 and one > ratio * other

    slower = first.rest_rps > 0 and abs(first.rps / first.rest_rps - 1) > 0.1
    return slower or beyond(first.p50_us, first.rest_p50_us, 1.2) or beyond(first.p99_us, first.rest_p99_us, 2.0)


def opening_document(result: ScenarioResult) -> dict[str, Any] | None:
    """``opening`` as JSON has it: the first seconds apart from the rest, None where the run was too short for that.

    ``left_out``: it was a warm-up and counts for none of the other figures. ``matters``: see `opening_matters`.
    """
    first = result.outcome.opening
    if first is None:
        return None
    return {
        "seconds": rounded(first.seconds),
        "left_out": first.left_out,
        "matters": opening_matters(result),
        "requests": first.ok + first.failures,
        "failures": first.failures,
        "rps": rounded(first.rps, 3),
        "p50_us": first.p50_us,
        "p99_us": first.p99_us,
        "max_us": first.max_us,
        "rest_rps": rounded(first.rest_rps, 3),
        "rest_p50_us": first.rest_p50_us,
        "rest_p99_us": first.rest_p99_us,
    }


def opening_from(document: Mapping[str, Any] | None) -> Opening | None:
    """What `opening_document` wrote; KeyError, ValueError or TypeError for anything else."""
    if document is None:
        return None
    failures = count(document["failures"])
    return Opening(
        seconds=finite(document["seconds"]),
        ok=max(0, count(document["requests"]) - failures),
        failures=failures,
        p50_us=_latency(document["p50_us"]),
        p99_us=_latency(document["p99_us"]),
        max_us=_latency(document["max_us"]),
        left_out=bool(document["left_out"]),
        rest_rps=finite(document["rest_rps"]),
        rest_p50_us=_latency(document["rest_p50_us"]),
        rest_p99_us=_latency(document["rest_p99_us"]),
    )


def _latency(value: Any) -> int | None:
    return None if value is None else count(value)
