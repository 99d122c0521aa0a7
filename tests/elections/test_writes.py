"""WriteStream against a computation that has all stamps at once and no bounds."""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections_model import WriteWindow
from confman_tui.cluster.writes import IDLE_S, WriteStream

EPOCH = 1_700_000_000.0


@dataclass(frozen=True)
class Write:
    start: float
    ack: float | None


def usual_gap(acks: list[float], at: int) -> float:
    """The median of the gaps that ended within 10 s before ``acks[at]``'s predecessor, at least 9, at most 255."""
    gaps = [(later, later - earlier) for earlier, later in pairwise(acks[:at])]
    if not gaps:
        return 0.0
    young = [gap for gap in gaps if gap[0] >= gaps[-1][0] - 10.0]
    kept = young if len(young) >= 9 else gaps[-9:]
    return median(gap for _, gap in kept[-255:])


def brute_force(writes: list[Write]) -> list[WriteWindow]:
    """All windows, from the definition in WriteStream's docstring."""
    starts = sorted({write.start for write in writes})
    every_start = sorted(write.start for write in writes)
    done = sorted((write.ack, write.start) for write in writes if write.ack is not None)
    acks = [ack for ack, _ in done]
    windows = []
    for position, (end, begun) in enumerate(done):
        before = acks[position - 1] if position else None
        if before == end:
            continue
        limit = max(0.3, 3 * usual_gap(sorted(set(acks[:position])), len(set(acks[:position]))))
        tries = [start for start in starts if (before is None or start > before) and start <= end]
        begin = before if before is not None else tries[0] if tries else begun
        edge = 0.0
        if tries:
            earlier = [start for start in starts if start < tries[0]]
            if before is not None and earlier:
                edge = tries[0] - earlier[-1]
            if before is not None and tries[0] - before > limit:
                begin = tries[0]
            for early, late in pairwise(tries):
                if late - early > max(IDLE_S, limit):
                    begin, edge = late, (late - early if before is not None else 0.0)
        counted_from = begin
        if begun < begin:
            begin = max(begun, before) if before is not None else begun
        if end - begin <= limit:
            continue
        known = [start for start in starts if start <= end]
        around = [*known[max(bisect_right(known, begun) - 2, 0) :], end]
        blind = max((b - a for a, b in pairwise(around)), default=0.0)
        first_counted = tries[0] if tries and counted_from == before else counted_from
        intended = sum(
            1 for start in every_start if first_counted <= start <= end and (before is None or start > before)
        )
        waits = [w.ack - w.start for w in writes if w.ack is not None and w.start < end <= w.ack]
        windows.append(WriteWindow(begin, end, max(edge, blind), intended, max(waits, default=0.0)))
    return windows


def replay(writes: list[Write], step: float = 0.2) -> tuple[WriteStream, list[WriteWindow], dict[float, int]]:
    """Tells the stream of the writes in the order of time and drains it every ``step`` seconds."""
    stream = WriteStream()
    told = [(write.start, 0, write) for write in writes]
    told += [(write.ack, 1, write) for write in writes if write.ack is not None]
    told.sort(key=lambda entry: entry[:2])
    closed: list[WriteWindow] = []
    slots: dict[float, int] = {}
    clock = told[0][0] if told else EPOCH

    def drain() -> None:
        drained = stream.drain(clock)
        closed.extend(drained.closed)
        for slot, count in drained.counts:
            slots[slot] = slots.get(slot, 0) + count

    for at, kind, write in told:
        while at > clock + step:
            clock += step
            drain()
        if kind == 0:
            stream.started(at)
        else:
            stream.acknowledged(at, write.start)
    clock = (told[-1][0] if told else EPOCH) + 1.0
    drain()
    return stream, closed, slots


@st.composite
def histories(draw: st.DrawFn) -> list[Write]:
    """Stretches of load, outage and quiet, with stamps on a grid of 10 ms (so that ties happen)."""
    now, writes = 0, []
    for _ in range(draw(st.integers(1, 5))):
        mood = draw(st.sampled_from(["load", "outage", "quiet", "slow", "busy"]))
        if mood == "busy":
            for step, wait in draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=120)):
                now += step
                writes.append(Write(EPOCH + now / 100, EPOCH + (now + wait) / 100))
            continue
        if mood == "quiet":
            now += draw(st.sampled_from([40, 400, 700, 3000]))
            continue
        for _ in range(draw(st.integers(1, 14))):
            now += draw(st.integers(0, 60 if mood != "slow" else 150))
            wait = draw(st.integers(0, 400 if mood == "slow" else 4))
            lives = mood != "outage" or draw(st.integers(0, 9)) == 0
            writes.append(Write(EPOCH + now / 100, EPOCH + (now + wait) / 100 if lives else None))
    return writes


