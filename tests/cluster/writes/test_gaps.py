"""WriteStream against a computation that has all stamps at once and no bounds."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confman_tui.cluster.elections import WriteWindow
from confman_tui.cluster.writes.gaps import IDLE_S, WriteStream

EPOCH = 1_700_000_000.0


@dataclass(frozen=True)
class Write:
    start: float
    ack: float | None
    node: str = ""


def usual_gap(acks: list[tuple[float, float]], starts: list[float]) -> float:
    """The median of the gaps that ended within 10 s before the last of these acknowledgements (each with the start of
    its write), at least 9, at most 255; of one of 20 ms or more the part before the first attempt is left out, unless
    its write was in flight all the while."""
    first = dict(reversed(acks))
    gaps = []
    for earlier, later in pairwise(sorted(first)):
        tries = [start for start in starts if earlier < start <= later]
        tried = tries and later - earlier >= 0.02 and first[later] > earlier
        gaps.append((later, later - (tries[0] if tried else earlier)))
    if not gaps:
        return 0.0
    young = [gap for gap in gaps if gap[0] >= gaps[-1][0] - 10.0]
    kept = young if len(young) >= 9 else gaps[-9:]
    return median(gap for _, gap in kept[-255:])


def brute_force(writes: list[Write]) -> list[WriteWindow]:
    """All windows, from the definition in WriteStream's docstring."""
    starts = sorted({write.start for write in writes})
    every_start = sorted(write.start for write in writes)
    done = sorted((write.ack, write.start, write.node) for write in writes if write.ack is not None)
    acks = [ack for ack, _, _ in done]
    windows = []
    for position, (end, begun, node) in enumerate(done):
        before = acks[position - 1] if position else None
        if before == end:
            continue
        limit = max(0.3, 3 * usual_gap([(ack, start) for ack, start, _ in done[:position]], starts))
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
                    begin, edge = late, late - early
        counted_from = begin
        waits = [ack - start for ack, start, _ in done[:position]][-32:]
        wait = max(waits, default=0.0)
        blind = 0.0
        if begun < begin:
            begin = max(begun, before) if before is not None else begun
            latest = begin + wait
        elif before is None:
            latest = begin
        elif begin == before:
            latest = (tries[0] if tries else begin) + wait
        else:
            latest, blind = begin, edge
        if end - begin <= limit:
            continue
        latest = min(latest, end)
        if node:
            denied = [w.start for w in writes if w.ack is None and w.node == node and latest <= w.start <= end]
        else:
            denied = [start for start in starts if start < begun]
        slow = max(0.1, 2 * wait)
        possible = max([latest, *denied, *([end - slow] if end - begun > slow else [])])
        longest, shortest = end - begin + 0.02, possible - latest
        first_counted = tries[0] if tries and counted_from == before else counted_from
        intended = sum(
            1 for start in every_start if first_counted <= start <= end and (before is None or start > before)
        )
        longest_wait = max((w.ack - w.start for w in writes if w.ack is not None and w.start < end <= w.ack), default=0)
        uncertainty, likely = (longest - shortest) / 2 + blind, (longest + shortest) / 2
        windows.append(WriteWindow(begin, end, uncertainty, intended, longest_wait, likely))
    return windows


def replay(writes: list[Write], step: float = 0.2) -> tuple[WriteStream, list[WriteWindow], dict[float, int]]:
    """Reports the writes to the stream in the order of time and drains it every ``step`` seconds."""
    stream = WriteStream()
    events = [(write.start, 0, write) for write in writes]
    events += [(write.ack, 1, write) for write in writes if write.ack is not None]
    events.sort(key=lambda entry: entry[:2])
    closed: list[WriteWindow] = []
    slots: dict[float, int] = {}
    clock = events[0][0] if events else EPOCH

    def drain() -> None:
        drained = stream.drain(clock)
        closed.extend(drained.closed)
        for slot, count in drained.counts:
            slots[slot] = slots.get(slot, 0) + count

    for at, kind, write in events:
        while at > clock + step:
            clock += step
            drain()
        if kind == 0:
            stream.started(at)
            if write.ack is None and write.node:
                stream.evidence.failed(at, write.node)
        else:
            stream.acknowledged(at, write.start, None, write.node)
    clock = (events[-1][0] if events else EPOCH) + 1.0
    drain()
    return stream, closed, slots


