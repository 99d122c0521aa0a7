"""When a session reads refused writes once more, and where what appeared is told."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

from confman_tui.cli import make_demo
from confman_tui.cluster.elections import Verification
from confman_tui.core.errors import EXIT_LOST, EXIT_UNJUDGED
from confman_tui.session.events import (
    LateWritesFound,
    NoticeGiven,
    Phase,
    PhaseChanged,
    SampleRecorded,
    VerificationEnded,
)
from confman_tui.session.series import run_series
from confman_tui.session.session import Session
from tests.support.lying_servers import LyingCluster, Whole, WritesOfTheRun
from tests.support.session_events import RecordedEvents, settings_for
from tests.support.three_servers import Trio

REFUSED_AT = 2
"""The number of the run's write that is refused."""


class Refuses:
    """Refuses one write of the run, which is nowhere then. ``hide``: it is there once its namespace was read back."""

    def __init__(self, *, hide: bool) -> None:
        self._hide = hide
        self._writes = WritesOfTheRun()
        self.refused: list[tuple[tuple[str, str], str]] = []

    def __call__(self, trio: Trio, number: int, namespace: str, key: str, value: str) -> str | None:
        if not self._writes.takes(namespace, key) or self._writes.count != REFUSED_AT:
            return None
        assert isinstance(trio, Whole)
        self.refused.append(((namespace, key), value))
        if self._hide:
            trio.hide(namespace, key, value)
        else:
            trio.lose(namespace, key, 0, 1, 2)
        return "refuse"


async def test_refused_writes_are_read_once_more_before_their_data_is_removed(tmp_path: Path) -> None:
    """Two runs on the seeded data each: what the first left is removed before the second."""
    rule, recorded = Refuses(hide=True), RecordedEvents()
    with LyingCluster(rule) as cluster:
        flags = (("duration", "400ms"), ("repeat", "2"))
        session = Session(settings_for(cluster.nodes, tmp_path, *flags), recorded, make_demo)
        try:
            await session.open()
            await run_series(session, ["write-1u"])
            (found,) = recorded.of(LateWritesFound)
            at = recorded.events.index(found)
            verified = [n for n, event in enumerate(recorded.events) if isinstance(event, VerificationEnded)]
            assert verified[0] < at < verified[1]
            await session.read_late()
        finally:
            await session.close()
    ((place, _),) = rule.refused
    assert [one.key for one in found.keys] == ["/".join(place)]
    (result,) = session.results
    assert result.verification is not None
    assert (result.verification.phantom, result.verification.late, result.verification.refused) == (1, 1, 1)
    document = json.loads((tmp_path / "results" / "small-write-1u_summary.json").read_text())
    assert document["verification"]["late"] == 1
    with (tmp_path / "results" / "small-write-1u_lost.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["namespace"], row["key"], row["verdict"]) == (*place, "late phantom")
    assert session.exit_reasons.code == EXIT_LOST
    assert len(recorded.of(LateWritesFound)) == 1, "told once"


async def test_the_end_waits_as_long_as_was_asked_for_unless_the_program_is_to_end_now(tmp_path: Path) -> None:
    rule, recorded = Refuses(hide=False), RecordedEvents()
    with LyingCluster(rule) as cluster:
        flags = (("duration", "400ms"), ("late", "1h"))
        session = Session(settings_for(cluster.nodes, tmp_path, *flags), recorded, make_demo)
        try:
            await session.open()
            await run_series(session, ["write-1u"])
            waits = asyncio.create_task(session.read_late())
            await recorded.until(
                lambda: any("refused writes that come late" in event.detail for event in recorded.of(PhaseChanged))
            )
            assert not waits.done()
            for place, value in rule.refused:
                cluster.trio.nodes[1].entries[place] = value
            session.interrupt()
            await waits
        finally:
            await session.close()
    (found,) = recorded.of(LateWritesFound)
    assert list(found.keys[0].holds.values()) == ["nothing", "a refused value", "nothing"]
    assert session.exit_reasons.code == EXIT_LOST
    assert not [event for event in recorded.of(NoticeGiven) if "could not be read" in event.text]
    phases = [event.phase for event in recorded.of(PhaseChanged)]
    assert Phase.CLEANING in phases, "the data goes all the same"


async def test_a_run_that_is_interrupted_has_writes_that_nobody_judged(tmp_path: Path) -> None:
    recorded = RecordedEvents()
    with LyingCluster(lambda *_: None) as cluster:
        session = Session(settings_for(cluster.nodes, tmp_path, ("duration", "60s")), recorded, make_demo)
        try:
            await session.open()
            running = asyncio.create_task(run_series(session, ["write-1u"]))
            await recorded.until(lambda: any(event.sample.ok for event in recorded.of(SampleRecorded)))
            session.interrupt()
            (result,) = await running
        finally:
            await session.close()
    verified = result.verification
    assert verified is not None
    assert verified.acknowledged > 0
    assert (verified.checked, verified.unread, verified.missed) == (0, len_of(verified), True)
    assert session.exit_reasons.code == EXIT_UNJUDGED
    (line,) = session.exit_reasons.lines()
    assert line.startswith("exit code 11: write-1u: acknowledged writes could not be judged: ")


def len_of(verified: Verification) -> int:
    return verified.acknowledged + verified.refused + verified.unknown
