"""An election of a real cluster on the screen: the real app over the real session, driven by Textual's pilot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widget import Widget

from confman_tui.cli import make_demo
from confman_tui.load.locust_setup import prepare
from confman_tui.session.events import Phase
from confman_tui.session.session_thread import SessionThread
from confman_tui.settings import resolve
from confman_tui.tui.app import ConfmanApp
from confman_tui.tui.start_options import UiOptions
from confman_tui.tui.widgets.cards import NodeCard
from tests.support.real_cluster import AGREE_S, NODES, RealCluster
from tests.support.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def text_of(app: ConfmanApp, widget: Widget) -> str:
    """What the screen shows where that widget is."""
    strips = app.screen._compositor.render_strips()
    lines = ["".join(segment.text for segment in strip) for strip in strips]
    box = widget.region
    return "\n".join(line[box.x : box.right] for line in lines[box.y : box.bottom])


def leaders_shown(app: ConfmanApp) -> set[str]:
    """The nodes whose cards say that they lead."""
    return {card.node for card in app.dashboard.cards.query(NodeCard) if "LEADER" in text_of(app, card)}


async def test_an_election_is_seen_on_cards_and_timeline(
    young_cluster: RealCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("CONFIG_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        monkeypatch.setenv(f"XDG_{kind}", str(tmp_path / kind.lower()))
    before = young_cluster.wait_agreed()
    prepare()
    said = {"nodes": ",".join(NODES), "output-dir": str(tmp_path / "results"), "wait": "60s"}
    settings = resolve("bench", said, {}, tmp_path / "no-config.toml", None).settings
    session = SessionThread(settings, make_demo)
    app = ConfmanApp(session, UiOptions(tmp_path / "results"))

    async def seen(condition: Callable[[], bool], what: str) -> None:
        await until(condition, what, AGREE_S)

    try:
        async with app.run_test(size=(120, 40)) as pilot:
            await seen(lambda: app.state.phase is Phase.IDLE, "the data is there")
            await seen(lambda: leaders_shown(app) == {before}, f"{before} on its card as the leader")
            assert "leader change" not in text_of(app, app.dashboard.timeline)
            await pilot.press("1")
            written = tmp_path / "results" / "small-write-1u_timeline.csv.part"
            await seen(lambda: written.exists() and len(written.read_text().splitlines()) >= 3, "two seconds of writes")
            await asyncio.to_thread(young_cluster.kill, before)
            after = await asyncio.to_thread(young_cluster.wait_other_leader, before)
            await seen(lambda: leaders_shown(app) == {after}, f"{after} on its card as the leader")
            timeline = app.dashboard.timeline
            await seen(lambda: "1 leader change" in text_of(app, timeline), "the change on the timeline")
            await seen(lambda: "longest without writes" in text_of(app, timeline), "how long on the timeline")
            await asyncio.to_thread(young_cluster.restart, before)
            await asyncio.to_thread(young_cluster.wait_agreed)
            await pilot.press("s")
            await seen(lambda: app.state.phase is Phase.IDLE, "the run's end")
            assert (tmp_path / "results" / "small-write-1u_summary.json").exists()
    finally:
        session.quit()
        ended = await asyncio.to_thread(session.join, 60.0)
        session.abandon(5.0)
    assert ended
    assert session.crash is None