@settings(max_examples=200, deadline=None)
@given(histories())
def test_windows_are_those_of_the_definition(writes: list[Write]) -> None:
    if not writes:
        return
    stream, closed, slots = replay(writes)
    expected = brute_force(writes)
    found = [window for window in stream.windows if window.end is not None]
    assert [(w.start, w.end) for w in closed] == [(w.start, w.end) for w in expected]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.start, ours.end) == (theirs.start, theirs.end)
        assert ours.uncertainty_s == pytest.approx(theirs.uncertainty_s, abs=1e-6)
        assert ours.intended == theirs.intended
        assert ours.longest_wait_s == pytest.approx(theirs.longest_wait_s, abs=1e-6)
    assert sum(slots.values()) == sum(write.ack is not None for write in writes)


@settings(max_examples=60, deadline=None)
@given(histories(), st.randoms())
def test_order_of_telling_within_the_settling_time_does_not_matter(writes: list[Write], random: object) -> None:
    if not writes:
        return
    straight = replay(writes)[0].windows
    shuffled = WriteStream()
    told = [(write.start, write, 0) for write in writes]
    told += [(write.ack, write, 1) for write in writes if write.ack is not None]
    told.sort(key=lambda entry: entry[0] + random.uniform(0, 0.04))  # type: ignore[attr-defined]
    for at, write, kind in told:
        if kind == 0:
            shuffled.started(at)
        else:
            shuffled.acknowledged(at, write.start)
        shuffled.drain(at)
    shuffled.drain(told[-1][0] + 1.0)
    assert [(w.start, w.end, w.intended) for w in shuffled.windows if w.end] == [
        (w.start, w.end, w.intended) for w in straight if w.end
    ]


def told_of(writes: list[Write]) -> tuple[object, ...]:
    stream, closed, slots = replay(writes)
    end = max(write.ack or write.start for write in writes)
    return (
        closed,
        slots,
        stream.windows,
        stream.threshold_s,
        stream.per_tenth(EPOCH, end + 1),
        stream.longest_gap(EPOCH, end),
        stream.judged_until,
    )


