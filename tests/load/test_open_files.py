"""The limit of open files is raised to what a run needs, or the run is refused in a sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource")

_ALLOW = """
import resource, sys
from confman_tui.core.errors import UsageError
from confman_tui.load.open_files import allow
soft, hard, users, nodes, processes = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    allow(users, nodes, processes)
except UsageError as error:
    sys.exit(f"{error.exit_code} {error}")
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "users", "nodes", "processes", "said"),
    [
        (200, 1000, 10, 3, 1, "286"),
        (200, 1000, 300, 3, 1, "1000"),
        (900, 1000, 10, 3, 1, "900"),
        (200, 1000, 2000, 3, 4, "1000"),
        (
            *(200, 1000, 1000, 3, 1),
            "2 1,000 users need 1,256 open files in one process, and this system allows 1,000 (ulimit -Hn): at most "
            "744 users in a process are possible",
        ),
        (
            *(200, 300, 1000, 1, 2),
            "2 1,000 users need 756 open files in each worker, and this system allows 300 (ulimit -Hn): at most 44 "
            "users in a process are possible",
        ),
    ],
)
def test_the_limit_is_raised_or_the_run_refused(
    soft: int, hard: int, users: int, nodes: int, processes: int, said: str
) -> None:
    arguments = [str(each) for each in (soft, hard, users, nodes, processes)]
    ended = subprocess.run([sys.executable, "-c", _ALLOW, *arguments], capture_output=True, text=True, check=False)
    assert (ended.stdout or ended.stderr).strip() == said
