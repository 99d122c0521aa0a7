"""The rate of a run, changed while it goes on by the session as the screen does it: in events, files and result."""

from __future__ import annotations

import asyncio
import csv
import json
from itertools import pairwise
from pathlib import Path

import pytest

from confman_tui.cli import make_demo
from confman_tui.session import changes
from confman_tui.session.events import Level, NoticeGiven, RateChanged, SampleRecorded, ScenarioStarted
from confman_tui.session.series import run_series
from confman_tui.session.session import Session
from confman_tui.settings import Settings, resolve
from tests.support.confman_server import Server
from tests.support.session_events import RecordedEvents


def settings_for(url: str, home: Path, **flags: str) -> Settings:
    """A short run of readers against one node."""
    said = {"nodes": url, "output-dir": str(home / "results"), "probe": "0", "duration": "2s", **flags}
    return resolve("bench", said, {}).settings


async def test_the_rate_changes_while_it_runs_and_all_of_them_say_so(tmp_path: Path) -> None:
    recorded = RecordedEvents()
    with Server() as server:
        session = Session(settings_for(server.url, tmp_path, rate="100"), recorded, make_demo, interactive=True)
        try:
            await session.open()
            changes.change_rate(session, 1.1)
            assert [notice.level for notice in recorded.of(NoticeGiven)] == [Level.WARNING]
            assert recorded.of(NoticeGiven)[0].text == "no run with a rate goes on, so there is none to change"
            series = asyncio.create_task(run_series(session, ["read-1u"]))
            await recorded.until(lambda: bool(recorded.of(SampleRecorded)))
            # up and down again is where it was, to the digit
            for factor in (1.1, 1 / 1.1, 2.0):
                changes.change_rate(session, factor)
            [result] = await series
        finally:
            await session.close()
    [started] = recorded.of(ScenarioStarted)
    # two seconds of requests, since the number of users was not said
    assert (started.rate, started.users) == (100.0, 200)
    assert [(event.before, event.rate) for event in recorded.of(RateChanged)] == [
        (100.0, 110.0),
        (110.0, 100.0),
        (100.0, 200.0),
    ]
    assert result.rate == 100.0
    assert [change.rate for change in result.rate_changes] == [110.0, 100.0, 200.0]
    assert all(change.after_s > 0.9 for change in result.rate_changes)
    document = json.loads((tmp_path / "results" / "small-read-1u_summary.json").read_text())
    assert [change["rate"] for change in document["rate_changes"]] == [110.0, 100.0, 200.0]
    with (tmp_path / "results" / "small-read-1u_timeline.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["marks"] for row in rows] == ["", "rate 110/s; rate 100/s; rate 200/s"]
    assert [row["rate"] for row in rows] == ["100", "200"]
    since = [0.0, *(change.after_s for change in result.rate_changes), 2.0]
    due = sum(rate * (b - a) for rate, (a, b) in zip((100, 110, 100, 200), pairwise(since), strict=True))
    assert result.outcome.requests + result.outcome.not_started == pytest.approx(due, abs=6)


async def test_the_rate_stops_at_its_limits(tmp_path: Path) -> None:
    recorded = RecordedEvents()
    with Server() as server:
        session = Session(
            settings_for(server.url, tmp_path, rate="0.5", users="3"), recorded, make_demo, interactive=True
        )
        try:
            await session.open()
            series = asyncio.create_task(run_series(session, ["read-1u"]))
            await recorded.until(lambda: bool(recorded.of(ScenarioStarted)))
            changes.change_rate(session, 1 / 1.1)
            assert recorded.of(NoticeGiven)[-1].text == "0.5 requests/s is as far as the rate goes"
            session.stop()
            await series
            # a closed loop has none
            changes.override(session, 1, 1.0, None, None)
            series = asyncio.create_task(run_series(session, ["read-1u"]))
            await recorded.until(lambda: len(recorded.of(ScenarioStarted)) == 2)
            changes.change_rate(session, 1.1)
            assert recorded.of(NoticeGiven)[-1].text == "no run with a rate goes on, so there is none to change"
            session.stop()
            await series
        finally:
            await session.close()
    assert [(event.rate, event.users) for event in recorded.of(ScenarioStarted)] == [(0.5, 3), (None, 1)]
    assert recorded.of(RateChanged) == []
