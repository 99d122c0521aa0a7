"""The run of a scenario that the output folder holds already, and how the present one compares with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from confman_tui.results.files.output_folder import ResultsError, path_of
from confman_tui.results.files.summary import read_summary
from confman_tui.results.model import Change, Comparison, Measure, ScenarioResult
from confman_tui.results.statistics.noise import difference, spread
from confman_tui.results.statistics.repeats import runs_of, values_of
from confman_tui.settings import Settings

_COMPARED: tuple[Measure, ...] = ("rps", "p50_us", "p99_us")
_SAME_LENGTH = 0.1
"""Runs whose lengths differ by less than this share are comparable."""
_SAME_SETTINGS = (
    *("demo", "demo_fsync", "host", "nodes", "poll_s", "poll_alert_s", "probe_s"),
    *("rate", "workers", "expect_workers"),
)
"""What must have been set alike, where a version has it at all."""


class KeptRun:
    """What was there before the present run, which overwrites it."""

    def __init__(self, settings: Settings, scenario: str) -> None:
        """Read the kept run of that scenario, if there is one that can be read."""
        self._settings = settings
        self._result: ScenarioResult | None = None
        self._kept_settings: Mapping[str, Any] = {}
        try:
            path = path_of(settings.output_dir, settings.tier, scenario, "summary.json")
            self._result, document = read_summary(path)
        except ResultsError:
            return
        kept_settings = document.get("settings")
        if isinstance(kept_settings, dict):
            self._kept_settings = kept_settings

    def _comparable(self, result: ScenarioResult) -> ScenarioResult | None:
        kept, present = self._result, self._settings.public()
        if kept is None or kept.outcome.stopped_early or result.outcome.stopped_early:
            return None
        alike = (
            (kept.tier, kept.name, kept.users, kept.payload_bytes, kept.warmup_s, kept.reads)
            == (result.tier, result.name, result.users, result.payload_bytes, result.warmup_s, result.reads)
            and kept.request_timeout_s == result.request_timeout_s
            and abs(kept.duration_s - result.duration_s) <= _SAME_LENGTH * max(kept.duration_s, result.duration_s)
            and all(self._kept_settings.get(name) == present.get(name) for name in _SAME_SETTINGS)
        )
        return kept if alike else None

    def compared(self, result: ScenarioResult) -> ScenarioResult:
        """The result with how it compares with the kept run; unchanged where there is none under the same settings
        (users, payload, length, warm-up, cluster …), or one of the two was stopped early."""
        kept = self._comparable(result)
        if kept is None:
            return result
        changes = []
        for measure in _COMPARED:
            before, after = values_of(kept, measure), values_of(result, measure)
            apart = difference(before, after)
            if apart is not None:
                change = Change(measure, spread(before).mean, spread(after).mean, apart.change, apart.noise)
                changes.append(change)
        if not changes:
            return result
        comparison = Comparison(
            kept_at=kept.outcome.ended,
            runs_before=len(runs_of(kept)),
            runs_after=len(runs_of(result)),
            entries_before=kept.entries_before,
            changes=tuple(changes),
        )
        return replace(result, comparison=comparison)
