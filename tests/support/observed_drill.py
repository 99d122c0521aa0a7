"""A drill of the program, beside the observer that shares nothing with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.program import StartedProgram
from tests.support.waiting import DEADLINE_S

OBSERVER = Path(__file__).parent / "observer.py"
DRILL = ["drill", "--demo", "--demo-ports", "auto", "--json"]


def observed_drill(
    arguments: list[str], home: Path, deadline_s: float = DEADLINE_S
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Run a drill on the demo cluster while the observer writes to it; gives both reports and the exit code."""
    started = StartedProgram([*DRILL, *arguments], home)
    observer: subprocess.Popen[str] | None = None
    try:
        started.wait_said("drill started:")
        said = re.search(r"finding: (.+)", started.said())
        assert said is not None
        observer = subprocess.Popen(
            [sys.executable, str(OBSERVER), "--nodes", said[1].replace(" ", ""), "--until-eof", "--least", "0.2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # The demo cluster ends with the drill: the observer must stop while there is still something to observe.
        started.wait_said("verifying:", deadline_s)
        report, _ = observer.communicate(timeout=DEADLINE_S)
        code = started.wait_end()
    finally:
        started.process.kill()
        if observer is not None:
            observer.kill()
    started.assert_nothing_left()
    return json.loads(started.output.read_text()), json.loads(report), code
