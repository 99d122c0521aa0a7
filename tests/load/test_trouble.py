"""The load says at once when something is amiss, so that the cluster is watched closely from then on."""

from __future__ import annotations

import pytest

from confman_tui.cluster.watch_mode import LATE_WRITE_S
from confman_tui.load.engine import Engine
from confman_tui.settings.scenarios import Target
from tests.support.confman_server import Server
from tests.support.load_runs import Book, plan, replace, run


class Listener(Book):
    """An observer that also keeps the reports of trouble."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[str] = []

    def trouble(self, what: str) -> None:
        self.troubles.append(what)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("write_share", "target"), [(1.0, Target.LEADER), (0.0, Target.ANY)])
def test_a_failed_request_is_reported_but_not_each(
    engine: Engine, server: Server, workers: int, write_share: float, target: Target
) -> None:
    server.control(mode="no_leader")
    engine.set_targets(server.url, (server.url,))
    listener = Listener()
    the_plan = replace(plan(users=20, seconds=0.6, write_share=write_share, target=target), workers=workers)
    outcome = run(engine, the_plan, observer=listener)
    assert set(listener.troubles) == {"a request failed: 503 no leader"}
    assert len(listener.troubles) < outcome.failures, "at most one each 50 ms, of twenty users who try again and again"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_request_without_an_answer_is_reported_while_it_waits(engine: Engine, server: Server, workers: int) -> None:
    server.control(delay_s=LATE_WRITE_S + 0.5)
    engine.set_targets(server.url, (server.url,))
    listener = Listener()
    outcome = run(engine, replace(plan(users=1, seconds=0.3), workers=workers), observer=listener)
    assert outcome.failures == 0
    assert set(listener.troubles) == {"a request is without an answer"}


def test_all_well_is_no_trouble_nor_is_a_wrong_key(engine: Engine, server: Server) -> None:
    engine.set_targets(server.url, (server.url,))
    listener = Listener()
    run(engine, plan(users=2, seconds=0.3), observer=listener)
    assert [what for what in listener.troubles if "failed" in what] == []
    server.control(mode="no_content")
    outcome = run(engine, plan(users=2, seconds=0.3), observer=listener)
    assert outcome.failures > 0
    assert [what for what in listener.troubles if "failed" in what] == []
