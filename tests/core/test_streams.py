"""What is printed where the encoding lacks its characters, and terminals that can't show a screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from confman_tui.core.errors import UsageError
from confman_tui.core.streams import check_can_show
from tests.support.program import environment

TABLES = """
from confman_tui.core.streams import open_missing_streams, write_result
from confman_tui.results.tables.drill_table import drill_table
from confman_tui.results.tables.results_table import results_table
from confman_tui.results.tables.series_table import series_table
from tests.support import result_samples as samples
open_missing_streams()
write_result(results_table([samples.result(), samples.result("mixed-10u")]))
write_result(series_table(samples.user_series({1: 1500, 10: 3000, 50: 3100})))
write_result(series_table(samples.sweep()))
write_result("━━── ±0.5 µs … \\udc80 ä 語")
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_tables_and_bars_are_printed_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", TABLES],
        env=environment(tmp_path, PYTHONIOENCODING=encoding),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    ).stdout.decode(encoding)
    lines = printed.splitlines()
    expected = {"ascii": "##-- ~0.5 us . ? a ?", "latin-1": "##-- ±0.5 µs . ? ä ?", "utf-8": "━━── ±0.5 µs … ? ä 語"}
    assert lines[-1] == expected[encoding]
    assert any("██" in line or "##" in line for line in lines[:-1]), "the bars"


def test_a_terminal_that_can_not_show_a_screen() -> None:
    with pytest.raises(UsageError, match="TERM is dumb: use --headless"):
        check_can_show({"TERM": "dumb"})
    check_can_show({"TERM": "xterm"})
