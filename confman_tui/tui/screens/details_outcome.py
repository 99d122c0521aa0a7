"""The right column of the details: failures, nodes, elections, files."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from confman_tui.load.run_model import CAUSE_WORDS
from confman_tui.tui import numbers
from confman_tui.tui.colours import Look
from confman_tui.tui.election_card import card
from confman_tui.tui.node_names import name_of
from confman_tui.tui.numbers import NOTHING
from confman_tui.tui.rows import Row
from confman_tui.tui.screens.details_generator import bound_lines, use_lines
from confman_tui.tui.screens.sheet import Sheet
from confman_tui.tui.text import clean

MOST_TEXTS = 8
CARD_WIDTH = 50
"""Cells of an election's card."""


def outcome(row: Row, names: Mapping[str, str], look: Look) -> list[Content]:
    """Of the run that goes on, or of the one that ended."""
    sheet, result = Sheet(look), row.result
    _failures(sheet, row)
    _nodes(sheet, row, names)
    if result is None:
        return sheet.lines
    bound_lines(sheet, row.limit)
    use_lines(sheet, result, names)
    for heading, stalled in (("Elections", False), ("Leader lost, none elected", True)):
        some = [election for election in result.elections if election.stalled is stalled]
        if some:
            sheet.heading(heading)
        for election in some:
            clock = numbers.time_of_day(election.origin, 0)
            head = Content.assemble("  ", (f"{clock}  ", look.dim))
            sheet.lines += card(election, names, CARD_WIDTH, look, head=head)
    if result.files:
        sheet.heading("Files")
        for file in result.files:
            sheet.entry("", clean(file, 200))
    return sheet.lines


def _failures(sheet: Sheet, row: Row) -> None:
    result = row.result
    causes = dict(result.outcome.failures_by_cause if result else row.failed)
    whole = result.outcome.requests if result else row.requests
    sheet.heading("Failures by cause")
    if not any(causes.values()):
        sheet.entry("none", "")
    for cause, number in causes.items():
        if number:
            share = numbers.share(number, whole)
            sheet.entry(CAUSE_WORDS[cause], f"{numbers.count(number):>8}  {share}", sheet.look.alarm)
    # a text that only names its cause is that cause's row, and would name the same failures a second time
    texts = {
        text: number
        for text, number in (result.outcome.error_texts if result else {}).items()
        if text not in CAUSE_WORDS.values()
    }
    for text, number in sorted(texts.items(), key=lambda item: -item[1])[:MOST_TEXTS]:
        sheet.entry(numbers.count(number), clean(text, 160), sheet.look.dim)


def _nodes(sheet: Sheet, row: Row, names: Mapping[str, str]) -> None:
    """What each node was sent and, of a run that ended, how it did."""
    result = row.result
    sheet.heading("Requests per node")
    per_node = dict(result.outcome.per_node if result else row.per_node)
    figures = {held.node: held for held in result.outcome.by_node} if result else {}
    sent = sum(per_node.values())
    for node, number in sorted(per_node.items()):
        bar = numbers.bar(number / sent if sent else 0.0, 16)
        share = numbers.share(number, sent)
        sheet.entry(name_of(node, names), f"{bar} {numbers.count(number):>8}  {share}")
        held = figures.get(node)
        if held is None or result is None:
            continue
        seconds = result.outcome.ended - result.outcome.started
        speed = f"{numbers.rate(held.ok / seconds) if seconds > 0 else NOTHING} req/s"
        p50, p99 = (numbers.milliseconds(value) for value in (held.p50_us, held.p99_us))
        sheet.entry(" ", f"{speed}, p50 {p50}, p99 {p99} ms", sheet.look.dim)
        if held.failed:
            sheet.entry(" ", f"{numbers.count(held.failed)} failed", sheet.look.alarm)
