"""What a full disk, a read-only folder or a kill leaves behind."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from confman_tui.cluster.elections import Verification
from confman_tui.results.files.output_folder import (
    ResultsError,
    Staging,
    check_writable,
    os_error_text,
    path_of,
    remove,
    replacing,
)
from confman_tui.results.files.summary import save_result
from confman_tui.results.files.timeline_csv import TimelineWriter
from tests.support import result_samples


def _dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def _write(path: Path, text: str) -> Path:
    with replacing(path) as stream:
        stream.write(text)
    return path


def test_the_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    check_writable(folder)
    assert list(folder.iterdir()) == []


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    file = tmp_path / "results"
    file.write_text("kept")
    for folder in (file, file / "below"):
        with pytest.raises(ResultsError, match=f"{file}.*(is a file|not a directory)") as caught:
            check_writable(folder)
        assert caught.value.exit_code == 2
    assert file.read_text() == "kept"


def test_a_folder_that_nobody_can_write(tmp_path: Path) -> None:
    """/proc refuses files even to root, as a read-only mount does."""
    with pytest.raises(ResultsError, match="--output-dir: results can't be written to /proc/self"):
        check_writable(Path("/proc/self"))
    with pytest.raises(ResultsError, match="/proc/nothing"):
        check_writable(Path("/proc/nothing"))


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions don't bind root")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ResultsError, match="permission denied"):
            check_writable(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_read_only_folder_as_another_user() -> None:
    """The same where the tests run as root: a child process gives up root's rights."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from confman_tui.results.files.output_folder import ResultsError, check_writable\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: check_writable(Path(sys.argv[1]))\n"
        "except ResultsError as error: print(error)"
    )
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout == f"--output-dir: results can't be written to {folder}: permission denied\n"


def test_full_disk_in_words() -> None:
    assert os_error_text(OSError(errno.ENOSPC, "No space left on device")) == "the disk is full"
    assert os_error_text(OSError(errno.EROFS, "Read-only file system")) == "the file system is read-only"
    assert os_error_text(OSError(errno.EIO, "Input/output error")) == "input/output error"


def test_a_disk_that_fills_up_keeps_the_earlier_file(tmp_path: Path) -> None:
    """A real limit of the kernel on the size of files (EFBIG) stands for a full disk: the write fails half-way."""
    path = _write(tmp_path / "small-write-1u_summary.json", "earlier")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ResultsError, match=r"summary.json can't be written: file too large"):
            _write(path, "x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_kill_while_writing_keeps_the_earlier_file_and_the_next_start_sweeps(tmp_path: Path) -> None:
    path = _write(tmp_path / "small-write-1u_summary.json", "earlier")
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from confman_tui.results.files.output_folder import Staging, replacing\n"
        "Staging(Path(sys.argv[1]).parent)\n"
        "with replacing(Path(sys.argv[1])) as stream:\n"
        "    stream.write('half'); stream.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 3
    check_writable(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_sweep_leaves_what_lives_and_what_is_not_ours(tmp_path: Path) -> None:
    mine, dead = os.getpid(), _dead_pid()
    for name in (f".a.json.{mine}.part", ".a.json.x.part", ".part", "a.part", f".a.json.{dead}.part"):
        (tmp_path / name).write_text("")
    for name in (f".confman-tui-{mine}", ".confman-tui-other", f".confman-tui-{dead}"):
        (tmp_path / name).mkdir()
    check_writable(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {
        f".a.json.{mine}.part",
        ".a.json.x.part",
        ".part",
        "a.part",
        f".confman-tui-{mine}",
        ".confman-tui-other",
    }


def test_results_can_be_read_by_others(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        path = _write(tmp_path / "a.json", "{}")
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_reader_of_the_earlier_file_never_sees_half_of_both(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.json", "earlier")
    with path.open() as reading:
        _write(path, "new")
        assert reading.read() == "earlier"
    assert path.read_text() == "new"


def test_staged_files_appear_when_they_are_complete(tmp_path: Path) -> None:
    final = path_of(tmp_path, "small", "write-1u", "stats.csv")
    final.write_text("earlier")
    with Staging(tmp_path) as staging:
        prefix = staging.prefix("small", "write-1u")
        staged = prefix.with_name(prefix.name + "_stats.csv")
        staged.write_text("new")
        assert final.read_text() == "earlier"
        missing = prefix.with_name(prefix.name + "_exceptions.csv")
        assert staging.publish([staged, missing]) == (final,)
        assert final.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == [final.name]


def test_what_cannot_be_published_is_said(tmp_path: Path) -> None:
    with Staging(tmp_path) as staging:
        staged = staging.folder / "small-a_stats.csv"
        staged.write_text("new")
        (tmp_path / staged.name).mkdir()
        with pytest.raises(ResultsError, match=r"small-a_stats.csv can't be written: is a directory"):
            staging.publish([staged])


def test_a_missing_file_is_removed_already(tmp_path: Path) -> None:
    remove(tmp_path / "nothing")
    with pytest.raises(ResultsError, match="can't be removed"):
        remove(tmp_path)


def test_an_error_of_another_kind_keeps_the_earlier_file(tmp_path: Path) -> None:
    def interrupted(path: Path) -> None:
        with replacing(path) as stream:
            stream.write("half")
            raise KeyError("defect")

    path = _write(tmp_path / "a.json", "earlier")
    with pytest.raises(KeyError):
        interrupted(path)
    assert path.read_text() == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_every_file_of_a_scenario_without_the_key(tmp_path: Path) -> None:
    """No API key in any file, wherever a text held it: settings, notes, error texts, marks."""
    secret = result_samples.SECRET
    hostile: dict[str, Any] = {
        "note": f"key {secret} refused",
        "outcome": result_samples.outcome(error_texts={f"401 for {secret}": 1}),
        "verification": Verification(acknowledged=1, checked=1, note=secret),
    }
    settings = result_samples.settings_for(tmp_path, allow_faults="true", restart_cmd=f"run {secret} {{port}}")
    timeline = TimelineWriter(path_of(tmp_path, "small", "write-10u", "timeline.csv"), result_samples.NODES)
    timeline.row(result_samples.sample(), result_samples.view())
    timeline.close()
    saved = save_result(result_samples.result(**hostile), settings, result_samples.CLUSTER)
    assert len([file for file in saved.files if Path(file).exists()]) == 3
    contents = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(contents) == 4
    assert all(secret.encode() not in content for content in contents.values())
    assert b"(hidden)" in contents["small-write-10u_summary.json"]
