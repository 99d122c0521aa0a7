"""The peaks of reads and writes in words: what was measured how, and the ratio of the two only for like with like.

Users of most scenarios that write pause between their requests, those of the scenarios that only read don't: such peaks
say nothing about each other. Read and write scenarios with as many users and the same pauses do.
"""

from __future__ import annotations

from collections.abc import Sequence

from confman_tui.results.formatting import one_line, sensible
from confman_tui.results.model import ScenarioResult
from confman_tui.settings.scenarios import Scenario, by_name, names


def peak_lines(results: Sequence[ScenarioResult]) -> list[str]:
    """The highest average throughput of successful reads and of writes that any scenario reached, with the users and
    their pauses; then their ratio, or why there is none."""
    peaks = [(kind, max(results, key=lambda result: _rate(result, kind))) for kind in ("read", "write")]
    peaks = [(kind, best) for kind, best in peaks if _rate(best, kind) > 0]
    lines = [_peak_line(results, kind, best) for kind, best in peaks]
    if len(peaks) == 2:
        lines.append(_ratio_line(results))
    return lines


def _rate(result: ScenarioResult, kind: str) -> float:
    lasted = result.outcome.ended - result.outcome.started
    done = result.outcome.reads_ok if kind == "read" else result.outcome.writes_ok
    return done / lasted if lasted > 0 else 0.0


def _peak_line(results: Sequence[ScenarioResult], kind: str, best: ScenarioResult) -> str:
    line = f"peak {kind} throughput: {sensible(_rate(best, kind))} req/s ({_how(best)})"
    scenario = _scenario(best)
    suite = [result for result in results if (held := _scenario(result)) is not None and held.in_suite]
    if scenario is None or scenario.in_suite or not suite:
        return line
    own = max(suite, key=lambda result: _rate(result, kind))
    if _rate(own, kind) <= 0:
        return line
    return f"{line}; without it, as the original suite counts: {sensible(_rate(own, kind))} ({_how(own)})"


def _ratio_line(results: Sequence[ScenarioResult]) -> str:
    """The ratio of the fastest pair that can be compared."""
    pairs = [
        (read, write)
        for read in results
        for write in results
        if _rate(read, "read") > 0 and _rate(write, "write") > 0 and _alike(read, write)
    ]
    if not pairs:
        return (
            "no ratio of reads to writes: no scenarios that only read and only write ran with as many users and the "
            "same pauses (read-10u and write-stress-10u do)"
        )
    read, write = max(pairs, key=lambda pair: _rate(pair[0], "read"))
    ratio = sensible(_rate(read, "read") / _rate(write, "write"))
    users = f"{read.users} user{'s' if read.users != 1 else ''} each"
    return (
        f"reads to writes, {users}, {_pauses(read)}: {ratio} ({one_line(read.name, 40)} to {one_line(write.name, 40)})"
    )


def _alike(read: ScenarioResult, write: ScenarioResult) -> bool:
    """Whether one only reads, the other only writes, and all else that sets their pace is the same."""
    reader, writer = _scenario(read), _scenario(write)
    if reader is None or writer is None or reader.write_share != 0 or writer.write_share != 1:
        return False
    same = (read.users, read.payload_bytes, read.rate) == (write.users, write.payload_bytes, write.rate)
    return same and reader.wait_s == writer.wait_s and read.rate is None


def _scenario(result: ScenarioResult) -> Scenario | None:
    return by_name(result.name) if result.name in names() else None


def _how(result: ScenarioResult) -> str:
    """``write-10u: 10 users that pause 50 to 100 ms``; the name alone where nobody knows more (stock Locust)."""
    name = one_line(result.name, 40)
    if _scenario(result) is None or not result.users:
        return name
    return f"{name}: {result.users} user{'s' if result.users != 1 else ''} {_pauses(result)}"


def _pauses(result: ScenarioResult) -> str:
    scenario = _scenario(result)
    if result.rate is not None:
        return f"at {result.rate:g} requests/s"
    if scenario is None or scenario.wait_s[1] == 0:
        return "without pauses"
    least, most = (f"{seconds * 1000:g}" for seconds in scenario.wait_s)
    return f"with pauses of {least} to {most} ms"
