"""Whether what a worker reports can be true: the master's check of reports whose fields are all within their bounds,
and a worker's of its master's plan.

A worker that was invited makes figures, and they are believed; but not those of a second to come, of nodes that are not
the run's, or of writes that nobody asked it for, which would take in the other workers' figures, the verification and
the files.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from locust.stats import bucket_response_time

from confman_tui.load.run_model import RunPlan
from confman_tui.load.workers.envelope import Stats
from confman_tui.load.workers.messages import LONGEST_TEXT, MOST_REQUESTS, SecondCounted, WritesReported
from confman_tui.load.workers.plan import WorkerShare
from confman_tui.settings.values import MAX_ENTRIES, MAX_PAYLOAD, MAX_RATE, MAX_USERS

CLOCKS_S = 5.0
"""How far a worker's clock, as it is known, may be from the master's."""
_AHEAD = 5
"""Seconds by which a worker's numbering may be ahead."""
_SPARE_SECONDS = 60
_LONGEST_RUN_S = 2 * 86_400.0
_MOST_KEYS = 2 * MAX_ENTRIES
_MOST_NAMESPACES = 10_000
_MOST_WORKERS = 128
_WRITES_PER_S = 20_000
"""More than a process can send."""


class Implausible(Exception):
    """Why a report can't be true, in some words."""


class ReportsOfWorker:
    """What one worker reports of one run."""

    def __init__(self, share: WorkerShare, namespaces: Collection[str]) -> None:
        self._share = share
        self._namespaces = frozenset(namespaces)
        self._key = re.compile(rf"key-{re.escape(share.token)}[0-9a-f]{{7}}").fullmatch
        self._number = 0
        self._writes = 0
        self.requests = 0
        """Of its seconds so far."""
        self.counted = 0
        """Requests of its reports to Locust so far."""
        self._seconds: set[int] = set()
        """Those that its reports to Locust are of, on its own clock."""

    def second(self, message: SecondCounted, began: float, at: float, nodes: Collection[str]) -> None:
        """Check a second of a run that began at ``began``, as of ``at``.

        Raises:
            Implausible: it can't be true.
        """
        counts = message.counts
        if not self._number < message.number <= at - began + _AHEAD:
            raise Implausible("a second out of turn")
        if not began - CLOCKS_S <= counts.start <= counts.end <= at + CLOCKS_S:
            raise Implausible("a second of another time")
        if not counts.by_node.keys() <= {"", *nodes}:
            raise Implausible("requests to a node that is not the run's")
        if not counts.worker_cpu.keys() | counts.worker_wait.keys() <= {self._share.name}:
            raise Implausible("figures of another worker")
        marks = counts.read_marks
        if len(marks) % 4 or any(marks[place] > marks[place + 1] for place in range(0, len(marks), 4)):
            raise Implausible("reads of no time")
        _check_sums(message)
        self._number = message.number
        self.requests += message.requests

    def writes(self, message: WritesReported, began: float, at: float, nodes: Collection[str]) -> None:
        """Check writes of a run that began at ``began``, as of ``at``.

        Raises:
            Implausible: they can't be true.
        """
        self._writes += max(len(message.started), len(message.ended))
        if self._writes > _WRITES_PER_S * (at - began + CLOCKS_S):
            raise Implausible("more writes than a process can send")
        least, most, known = began - CLOCKS_S, at + CLOCKS_S, {"", *nodes}
        if not all(least <= moment <= most for moment in message.started):
            raise Implausible("a write of another time")
        for namespace, key, _digest, started, ended, node, _outcome, intended in message.ended:
            if not (
                least <= started <= ended <= most and (intended is None or least <= intended <= started + CLOCKS_S)
            ):
                raise Implausible("a write of another time")
            if namespace not in self._namespaces or self._key(key) is None:
                raise Implausible("a write that was not its own")
            if node not in known:
                raise Implausible("a write to a node that is not the run's")

    def stats(self, report: Stats, lasted_s: float) -> None:
        """Check a report of Locust's own statistics, so long after the run began. Locust keeps a count for each second
        that it hears of, by the worker's system clock, which may be any.

        Raises:
            Implausible: it can't be true.
        """
        for entry in (*report["stats"], report["stats_total"]):
            if any(bucket_response_time(taken) != taken for taken in entry["response_times"]):
                raise Implausible("times that Locust does not count")
            self._seconds.update(entry["num_reqs_per_sec"], entry["num_fail_per_sec"])
        if len(self._seconds) > lasted_s + _SPARE_SECONDS:
            raise Implausible("requests of more seconds than have passed")
        self.counted += report["stats_total"]["num_requests"]


def _check_sums(message: SecondCounted) -> None:
    counts = message.counts
    requests, failed = message.requests, sum(message.failures.values())
    if requests > MOST_REQUESTS:
        raise Implausible("more requests than a process can send")
    nodes = counts.by_node.values()
    by_kind = [sum(node.reads_failed for node in nodes), sum(node.writes_failed for node in nodes)]
    told = [0, 0]
    for (is_write, _cause, _text), count in message.failures.items():
        told[is_write] += count
    ok = requests - failed
    if told != by_kind or sum(counts.uncorrected.values()) not in (0, ok):
        raise Implausible("requests that do not add up")
    if sum(counts.redirects.values()) > counts.redirected or counts.redirected > requests:
        raise Implausible("redirects that do not add up")


def check_plan(plan: RunPlan, share: WorkerShare) -> None:
    """Check what a worker is to do, before it does.

    Raises:
        Implausible: no master of this program asks for it.
    """
    least_wait, most_wait = plan.wait_s
    length = 0.0 if plan.duration_s is None else plan.duration_s
    right = (
        1 <= plan.users <= MAX_USERS
        and 0 <= length <= _LONGEST_RUN_S
        and 0 <= plan.warmup_s <= _LONGEST_RUN_S
        and 0 <= plan.write_share <= 1
        and 0 <= least_wait <= most_wait <= _LONGEST_RUN_S
        and 1 <= plan.payload_bytes <= MAX_PAYLOAD
        and (plan.rate is None or 0 <= plan.rate <= MAX_RATE)
        and 0 < plan.request_timeout_s <= _LONGEST_RUN_S
        and plan.csv_prefix is None
        and len(plan.keys) <= _MOST_KEYS
        and len(plan.namespaces) <= _MOST_NAMESPACES
        and 0 <= share.index < share.count <= _MOST_WORKERS
        and 0 <= share.first_user <= MAX_USERS
        and re.fullmatch("[0-9a-f]{5}", share.token) is not None
        and len(share.name) <= LONGEST_TEXT
    )
    if not right:
        raise Implausible("a plan that no master makes")
