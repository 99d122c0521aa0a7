"""One row a second."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from confman_tui.cluster.elections import WriteWindow
from confman_tui.load.run_model import Cause
from confman_tui.results.files.timeline_csv import TimelineWriter, election_mark, fault_mark, rate_mark, window_mark
from confman_tui.results.formatting import from_iso
from tests.support import result_samples

_OPEN_LOOP = (
    "rate",
    "uncorrected_p50_us",
    "uncorrected_p99_us",
    "uncorrected_max_us",
    "not_started",
    "schedule_lag_ms",
)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_tells_what_was(tmp_path: Path) -> None:
    path = tmp_path / "small-write-10u_timeline.csv"
    writer = TimelineWriter(path, result_samples.NODES)
    fault = result_samples.election().fault
    assert fault is not None
    marks = [fault_mark(fault), election_mark(result_samples.election())]
    writer.row(result_samples.sample(0), result_samples.view(), marks, without_writes=True)
    writer.row(result_samples.sample(1, p50_us=None, p95_us=None, p99_us=None, max_us=None, failed={}))
    assert writer.close() == path
    first, second = _rows(path)
    assert from_iso(first["time"]) == result_samples.START
    assert first["users"] == "10"
    assert (first["ok"], first["reads_ok"], first["writes_ok"]) == ("88", "3", "85")
    assert {cause: first[f"failed_{cause}"] for cause in Cause} == {
        c: "2" if c is Cause.TIMEOUT else "0" for c in Cause
    }
    assert [first[name] for name in ("p50_us", "p95_us", "p99_us", "max_us")] == ["34120", "81250", "110400", "160000"]
    assert (first["leader"], first["term"]) == (result_samples.NODES[0], "6")
    assert [first[f"state 127.0.0.1:{port}"] for port in (6100, 6200, 6300)] == ["leader", "follower", "refused"]
    assert [first[f"sent 127.0.0.1:{port}"] for port in (6100, 6200, 6300)] == ["90", "0", "0"]
    assert first["marks"] == "kill 127.0.0.1:6100 (drill); leader 127.0.0.1:6200, term 7"
    assert first["without_writes"] == "1"
    assert (first["in_flight"], first["oldest_in_flight_s"]) == ("4", "0.750")
    assert (first["engine_cpu"], first["hub_lag_ms"]) == ("0.310", "0.40")
    assert [second[name] for name in ("p50_us", "leader", "term", "marks", "without_writes")] == ["", "", "", "", "0"]
    assert {first[name] for name in _OPEN_LOOP} == {""}, "a closed loop has no schedule"


def test_a_row_of_an_open_loop(tmp_path: Path) -> None:
    writer = TimelineWriter(tmp_path / "a_timeline.csv", result_samples.NODES)
    figures = {"uncorrected_p50_us": 900, "uncorrected_p99_us": 4_000, "uncorrected_max_us": 9_000}
    writer.row(
        result_samples.sample(0, rate=550.0, not_started=17, schedule_lag_s=0.25, **figures), marks=[rate_mark(550.0)]
    )
    path = writer.close()
    assert path is not None
    [row] = _rows(path)
    assert [row[name] for name in _OPEN_LOOP] == ["550", "900", "4000", "9000", "17", "250.00"]
    assert row["marks"] == "rate 550/s"


def test_marks_of_windows() -> None:
    assert window_mark(WriteWindow(10.0, 11.62, 0.1)) == "1.62 s without writes (± 0.10 s)"
    polled = WriteWindow(10.0, 12.0, 0.1, likely_s=1.9, from_poll=True)
    assert window_mark(polled) == "1.90 s without writes (± 0.10 s, from the last good poll)"
    assert window_mark(WriteWindow(10.0, None, 0.1)) == "still without writes (± 0.10 s)"


def test_the_earlier_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a_timeline.csv"
    path.write_text("earlier")
    writer = TimelineWriter(path, result_samples.NODES)
    writer.row(result_samples.sample())
    assert path.read_text() == "earlier"
    assert len(_rows(tmp_path / "a_timeline.csv.part")) == 1, "flushed at once"
    writer.close()
    assert len(_rows(path)) == 1
    assert writer.close() is None
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_discarded_timeline_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "a_timeline.csv"
    path.write_text("earlier")
    writer = TimelineWriter(path, result_samples.NODES)
    writer.discard()
    assert writer.close() is None
    assert path.read_text() == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_kill_keeps_both_the_earlier_file_and_the_rows_so_far(tmp_path: Path) -> None:
    path = tmp_path / "a_timeline.csv"
    path.write_text("earlier")
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.support import result_samples\n"
        "from confman_tui.results.files.timeline_csv import TimelineWriter\n"
        "writer = TimelineWriter(Path(sys.argv[1]), result_samples.NODES)\n"
        "for second in range(3): writer.row(result_samples.sample(second))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "earlier"
    assert len(_rows(tmp_path / "a_timeline.csv.part")) == 3


def test_a_full_disk_ends_the_timeline_but_not_the_run(tmp_path: Path) -> None:
    """/dev/full takes no byte, as a full disk."""
    path = tmp_path / "a_timeline.csv"
    path.write_text("earlier")
    (tmp_path / "a_timeline.csv.part").symlink_to("/dev/full")
    writer = TimelineWriter(path, result_samples.NODES)
    for second in range(3):
        writer.row(result_samples.sample(second))
    assert writer.trouble == f"{path} can't be written: the disk is full"
    assert writer.close() is None
    assert path.read_text() == "earlier"


def test_a_missing_folder_ends_the_timeline_but_not_the_run(tmp_path: Path) -> None:
    writer = TimelineWriter(tmp_path / "gone" / "a_timeline.csv", result_samples.NODES)
    writer.row(result_samples.sample())
    assert "no such file or directory" in writer.trouble
    assert writer.close() is None


def test_a_node_that_is_not_configured_adds_no_column(tmp_path: Path) -> None:
    writer = TimelineWriter(tmp_path / "a.csv", result_samples.NODES[:1])
    writer.row(replace(result_samples.sample(), per_node={"http://elsewhere:1": 3}), result_samples.view())
    path = writer.close()
    assert path is not None
    (row,) = _rows(path)
    assert None not in row
    assert "elsewhere" not in str(row)