nodes = st.sampled_from(["", "a", "b"])
"""Where a write went; empty: not known."""


@st.composite
def histories(draw: st.DrawFn) -> list[Write]:
    """Stretches of load, outage and quiet, with stamps on a grid of 10 ms (so that ties happen)."""
    now, writes = 0, []
    for _ in range(draw(st.integers(1, 5))):
        mood = draw(st.sampled_from(["load", "outage", "quiet", "slow", "busy"]))
        if mood == "busy":
            for step, wait in draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=120)):
                now += step
                writes.append(Write(EPOCH + now / 100, EPOCH + (now + wait) / 100, draw(nodes)))
            continue
        if mood == "quiet":
            now += draw(st.sampled_from([40, 400, 700, 3000]))
            continue
        for _ in range(draw(st.integers(1, 14))):
            now += draw(st.integers(0, 60 if mood != "slow" else 150))
            wait = draw(st.integers(0, 400 if mood == "slow" else 4))
            lives = mood != "outage" or draw(st.integers(0, 9)) == 0
            writes.append(Write(EPOCH + now / 100, EPOCH + (now + wait) / 100 if lives else None, draw(nodes)))
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
        assert ours.seconds == pytest.approx(theirs.seconds, abs=1e-6)
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
    events = [(write.start, write, 0) for write in writes]
    events += [(write.ack, write, 1) for write in writes if write.ack is not None]
    events.sort(key=lambda entry: entry[0] + random.uniform(0, 0.04))  # type: ignore[attr-defined]
    for at, write, kind in events:
        if kind == 0:
            shuffled.started(at)
        else:
            shuffled.acknowledged(at, write.start)
        shuffled.drain(at)
    shuffled.drain(events[-1][0] + 1.0)
    assert [(w.start, w.end, w.intended) for w in shuffled.windows if w.end] == [
        (w.start, w.end, w.intended) for w in straight if w.end
    ]


def seen_by(writes: list[Write]) -> tuple[object, ...]:
    stream, closed, slots = replay(writes)
    end = max(write.ack or write.start for write in writes)
    return (
        closed,
        slots,
        stream.windows,
        stream.usual.threshold_s,
        stream.history.per_tenth(EPOCH, end + 1),
        stream.history.longest_gap(EPOCH, end),
        stream.settled_until,
    )


