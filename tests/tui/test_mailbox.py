"""Events cross threads whole: history is never dropped, gauges coalesce."""

from __future__ import annotations

import threading

from confman_tui.cluster.states import NodeState
from confman_tui.session.events import ClusterChanged, Level, NoticeGiven, Phase, PhaseChanged, ProgressMade
from confman_tui.tui.mailbox import Mailbox
from tests.support import screen_story

T = screen_story.START


def boxed() -> tuple[Mailbox, list[int]]:
    wakes: list[int] = []
    return Mailbox(lambda message: wakes.append(1)), wakes


def test_gauges_replace_one_another_and_wake_nobody() -> None:
    mailbox, wakes = boxed()
    first = ClusterChanged(screen_story.view(T), 0.0)
    mailbox.put(first)
    assert wakes == [1]
    mailbox.take()
    for moment in range(1, 6):
        mailbox.put(ClusterChanged(screen_story.view(T + moment), 0.0, news=False))
        mailbox.put(ProgressMade(Phase.SEEDING, moment, 10, 1.0, None))
    taken = mailbox.take()
    assert wakes == [1]
    assert [type(event) for event in taken] == [ClusterChanged, ProgressMade]
    assert isinstance(taken[0], ClusterChanged)
    assert taken[0].view.at == T + 5


def test_a_state_that_lasted_for_one_poll_is_kept() -> None:
    mailbox, _ = boxed()
    mailbox.put(ClusterChanged(screen_story.view(T), 0.0))
    mailbox.put(ClusterChanged(screen_story.view(T + 0.1, states={0: NodeState.STALE_LEADER}), 0.0))
    mailbox.put(ClusterChanged(screen_story.view(T + 0.2), 0.0))
    assert len(mailbox.take()) == 3


def test_a_view_stays_news_when_a_gauge_takes_its_place_before_it_was_taken() -> None:
    mailbox, _ = boxed()
    mailbox.put(ClusterChanged(screen_story.view(T, states={0: NodeState.STALE_LEADER}), 0.0))
    mailbox.put(ClusterChanged(screen_story.view(T + 0.1, states={0: NodeState.STALE_LEADER}), 0.0, news=False))
    (taken,) = mailbox.take()
    assert isinstance(taken, ClusterChanged)
    assert (taken.view.at, taken.news) == (T + 0.1, True)


def test_news_wakes_once_until_it_is_taken() -> None:
    mailbox, wakes = boxed()
    for number in range(100):
        mailbox.put(NoticeGiven(Level.INFO, str(number), T))
    assert wakes == [1]
    assert len(mailbox.take()) == 100
    mailbox.put(NoticeGiven(Level.INFO, "more", T))
    assert wakes == [1, 1]


def test_progress_before_a_phase_does_not_come_after_it() -> None:
    mailbox, _ = boxed()
    mailbox.put(ProgressMade(Phase.SEEDING, 9, 10, 1.0, None))
    mailbox.put(PhaseChanged(Phase.IDLE, T))
    assert [type(event) for event in mailbox.take()] == [ProgressMade, PhaseChanged]


def test_many_threads_lose_nothing_and_keep_their_order() -> None:
    mailbox, _ = boxed()
    taken: list[NoticeGiven] = []

    def put(name: str) -> None:
        for number in range(500):
            mailbox.put(NoticeGiven(Level.INFO, f"{name}{number}", T))

    threads = [threading.Thread(target=put, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += [event for event in mailbox.take() if isinstance(event, NoticeGiven)]
    for thread in threads:
        thread.join()
    taken += [event for event in mailbox.take() if isinstance(event, NoticeGiven)]
    assert len(taken) == 2000
    for name in "abcd":
        assert [e.text for e in taken if e.text[0] == name] == [f"{name}{number}" for number in range(500)]
