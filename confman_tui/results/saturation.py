"""What the generator used, and whether it was the limit, as JSON, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confman_tui.load.generator_use import GAUGES, GeneratorUse, Used
from confman_tui.load.saturation import GeneratorBound
from confman_tui.results.plain import count, finite, rounded

_DIGITS = 4


def bound_document(bound: GeneratorBound | None) -> dict[str, Any] | None:
    """``generator_bound``: null when the generator was not the limit, or nobody watched it."""
    if bound is None:
        return None
    return {"seconds": bound.seconds, "reason": bound.reason, "advice": bound.advice}


def bound_from(document: Any) -> GeneratorBound | None:
    """The verdict behind `bound_document`; raises as the readers of `confman_tui.results.plain` do."""
    if document is None:
        return None
    return GeneratorBound(count(document["seconds"]), str(document["reason"]), str(document["advice"]))


def use_document(use: GeneratorUse | None) -> dict[str, Any] | None:
    """``generator``: each gauge's mean and maximum over the run, null for a gauge that was not known; CPU in cores but
    ``machine_cpu`` as a share of all; lags in ms. ``worker_cpu`` by worker, ``node_cpu`` by node."""
    if use is None:
        return None
    return {
        **{name: _used(use.gauges[name]) if name in use.gauges else None for name in GAUGES},
        "worker_cpu": {name: _used(one) for name, one in use.worker_cpu.items()},
        "node_cpu": {node: _used(one) for node, one in use.node_cpu.items()},
    }


def use_from(document: Any) -> GeneratorUse | None:
    """The gauges behind `use_document`; raises as the readers of `confman_tui.results.plain` do."""
    if document is None:
        return None
    gauges = {name: document[name] for name in GAUGES if document.get(name) is not None}
    return GeneratorUse(
        _all_from(gauges), _all_from(document.get("worker_cpu", {})), _all_from(document.get("node_cpu", {}))
    )


def _used(used: Used) -> dict[str, float | None]:
    return {"mean": rounded(used.mean, _DIGITS), "max": rounded(used.max, _DIGITS)}


def _all_from(documents: Mapping[str, Any]) -> dict[str, Used]:
    return {str(name): Used(finite(one["mean"]), finite(one["max"])) for name, one in documents.items()}
