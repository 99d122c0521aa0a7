"""An election drill as a table."""

from __future__ import annotations

from confman_tui.core.percentiles import is_greatest
from confman_tui.results.formatting import one_line, short_node, wrapped
from confman_tui.results.model import DrillEnded, DrillRound
from confman_tui.results.statistics.drill_rounds import P95, ROUND_MEASURES, distributions, figures_of, spread_rows
from confman_tui.results.tables.columns import aligned
from confman_tui.results.tables.sentences import term_words, verdict_line

_HEADING = ("round", "fault", "node", "detect", "elect", "agree", "write", "90 %", "no writes", "return", "terms")
"""The figures are those of `ROUND_MEASURES`."""


def drill_table(ended: DrillEnded) -> str:
    """The rounds, their spread, the verdict on the writes and on the drill, as text of at most 100 columns."""
    rows = [_HEADING, *(_row(round_) for round_ in ended.rounds)]
    if judged := sum(round_.judged for round_ in ended.rounds):
        spread = distributions(ended.rounds)
        for name, key in spread_rows(judged):
            rows.append((name, "", "", *(_seconds(spread[measure][key]) for measure in ROUND_MEASURES), ""))
    table = aligned(rows) if ended.rounds else "no round was run"
    lines = _legend(ended)
    lines += [f"round {round_.number} unjudged: {round_.reason}" for round_ in ended.rounds if not round_.judged]
    lines += [
        f"round {round_.number}: {_node(round_)} {round_.no_return}" for round_ in ended.rounds if round_.no_return
    ]
    if ended.verification is not None:
        lines.append(verdict_line(ended.verification))
        lines += [f"writes: {ended.verification.note}"] * bool(ended.verification.note)
    lines.append(ended.verdict)
    return "\n".join([table, *(wrapped(line) for line in lines)])


def _row(round_: DrillRound) -> tuple[str, ...]:
    figures = figures_of(round_)
    number = str(round_.number) if round_.judged else f"{round_.number} unjudged"
    fault = str(round_.fault.kind) if round_.fault is not None else "-"
    terms = "-"
    if round_.election is not None and round_.election.term_after is not None:
        terms = term_words(round_.election).replace(" to ", "→")
    return number, fault, one_line(_node(round_), 21), *(_seconds(figures[name]) for name in ROUND_MEASURES), terms


def _node(round_: DrillRound) -> str:
    return short_node(round_.fault.node if round_.fault is not None else None)


def _legend(ended: DrillEnded) -> list[str]:
    uncertain = [figures_of(round_)["uncertainty_s"] for round_ in ended.rounds if round_.judged]
    known = [value for value in uncertain if value is not None]
    if not known:
        return []
    lines = [
        "detect to 90 %: seconds from the fault; write: one was acknowledged; 90 %: of the rate before",
        f"no writes: for how long, ± {max(known):.2f} s, wherever it began",
        "return: seconds from the end of the fault until the node had caught up",
    ]
    judged = sum(round_.judged for round_ in ended.rounds)
    if is_greatest(P95, judged):
        lines.append(f"of {judged} round{'s' if judged != 1 else ''} the 95th percentile is the maximum")
    return lines


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