@settings(max_examples=60, deadline=None)
@given(histories(), histories())
def test_many_at_once_are_judged_as_one_by_one(first: list[Write], second: list[Write]) -> None:
    dense = [Write(EPOCH + 100 + n * 0.0021, EPOCH + 100 + n * 0.0021 + n % 7 * 0.001) for n in range(400)]
    writes = [*first, *dense, *(Write(w.start + 101, w.ack + 101 if w.ack else None, w.node) for w in second)]
    looked: list[int] = []
    take = WriteStream._take_without_gaps

    def counted(self: WriteStream, acks: list[tuple[float, float, float, str]], starts: list[float]) -> None:
        looked.append(len(acks))
        take(self, acks, starts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(WriteStream, "_take_without_gaps", counted)
        at_once = seen_by(writes)
        assert sum(looked) > 200
        patched.setattr("confman_tui.cluster.writes.gaps._LEAST_AT_ONCE", 10**9)
        assert seen_by(writes) == at_once


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
    # impossible from 9.905 to 10.005 on, possible again between 12.4 and 12.505
    assert window.end == pytest.approx(EPOCH + 12.505)
    assert window.seconds == pytest.approx((2.6 + 0.02 + 2.395) / 2, abs=1e-6)
    assert window.uncertainty_s == pytest.approx((2.6 + 0.02 - 2.395) / 2, abs=1e-6)
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
    # counted from when it was due, this would be the half second between two attempts in the middle of the outage
    plain = WriteStream()
    for at in [*attempts, *outage, EPOCH + 4.49]:
        plain.started(at)
    for at in attempts:
        plain.acknowledged(at + 0.01, at)
    plain.acknowledged(EPOCH + 4.5, EPOCH + 4.49)
    [expected] = plain.drain(EPOCH + 5).closed
    assert (window.uncertainty_s, window.start) == (expected.uncertainty_s, expected.start)


@dataclass(frozen=True)
class Outage:
    """An outage as it was, the attempts of the program's clients at it, and those of an observer."""

    seconds: float
    wait: float
    """Of an acknowledged write."""
    writes: list[tuple[float, float | None, str]]
    polls: list[tuple[float, str, bool]]
    observed: float
    """From the last acknowledgement of a client that writes every 10 ms at each node to its next one."""


def an_outage(chance: Random) -> Outage:
    """``a`` leads until 10 s, ``b`` some time later; the users go on trying ``a`` until they know of ``b``."""
    lost, seconds = EPOCH + 10.0, chance.uniform(0.5, 4.0)
    wait = chance.uniform(0.001, 0.03)
    found = lost + seconds

    def served(at: float, node: str) -> bool:
        done = at + wait
        return (node == "a" and done < lost) or (node == "b" and at >= found)

    writes: list[tuple[float, float | None, str]] = []
    at = EPOCH
    while at < found + 2.0:
        known = "b" if at > found + 0.05 else "a"
        writes.append((at, at + wait if served(at, known) else None, known))
        at += chance.uniform(0.005, 0.03) if known == "b" or at < lost else chance.uniform(0.02, 0.25)
    probes = chance.uniform(0, 0.05)
    for turn in range(int((seconds + 1.0) / 0.05)):
        at, node = lost + probes + turn * 0.05, "bc"[turn % 2]
        writes.append((at, at + wait if served(at, node) else None, node))
    first = chance.uniform(0, 0.05)
    polls = [
        (EPOCH + first + turn * 0.05, node, (node == "a" and at < lost) or (node == "b" and at >= found))
        for turn in range(int((11.0 + seconds) / 0.05))
        for node in "abc"
        for at in (EPOCH + first + turn * 0.05,)
    ]
    nudge = next(at for at, node, leads in polls if node == "b" and leads) + 0.002
    writes.append((nudge, nudge + wait, "b"))
    grid = chance.uniform(0, 0.01)
    tries = [(EPOCH + 8 + grid + turn * 0.01, node) for turn in range(int((5 + seconds) * 100)) for node in "ab"]
    acks = sorted(at + wait for at, node in tries if served(at, node))
    gap = max(later - earlier for earlier, later in pairwise(acks))
    return Outage(seconds, wait, writes, polls, gap)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_what_another_client_sees_lies_within_the_interval(seed: int) -> None:
    outage = an_outage(Random(seed))
    stream = WriteStream()
    for started, ack, node in outage.writes:
        stream.started(started)
        if ack is None:
            stream.evidence.failed(started, node)
        else:
            stream.acknowledged(ack, started, None, node)
    for at, node, leads in outage.polls:
        stream.evidence.polled(at, at + 0.002, node, leads)
    [window] = stream.drain(EPOCH + 30).closed
    assert window.seconds is not None
    assert window.end is not None
    assert abs(outage.seconds - window.seconds) <= window.uncertainty_s + outage.wait
    assert abs(outage.observed - window.seconds) <= window.uncertainty_s + 1e-6
    # two edges: the users' 30 ms before, 50 ms from poll to poll after, the waits and the other client's 20 ms
    assert window.uncertainty_s <= (0.03 + 0.052 + 4 * outage.wait + 0.02) / 2 + 1e-6


def test_attempts_at_a_dead_node_prove_nothing_about_the_next_leader() -> None:
    def window(denied: float | None) -> WriteWindow:
        stream = WriteStream()
        for write in [*steady(EPOCH, EPOCH + 10, 0.02), *failing(EPOCH + 10, EPOCH + 12, 0.02)]:
            stream.started(write.start)
            if write.ack is None:
                stream.evidence.failed(write.start, "a")
            else:
                stream.acknowledged(write.ack, write.start, None, "a")
        if denied is not None:
            stream.evidence.polled(denied, denied + 0.002, "b", leads=False)
        stream.started(EPOCH + 12)
        stream.acknowledged(EPOCH + 12.005, EPOCH + 12, None, "b")
        [found] = stream.drain(EPOCH + 13).closed
        return found

    known = window(EPOCH + 11.9)
    assert known.uncertainty_s == pytest.approx((0.025 - 0.005 + 0.02 + 0.105) / 2, abs=1e-3)
    unknown = window(None)
    assert unknown.seconds is not None
    assert unknown.seconds - unknown.uncertainty_s == pytest.approx(0.0, abs=1e-6)


def test_a_write_that_was_kept_waiting_shows_when_its_node_took_writes_again() -> None:
    stream = WriteStream()
    for write in steady(EPOCH, EPOCH + 10, 0.02):
        stream.started(write.start)
        assert write.ack is not None
        stream.acknowledged(write.ack, write.start, None, "a")
    stream.started(EPOCH + 10.01)
    stream.acknowledged(EPOCH + 11.0, EPOCH + 10.01, None, "a")
    [window] = stream.drain(EPOCH + 12).closed
    assert window.seconds is not None
    # from 9.985 (acknowledged) to 10.015 (it should have been), and at most 100 ms before 11.0
    assert window.seconds - window.uncertainty_s == pytest.approx(10.9 - 10.015, abs=1e-3)
    assert window.seconds + window.uncertainty_s == pytest.approx(11.0 - 9.985 + 0.02, abs=1e-3)


def test_where_nobody_wrote_before_it_counts_from_the_last_poll_that_showed_the_leader_well() -> None:
    def window(goes_on: bool) -> WriteWindow:
        stream = WriteStream()
        for write in steady(EPOCH, EPOCH + 1, 0.02):
            stream.started(write.start)
            assert write.ack is not None
            stream.acknowledged(write.ack, write.start, None, "a")
        for turn in range(100):
            at = EPOCH + turn * 0.25
            stream.evidence.polled(at, at + 0.002, "a", leads=at < EPOCH + 20.1 or goes_on)
        for write in failing(EPOCH + 20.3, EPOCH + 21, 0.05):
            stream.started(write.start)
            stream.evidence.failed(write.start, "b")
        stream.started(EPOCH + 21)
        stream.acknowledged(EPOCH + 21.005, EPOCH + 21, None, "b")
        [found] = stream.drain(EPOCH + 22).closed
        return found

    seen = window(goes_on=False)
    assert seen.from_poll
    assert seen.start == EPOCH + 20.0
    assert seen.seconds is not None
    assert abs(seen.seconds - 0.9) <= seen.uncertainty_s <= 0.22
    # a leader that was cut off goes on saying that it leads, and shows nothing
    cut_off = window(goes_on=True)
    assert not cut_off.from_poll
    assert cut_off.start == pytest.approx(EPOCH + 20.3)


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


def test_an_outage_of_an_idle_cluster_counts_though_it_is_probed_once_a_second() -> None:
    idle = [Write(EPOCH + second, EPOCH + second + 0.005) for second in range(20)]
    alert = failing(EPOCH + 19.6, EPOCH + 21.4, 0.05)
    _, [window], _ = replay([*idle, *alert, *steady(EPOCH + 21.4, EPOCH + 24, 0.05)])
    assert window.start == pytest.approx(EPOCH + 19.6)
    assert window.seconds is not None
    assert 1.7 < window.seconds < 1.9


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
    found = stream.history.longest_gap(EPOCH + 10, EPOCH + 10.3)
    assert found is not None
    gap, counts = found
    assert not counts
    assert gap.end is not None
    assert gap.end - gap.start == pytest.approx(0.22)
    assert gap.seconds == pytest.approx((0.24 + 0.175) / 2, abs=1e-6)
    small = stream.history.longest_gap(EPOCH + 11, EPOCH + 12)
    assert small is None or (small[0].seconds or 0) < 0.03
    assert stream.history.between(EPOCH + 5, EPOCH + 7) == 100


def test_two_threads_lose_nothing() -> None:
    stream = WriteStream()
    each = 20_000

    def report() -> None:
        for n in range(each):
            stream.started(EPOCH + n * 1e-4)
            stream.acknowledged(EPOCH + n * 1e-4 + 1e-5, EPOCH + n * 1e-4)

    threads = [threading.Thread(target=report) for _ in range(2)]
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
    held = {**stream.__dict__, **stream.history.__dict__, **stream.usual.__dict__}
    sizes = {name: len(value) for name, value in held.items() if hasattr(value, "__len__")}
    assert max(sizes.values()) < 2_000, sizes
