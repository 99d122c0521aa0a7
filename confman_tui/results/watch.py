"""How closely a run was watched and what that added to the cluster's work, as JSON and in words, and the way back."""

from __future__ import annotations

from typing import Any

from confman_tui.cluster.watch_mode import WatchPace, WatchUse
from confman_tui.results.model import ScenarioResult
from confman_tui.results.plain import count, finite, rounded

WORTH_TELLING = 0.01
"""Share of the requests from which a person should know what the watch added."""


def probe_setting(pace: WatchPace) -> str | float:
    """``auto``, ``off``, or the interval in ms."""
    if pace.probe_s is None:
        return "auto"
    return round(pace.probe_s * 1000, 3) if pace.probe_s else "off"


def watch_document(use: WatchUse | None) -> dict[str, Any] | None:
    """``watch``: the intervals in force in ms, how many health polls and probe writes the run added, and for how many
    seconds of it the watch was alert; null where nobody watched."""
    if use is None:
        return None
    return {
        "poll_ms": rounded(use.pace.poll_s * 1000, 3),
        "poll_alert_ms": rounded(use.pace.poll_alert_s * 1000, 3),
        "probe": probe_setting(use.pace),
        "polls": use.polls,
        "probe_writes": use.probe_writes,
        "alert_s": rounded(use.alert_s, 3),
    }


def watch_from(document: Any) -> WatchUse | None:
    """The use behind `watch_document`; raises as the readers of `confman_tui.results.plain` do."""
    if document is None:
        return None
    probe = document["probe"]
    probe_s = None if probe == "auto" else 0.0 if probe == "off" else finite(probe) / 1000
    pace = WatchPace(finite(document["poll_ms"]) / 1000, finite(document["poll_alert_ms"]) / 1000, probe_s)
    return WatchUse(pace, count(document["polls"]), count(document["probe_writes"]), finite(document["alert_s"]))


def watch_line(result: ScenarioResult) -> str:
    """What the watch added, where that was more than 1 % of the requests; otherwise empty."""
    use = result.watch
    if use is None or use.polls + use.probe_writes <= WORTH_TELLING * result.outcome.requests:
        return ""
    line = f"{result.name}: watching added {use.polls:,} health polls and {use.probe_writes:,} probe writes"
    return f"{line} (alert for {use.alert_s:.1f} s)" if use.alert_s else line
