"""Elections and lost writes as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

from confman_tui.cluster.elections import Breach, BrokenKey, Verification
from confman_tui.results.files.election_files import election_document, write_elections, write_lost, write_verdict
from tests.support import result_samples


def test_a_later_run_leaves_no_lost_keys_nor_elections_of_the_earlier_one(tmp_path: Path) -> None:
    bad = Verification(acknowledged=1, checked=1, lost=1, broken=(BrokenKey("a/b", Breach.LOST),))
    write_lost(tmp_path, "small", "write-1u", bad)
    write_elections(tmp_path, "small", "write-1u", [result_samples.election()])
    assert write_lost(tmp_path, "small", "write-1u", Verification(acknowledged=1, checked=1)) is None
    path = write_elections(tmp_path, "small", "write-1u", [])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert len(path.read_text().splitlines()) == 1


def test_elections_in_rows(tmp_path: Path) -> None:
    path = write_elections(
        tmp_path, "small", "write-1u", [result_samples.election(), result_samples.election(fault=None, agree_s=None)]
    )
    heading, first, second = (line.split(",") for line in path.read_text().splitlines())
    row = dict(zip(heading, first, strict=True))
    assert (row["fault"], row["fault_node"], row["serving_s"]) == ("kill", result_samples.NODES[0], "1.43")
    assert dict(zip(heading, second, strict=True))["agree_s"] == ""
    assert row["stalled"] == "False"


def test_a_stall_is_no_election_in_a_row_either() -> None:
    stall = result_samples.election(new_leader=result_samples.NODES[0], term_before=1, term_after=1)
    assert election_document(stall)["stalled"] is True
    assert election_document(result_samples.election(new_leader=None, term_after=None))["stalled"] is False


def test_the_verdict_is_a_row_with_the_nodes_that_were_read(tmp_path: Path) -> None:
    few = Verification(
        acknowledged=393, checked=393, nodes_read=1, nodes=3, unproven=393, note="1 of 3 nodes were read"
    )
    path = write_verdict(tmp_path, "small", "write-1u", few)
    assert path is not None
    with path.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    wanted = {"judged": "False", "passed": "False", "nodes_read": "1", "nodes": "3", "unproven": "393", "lost": "0"}
    assert {name: row[name] for name in wanted} == wanted
    assert write_verdict(tmp_path, "small", "write-1u", None) is None
    assert not path.exists()
