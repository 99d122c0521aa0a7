"""A scenario's figures as text, for the table and for the row that stands in for it."""

from __future__ import annotations

from confman_tui.session.events import Phase
from confman_tui.tui import numbers
from confman_tui.tui.frame import Frame
from confman_tui.tui.rows import Row, RowStatus


def row_fields(frame: Frame, row: Row) -> dict[str, str]:
    """A row's figures as text, by column title."""
    scenario, started, sample = row.scenario, row.started, row.sample
    fields = {"users": str(scenario.users), "time": numbers.NOTHING, "failed": ""}
    if row.status is RowStatus.QUEUED:
        fields["time"] = "queued"
    elif row.status is RowStatus.RUNNING and started is not None:
        elapsed = frame.now - started.at - started.warmup_s
        if elapsed < 0:
            fields["time"] = f"warm {numbers.minutes(started.warmup_s + elapsed)}"
        elif started.duration_s is not None:
            ended = min(elapsed, started.duration_s)
            fields["time"] = f"{numbers.minutes(ended)}/{numbers.minutes(started.duration_s)}"
        else:
            fields["time"] = numbers.minutes(elapsed)
        fields["users"] = str(started.users)
        fields["entries"] = numbers.count(started.entries_before)
        fields["failed"] = numbers.count(row.failures)
        if row.rate is not None:
            fields["rate"] = numbers.asked(row.rate)
        fields["requests"] = numbers.count(row.requests)
        if frame.state.phase is Phase.VERIFYING:
            # The load is over and its figures are not final yet: the last second's would look like them.
            fields["time"] = "verifying"
        elif sample is not None:
            seconds = max(sample.end - sample.start, 1e-3)
            fields["req/s"] = numbers.rate(sample.ok / seconds)
            fields["p50"] = numbers.milliseconds(sample.p50_us)
            fields["p95"] = numbers.milliseconds(sample.p95_us)
            fields["p99"] = numbers.milliseconds(sample.p99_us)
            fields["uncorr"] = numbers.milliseconds(sample.uncorrected_p99_us) if row.rate is not None else ""
            fields["waiting"] = numbers.count(sample.not_started) if sample.not_started else ""
            fields["max"] = numbers.milliseconds(row.max_us)
    elif row.result is not None:
        result, outcome = row.result, row.result.outcome
        stopped = row.status is RowStatus.STOPPED
        mark = "✗" if row.broken else "▲" if row.doubtful else "■" if stopped else "✓"
        fields["time"] = f"{mark} {result.duration_s:.1f} s"
        fields["users"] = str(result.users)
        fields["entries"] = numbers.count(result.entries_before)
        fields["failed"] = numbers.count(outcome.failures)
        fields["req/s"] = numbers.rate(outcome.rps)
        fields["p50"] = numbers.milliseconds(outcome.p50_us)
        fields["p95"] = numbers.milliseconds(outcome.p95_us)
        fields["p99"] = numbers.milliseconds(outcome.p99_us)
        if row.rate is not None:
            fields["rate"] = numbers.asked(row.rate)
        if outcome.uncorrected is not None:
            fields["uncorr"] = numbers.milliseconds(outcome.uncorrected.p99_us)
            fields["waiting"] = numbers.count(outcome.not_started) if outcome.not_started else ""
        fields["max"] = numbers.milliseconds(outcome.max_us)
        fields["p99.9"] = numbers.milliseconds(outcome.p999_us)
        fields["requests"] = numbers.count(outcome.requests)
        verified = result.verification
        if verified is not None:
            known = verified.judged or verified.failed
            fields["lost"] = numbers.count(verified.lost) if known else numbers.NOTHING
    return fields
