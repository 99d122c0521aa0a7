"""What came of the last run, in one line: on the screen until something new runs, and after the screen is gone."""

from __future__ import annotations

from confman_tui.cluster.elections import Election, Verification
from confman_tui.results.model import DrillEnded, ScenarioResult
from confman_tui.tui import numbers
from confman_tui.tui.text import Part, clean


def _changed_leader(election: Election) -> bool:
    """A stall after which the same node leads on, in its term, was none."""
    terms = election.term_before, election.term_after
    return election.new_leader is not None and (election.new_leader != election.old_leader or terms[0] != terms[1])


def _kept(verified: Verification | None) -> tuple[str, bool] | None:
    """What became of the acknowledged writes, and whether that is bad; None where nothing was read back."""
    if verified is None:
        return None
    few = f" on {verified.nodes_read} of {verified.nodes} nodes" if verified.nodes_read < verified.nodes else ""
    if not (verified.judged or verified.failed):
        return ("not judged" if verified.missed else "not verified") + few * (verified.checked > 0), False
    diverged = f", {numbers.count(verified.diverged)} diverged" if verified.diverged else ""
    phantom = f", {numbers.count(verified.phantom)} phantom" if verified.phantom else ""
    late = f" ({numbers.count(verified.late)} late)" if verified.late else ""
    return f"{numbers.count(verified.lost)} lost{diverged}{phantom}{late}{few}", verified.failed


def facts(result: ScenarioResult) -> list[tuple[str, bool, int]]:
    """(words, whether they say something bad, rank) of elections, time without writes, failures and lost writes."""
    found: list[tuple[str, bool, int]] = []
    elections = sum(map(_changed_leader, result.elections))
    if elections:
        found.append(("1 election" if elections == 1 else f"{elections} elections", False, 2))
    gaps = [one.without_writes_s for one in result.elections if one.without_writes_s is not None]
    if gaps:
        most = "at most " if len(gaps) > 1 else ""
        found.append((f"{most}{numbers.short_seconds(max(gaps))} without writes", False, 3))
    if result.outcome.failures:
        found.append((f"{numbers.count(result.outcome.failures)} failed", True, 2))
    if (kept := _kept(result.verification)) is not None:
        found.append((*kept, 1))
    return found


def sentence(result: ScenarioResult, drill: DrillEnded | None = None) -> list[tuple[str, bool, int]]:
    """The pieces of ``write-10u: 115.6 req/s, p99 24.8 ms, 1 election, 1.08 s without writes, 0 lost``, as `facts`
    gives them. ``drill``: the drill whose load ``result`` is; its verdict stands then."""
    if drill is not None:
        said = clean(drill.verdict)
        kept = _kept(drill.verification)
        pieces = [(f"{result.name}: {said}", drill.exit_code != 0, 0)]
        return [*pieces, (*kept, 1)] if kept is not None and " lost" not in said else pieces
    outcome = result.outcome
    stopped = " stopped" if outcome.stopped_early else ""
    return [
        (f"{clean(result.name)}{stopped}: {numbers.rate(outcome.rps)} req/s", False, 0),
        (f"p99 {numbers.milliseconds(outcome.p99_us)} ms", False, 1),
        *facts(result),
    ]


def plain(result: ScenarioResult, drill: DrillEnded | None = None) -> str:
    """The same as text."""
    return ", ".join(words for words, _, _ in sentence(result, drill))


def parts(pieces: list[tuple[str, bool, int]], style: str, bad_style: str, *, commas: bool = True) -> list[Part]:
    """Pieces for a line on the screen, bad ones in ``bad_style``; each but the last with its comma."""
    last = len(pieces) - 1
    return [
        Part(words + ("," if commas and at < last else ""), bad_style if bad else style, rank)
        for at, (words, bad, rank) in enumerate(pieces)
    ]
