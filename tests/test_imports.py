"""What an import brings in at run time; which module may import which is import-linter's (``pyproject.toml``)."""

from __future__ import annotations

import subprocess
import sys


def test_a_headless_run_loads_no_screen() -> None:
    """Importing the session must not bring the screen's packages in: CI machines may lack a terminal."""
    code = "import sys, confman_tui.headless; print([m for m in ('textual', 'plotext') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
