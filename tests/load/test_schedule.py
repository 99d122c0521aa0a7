"""When an open loop's requests are due: arithmetic, with the time as a value, and the line that users wait in."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.core.clock import now
from confman_tui.load.schedule import MOST_SENDERS, UNDER_WAY_S, Schedule, senders_for
from confman_tui.load.timer import LoopTimer, TimerFile, make_timer
from tests.support.waiting import DEADLINE_S

EPOCH = 1_790_000_000.0


def near(times: Any) -> Any:
    """Equal to within a microsecond: relative to seconds since the epoch, anything would be."""
    return pytest.approx(times, rel=0, abs=1e-6)


def all_due(schedule: Schedule, at: float) -> list[float]:
    """Take everything that is due."""
    taken = []
    while (due := schedule.take(at)) is not None:
        taken.append(due)
    return taken


@given(st.floats(0.5, 100_000), st.floats(0.1, 5.0), st.lists(st.floats(0.0, 5.0), max_size=4).map(sorted))
def test_as_many_are_due_as_the_rate_says(rate: float, seconds: float, looks: list[float]) -> None:
    schedule = Schedule(min(rate, 2_000 / seconds))
    schedule.begin(EPOCH, EPOCH + seconds)
    taken = 0
    for look in looks:
        backlog = schedule.not_started(EPOCH + look + UNDER_WAY_S)
        taken += len(all_due(schedule, EPOCH + look))
        # what is due but has not begun is the backlog, taken or not
        assert backlog == schedule.not_started(EPOCH + look + UNDER_WAY_S)
        # (from the run's end on it leaves nothing out, also not what became due in its last 10 ms)
        if not look < seconds <= look + UNDER_WAY_S:
            assert abs(backlog - taken) <= 1
        assert abs(taken - min(look, seconds) * schedule.rate) <= 1 + 1e-6
    all_due(schedule, EPOCH + 100)
    # before the end, the first one at the beginning included
    assert abs(schedule.not_started(EPOCH + 100) - schedule.rate * seconds) <= 1.01


_rates = st.sampled_from([0.0, 0.5, 3.0, 10.0, 97.0, 500.0])
_steps = st.one_of(
    st.tuples(st.just("look"), st.floats(0.0, 2.0), st.just(0.0)),
    st.tuples(st.just("rate"), st.floats(0.0, 2.0), _rates),
)


@settings(deadline=None)
@given(_rates, st.lists(_steps, max_size=12), st.floats(0.0, 1.0))
def test_any_changes_lose_nothing_and_repeat_nothing(rate: float, steps: list[Any], stop_after: float) -> None:
    """Whatever is done in whatever order: requests are due in order, none early, as many as the rates say, and each is
    taken or in the backlog."""
    schedule = Schedule(rate)
    schedule.begin(EPOCH)
    at = EPOCH
    wanted, changes = 0.0, 1
    taken: list[float] = []
    for step, after, new_rate in steps:
        at += after
        wanted += after * schedule.rate
        if step == "look":
            news = all_due(schedule, at)
            assert all(due <= at for due in news)
            taken += news
        else:
            schedule.set_rate(new_rate, at)
            # at a change one may be due at once, and part of a period is lost
            changes += 1
            assert schedule.rate == new_rate
    at += stop_after
    wanted += stop_after * schedule.rate
    schedule.stop(at)
    backlog = schedule.not_started(at + 1) - len(taken)
    assert schedule.not_started(at + 99) == backlog + len(taken)
    rest = all_due(schedule, at + 99)
    assert len(rest) == backlog
    assert all(due <= at + 1e-6 for due in rest)
    taken += rest
    assert taken == sorted(taken)
    assert len(set(taken)) == len(taken)
    assert abs(len(taken) - wanted) <= changes + 1e-3


@pytest.mark.parametrize("rate", [0.5, 3.0, 500.0, 99_999.0])
def test_requests_are_evenly_spaced_and_the_last_is_due_before_the_end(rate: float) -> None:
    schedule = Schedule(rate)
    seconds = 1000 / rate
    schedule.begin(EPOCH, EPOCH + seconds)
    assert schedule.take(EPOCH - 1e-3) is None
    due = all_due(schedule, EPOCH + 2 * seconds)
    assert len(due) == 1000
    assert due[0] == EPOCH
    # a millionth of a second is about what a float of this size can hold
    assert all(abs(b - a - 1 / rate) < 1e-6 for a, b in pairwise(due))
    assert due[-1] == near(EPOCH + seconds - 1 / rate)


def test_another_rate_counts_from_now_on() -> None:
    schedule = Schedule(10.0)
    schedule.begin(EPOCH, EPOCH + 4)
    assert len(all_due(schedule, EPOCH + 0.95)) == 10
    schedule.set_rate(100.0, EPOCH + 1.95)
    # the ten of the second before stay due when they were; then a hundred a second, none of the past
    due = all_due(schedule, EPOCH + 2.945)
    assert due[:10] == near([EPOCH + 1 + n / 10 for n in range(10)])
    assert due[10:] == near([EPOCH + 1.95 + n / 100 for n in range(100)])
    schedule.set_rate(1.0, EPOCH + 2.945)
    assert all_due(schedule, EPOCH + 10) == near([EPOCH + 3.94])
    assert schedule.not_started(EPOCH + 10) == 10 + 10 + 100 + 1
    assert schedule.rate == 1.0


def test_a_rate_of_nothing_is_a_pause() -> None:
    # a worker without users has no part of the rate
    schedule = Schedule(0.0)
    schedule.begin(EPOCH, EPOCH + 10)
    assert schedule.take(EPOCH + 1) is None
    schedule.set_rate(10.0, EPOCH + 1)
    assert len(all_due(schedule, EPOCH + 1.95)) == 10
    schedule.set_rate(0.0, EPOCH + 2)
    # the one that was due at the change is due
    assert len(all_due(schedule, EPOCH + 5)) == 1
    schedule.set_rate(1.0, EPOCH + 5)
    assert all_due(schedule, EPOCH + 20) == near([EPOCH + 6 + n for n in range(4)])
    assert schedule.not_started(EPOCH + 20) == 10 + 1 + 4


def test_a_slower_pace_keeps_its_distance_from_the_last_request() -> None:
    schedule = Schedule(10.0)
    schedule.begin(EPOCH)
    all_due(schedule, EPOCH)
    schedule.set_rate(0.5, EPOCH + 0.05)
    assert schedule.take(EPOCH + 1.99) is None
    assert schedule.take(EPOCH + 2.001) == near(EPOCH + 2)


def test_what_is_due_after_a_stop_is_nobodys() -> None:
    schedule = Schedule(10.0)
    schedule.begin(EPOCH, EPOCH + 10)
    taken = all_due(schedule, EPOCH + 0.35)
    assert [schedule.began(due, EPOCH + 0.4) for due in taken] == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=1e-6)
    schedule.stop(EPOCH + 0.95)
    assert schedule.not_started(EPOCH + 5) == 6
    # the oldest of them waited from 0.4 until the stop
    assert schedule.cut_lag(EPOCH + 5) == pytest.approx(0.55, abs=1e-6)
    assert len(all_due(schedule, EPOCH + 5)) == 6
    assert schedule.take(EPOCH + 5) is None
    assert schedule.cut_lag(EPOCH + 5) == 0.0


def test_a_request_that_begins_in_time_is_not_late() -> None:
    schedule = Schedule(10.0)
    assert schedule.take(EPOCH) == EPOCH
    assert schedule.began(EPOCH, EPOCH - 1e-7) == 0.0
    assert (schedule.not_started(EPOCH), schedule.cut_lag(EPOCH)) == (0, 0.0)


def test_the_pool_is_large_enough_for_a_stall_but_bounded() -> None:
    assert senders_for(0.5, 1) == 1
    assert senders_for(0.5, 10) == 10
    assert senders_for(50.0, 10) == 100
    assert senders_for(100_000.0, 10) == MOST_SENDERS
    assert senders_for(100.0, 5_000) == 5_000
    assert senders_for(10.0, 10, request_timeout_s=10.0) == 100
    assert senders_for(50.0, 10, request_timeout_s=0.5) == 100


class TestTheLine:
    """Users as greenlets that do nothing else."""

    def test_who_waited_longest_gets_the_next_one(self) -> None:
        schedule = Schedule(200.0)
        order: list[int] = []
        late: list[float] = []

        def user(number: int) -> None:
            while len(order) < 60:
                due = schedule.take(now())
                if due is None:
                    due = schedule.wait(schedule.waiter())
                assert due is not None
                order.append(number)
                late.append(now() - due)

        schedule.begin(now())
        users = [gevent.spawn(user, number) for number in range(3)]
        gevent.joinall(users, timeout=DEADLINE_S, raise_error=True)
        schedule.close()
        assert len(order) >= 60
        assert all(order.count(number) >= 15 for number in range(3))
        assert all(lateness >= 0 for lateness in late)

    def test_a_rate_that_rises_wakes_who_waits_for_a_far_request(self) -> None:
        schedule = Schedule(0.001)
        schedule.begin(now())
        assert schedule.take(now()) is not None
        waiting = gevent.spawn(lambda: schedule.wait(schedule.waiter()))
        gevent.sleep(0)
        schedule.set_rate(1000.0, now())
        assert waiting.get(timeout=DEADLINE_S) is not None
        schedule.close()

    def test_who_is_dismissed_or_killed_takes_no_request_along(self) -> None:
        schedule = Schedule(1.0)
        schedule.begin(now() + 0.2)
        waiters = [schedule.waiter() for _ in range(3)]
        users = [gevent.spawn(schedule.wait, waiter) for waiter in waiters]
        gevent.sleep(0)
        schedule.dismiss(waiters[0])
        schedule.dismiss(waiters[0])
        users[1].kill()
        assert users[0].get(timeout=DEADLINE_S) is None
        assert users[2].get(timeout=DEADLINE_S) is not None
        schedule.close()


@pytest.mark.parametrize("kind", [LoopTimer, TimerFile, make_timer])
def test_an_alarm_rings_once_for_its_last_setting(kind: type[LoopTimer]) -> None:
    rung: list[float] = []
    alarm = kind(gevent.get_hub().loop, lambda: rung.append(now()))
    begun = now()
    alarm.set(3600.0)
    alarm.set(0.02)
    deadline = begun + DEADLINE_S
    while not rung and now() < deadline:
        gevent.sleep(0.005)
    assert rung[0] - begun >= 0.0199
    alarm.set(0.0)
    while len(rung) < 2 and now() < deadline:
        gevent.sleep(0.005)
    alarm.set(0.01)
    alarm.close()
    alarm.close()
    gevent.sleep(0.02)
    assert len(rung) == 2