@settings(max_examples=60, deadline=None)
@given(histories(), histories())
def test_many_at_once_are_judged_as_one_by_one(first: list[Write], second: list[Write]) -> None:
    dense = [Write(EPOCH + 100 + n * 0.0021, EPOCH + 100 + n * 0.0021 + n % 7 * 0.001) for n in range(400)]
    writes = [*first, *dense, *(Write(w.start + 101, w.ack + 101 if w.ack else None) for w in second)]
    looked: list[int] = []
    take = WriteStream._take_without_gaps

    def counted(self: WriteStream, acks: list[tuple[float, float, float]], starts: list[float]) -> None:
        looked.append(len(acks))
        take(self, acks, starts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(WriteStream, "_take_without_gaps", counted)
        at_once = told_of(writes)
        assert sum(looked) > 200
        patched.setattr("confman_tui.cluster.writes._WORTH_A_LOOK", 10**9)
        assert told_of(writes) == at_once


def steady(start: float, end: float, every: float, wait: float = 0.005) -> list[Write]:
    count = round((end - start) / every)
    return [Write(start + n * every, start + n * every + wait) for n in range(count)]


def failing(start: float, end: float, every: float) -> list[Write]:
    return [Write(write.start, None) for write in steady(start, end, every)]


def test_an_outage_between_steady_writes_is_one_window() -> None:
    writes = [*steady(EPOCH, EPOCH + 10, 0.1), *failing(EPOCH + 10, EPOCH + 12.5, 0.1)]
    writes += steady(EPOCH + 12.5, EPOCH + 20, 0.1)
    _, closed, slots = replay(writes)
    [window] = closed
    assert window.start == pytest.approx(EPOCH + 9.905)
    assert window.seconds == pytest.approx(2.6)
    assert window.uncertainty_s == pytest.approx(0.1, abs=1e-6)
    assert window.intended == 26
    assert all(count == 1 for count in slots.values())


def test_a_write_that_succeeds_long_after_the_window_counts_as_its_longest_wait() -> None:
    writes = [*steady(EPOCH, EPOCH + 2, 0.05), Write(EPOCH + 2.0, EPOCH + 5.2), *failing(EPOCH + 2.05, EPOCH + 4, 0.05)]
    writes += steady(EPOCH + 4, EPOCH + 6, 0.05)
    stream, closed, _ = replay(writes)
    assert closed[0].longest_wait_s < 0.1
    assert stream.windows[0].longest_wait_s == pytest.approx(3.2)


def test_the_client_waits_since_the_write_was_due_but_windows_are_judged_by_what_was_sent() -> None:
    # an open loop: a write that was due early in the outage is sent at its end, as one of a backlog
    stream = WriteStream()
    attempts = [EPOCH + n * 0.05 for n in range(40)]
    outage = [EPOCH + 2 + n * 0.5 for n in range(5)]
    for at in [*attempts, *outage, EPOCH + 4.49]:
        stream.started(at)
    for at in attempts:
        stream.acknowledged(at + 0.01, at, at)
    stream.acknowledged(EPOCH + 4.5, EPOCH + 4.49, EPOCH + 2.1)
    [window] = stream.drain(EPOCH + 5).closed
    assert window.start == attempts[-1] + 0.01
    assert window.end == EPOCH + 4.5
    assert window.longest_wait_s == pytest.approx(2.4)
    assert window.intended == 6
    # judged from when it was due, this would be the half second between two attempts in the middle of the outage
    plain = WriteStream()
    for at in [*attempts, *outage, EPOCH + 4.49]:
        plain.started(at)
    for at in attempts:
        plain.acknowledged(at + 0.01, at)
    plain.acknowledged(EPOCH + 4.5, EPOCH + 4.49)
    [expected] = plain.drain(EPOCH + 5).closed
    assert (window.uncertainty_s, window.start) == (expected.uncertainty_s, expected.start)


def test_nothing_acknowledged_yet_is_an_open_window_from_the_first_attempt() -> None:
    stream = WriteStream()
    for n in range(10):
        stream.started(EPOCH + n * 0.1)
    drained = stream.drain(EPOCH + 1.0)
    assert drained.open_window is not None
    assert drained.open_window.start == EPOCH
    assert drained.open_window.end is None
    stream.acknowledged(EPOCH + 1.05, EPOCH + 0.9)
    assert stream.drain(EPOCH + 1.06).open_window is None
    [window] = stream.drain(EPOCH + 1.2).closed
    assert (window.start, window.end) == (EPOCH, EPOCH + 1.05)


def test_a_slow_rhythm_is_not_an_outage_once_it_is_usual() -> None:
    _, closed, _ = replay([*steady(EPOCH, EPOCH + 60, 1.0), *steady(EPOCH + 62.5, EPOCH + 80, 1.0)])
    assert closed == []
    _, closed, _ = replay(
        [*steady(EPOCH, EPOCH + 60, 1.0), *failing(EPOCH + 60, EPOCH + 64, 1.0), *steady(EPOCH + 64, EPOCH + 70, 1.0)]
    )
    assert len(closed) == 1


def test_a_long_outage_does_not_make_the_next_one_usual() -> None:
    writes = [
        *steady(EPOCH, EPOCH + 5, 0.1),
        *failing(EPOCH + 5, EPOCH + 17, 0.1),
        *steady(EPOCH + 17, EPOCH + 18, 0.1),
    ]
    writes += [*failing(EPOCH + 18, EPOCH + 19, 0.1), *steady(EPOCH + 19, EPOCH + 25, 0.1)]
    _, closed, _ = replay(writes)
    assert len(closed) == 2


@pytest.mark.parametrize("quiet", [0.5, 4.0, 60.0])
def test_time_in_which_nobody_tried_is_no_window(quiet: float) -> None:
    stream, closed, _ = replay([*steady(EPOCH, EPOCH + 3, 0.05), *steady(EPOCH + 3 + quiet, EPOCH + 6 + quiet, 0.05)])
    assert closed == []
    assert stream.windows == ()


def test_load_that_ends_in_an_outage_leaves_a_window_without_an_end() -> None:
    writes = [*steady(EPOCH, EPOCH + 3, 0.05), *failing(EPOCH + 3, EPOCH + 5, 0.05)]
    stream, closed, _ = replay([*writes, *steady(EPOCH + 60, EPOCH + 62, 0.05)])
    assert closed == []
    [window] = stream.windows
    assert window.end is None
    stream, _, _ = replay(writes)
    assert stream.drain(EPOCH + 6).open_window is not None
    assert stream.drain(EPOCH + 20).open_window is None


def test_longest_gap_and_throughput_are_kept_for_the_meter() -> None:
    writes = [
        *steady(EPOCH, EPOCH + 10, 0.02),
        *failing(EPOCH + 10, EPOCH + 10.2, 0.02),
        *steady(EPOCH + 10.2, EPOCH + 15, 0.02),
    ]
    stream, closed, _ = replay(writes)
    assert closed == []
    found = stream.longest_gap(EPOCH + 10, EPOCH + 10.3)
    assert found is not None
    gap, counts = found
    assert not counts
    assert gap.seconds == pytest.approx(0.22)
    small = stream.longest_gap(EPOCH + 11, EPOCH + 12)
    assert small is None or (small[0].seconds or 0) < 0.03
    assert stream.acknowledged_between(EPOCH + 5, EPOCH + 7) == 100


def test_two_threads_lose_nothing() -> None:
    stream = WriteStream()
    each = 20_000

    def tell() -> None:
        for n in range(each):
            stream.started(EPOCH + n * 1e-4)
            stream.acknowledged(EPOCH + n * 1e-4 + 1e-5, EPOCH + n * 1e-4)

    threads = [threading.Thread(target=tell) for _ in range(2)]
    for thread in threads:
        thread.start()
    counted = 0
    while any(thread.is_alive() for thread in threads):
        counted += sum(count for _, count in stream.drain(EPOCH).counts)
    counted += sum(count for _, count in stream.drain(EPOCH + 10).counts)
    for thread in threads:
        thread.join()
    assert counted == 2 * each


def test_memory_is_bounded() -> None:
    stream = WriteStream()
    for n in range(100_000):
        at = EPOCH + n * 0.05
        stream.started(at)
        stream.acknowledged(at + 0.01, at)
        if n % 10 == 0:
            stream.drain(at)
    held = stream.__dict__
    sizes = {name: len(value) for name, value in held.items() if hasattr(value, "__len__")}
    assert max(sizes.values()) < 2_000, sizes
