"""What a run gives agrees with what reached the server: for one process and for workers alike."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from confman_tui.cluster.elections import WriteOutcome, value_digest
from confman_tui.load.histogram import decode
from confman_tui.load.run_model import RunOutcome, SecondSample
from tests.support.confman_server import Server
from tests.support.load_runs import Book


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def check_totals(outcome: RunOutcome, samples: Sequence[SecondSample], server: Server) -> None:
    """Nothing failed, totals and seconds add up to what the server counted, and seconds follow one another."""
    served = server.control()
    assert outcome.failures == 0
    assert outcome.requests == served["put"] + served["get"] == sum(sample.ok for sample in samples)
    assert (outcome.reads_ok, outcome.writes_ok) == (served["get"], served["put"])
    assert (served["keys"], served["repeated"]) == (served["put"], 0)
    assert outcome.per_node == {server.url: outcome.requests}
    assert decode(outcome.histogram).get_total_count() == outcome.requests
    assert outcome.max_us == max(sample.max_us or 0 for sample in samples)
    assert samples[0].start == outcome.started
    assert samples[-1].end == outcome.ended
    assert all(a.end == b.start for a, b in pairwise(samples))


def check_locust_files(outcome: RunOutcome, folder: Path, name: str) -> None:
    """Locust's own files hold the same totals, and nothing else is left in the folder."""
    stats = {row["Name"]: row for row in rows(folder / f"{name}_stats.csv")}
    assert int(stats["Aggregated"]["Request Count"]) == outcome.requests
    assert int(stats["/config/[key] GET"]["Request Count"]) == outcome.reads_ok
    assert int(stats["/config/[key] PUT"]["Request Count"]) == outcome.writes_ok
    history = rows(folder / f"{name}_stats_history.csv")
    assert int(history[-1]["Total Request Count"]) == outcome.requests
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in outcome.files)


def check_bookings(book: Book, outcome: RunOutcome, server: Server) -> None:
    """Every write was booked, within the run, with the digest of what the server holds."""
    assert len(book.starts) == len(book.ends) == outcome.writes_ok
    values = server.control(values=True)["values"]
    for namespace, key, digest, started, ended, node, fate in book.ends:
        assert digest == value_digest(values[f"{namespace}/{key}"])
        assert outcome.started <= started < ended <= outcome.ended
        assert (node, fate) == (server.url, WriteOutcome.ACKNOWLEDGED)
