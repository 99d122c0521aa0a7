"""The ``_stats.csv`` that stock Locust wrote, read for results of the original suite."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from confman_tui.load.run_model import Cause, RunOutcome
from confman_tui.results.files.output_folder import ResultsError, os_error_text
from confman_tui.results.model import ScenarioResult

SUFFIX = "_stats.csv"
_LARGEST = 4 * 1024 * 1024


def read_stats(path: Path, tier: str, scenario: str) -> ScenarioResult:
    """A result from Locust's CSV alone.

    Locust rounds percentiles (to 10 ms above 100 ms and so on), counts failed requests among its times, and says
    neither why requests failed nor how many entries there were (-1).

    Raises:
        ResultsError: the file can't be read or is not Locust's; names the file.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ResultsError(f"{path} is larger than any statistics of Locust")
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        total = next(row for row in rows if row["Name"] == "Aggregated")
        return _result(path, tier, scenario, total, rows)
    except OSError as error:
        raise ResultsError(f"{path} can't be read: {os_error_text(error)}") from error
    except (KeyError, ValueError, TypeError, StopIteration, OverflowError, csv.Error) as error:
        raise ResultsError(f"{path} is not a complete CSV of Locust's statistics, so it is left out") from error


def _result(
    path: Path, tier: str, scenario: str, total: Mapping[str, str], rows: list[dict[str, str]]
) -> ScenarioResult:
    requests, failures = int(total["Request Count"]), int(total["Failure Count"])
    rate = float(total["Requests/s"])
    lasted = requests / rate if rate > 0 else 0.0
    ended = path.stat().st_mtime

    def served(kind: str) -> int:
        return sum(int(row["Request Count"]) - int(row["Failure Count"]) for row in rows if row["Type"] == kind)

    def latency(column: str) -> int | None:
        text = total.get(column) or "N/A"
        return None if text == "N/A" or requests == failures else round(float(text) * 1000)

    outcome = RunOutcome(
        started=ended - lasted,
        ended=ended,
        requests=requests,
        failures=failures,
        failures_by_cause={Cause.OTHER: failures} if failures else {},
        error_texts={},
        reads_ok=served("GET"),
        writes_ok=served("PUT"),
        p50_us=latency("50%"),
        p90_us=latency("90%"),
        p95_us=latency("95%"),
        p99_us=latency("99%"),
        p999_us=latency("99.9%"),
        p9999_us=latency("99.99%"),
        max_us=latency("Max Response Time"),
        histogram="",
        read_histogram="",
        write_histogram="",
        per_node={},
        redirected=0,
        files=(path,),
        stopped_early=False,
    )
    return ScenarioResult(
        name=scenario,
        tier=tier,
        users=0,
        duration_s=lasted,
        payload_bytes=0,
        entries_before=-1,
        outcome=outcome,
        elections=(),
        verification=None,
        files=(str(path),),
        note="from Locust's CSV: times are rounded and include failures",
    )
