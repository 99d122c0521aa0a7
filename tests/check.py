"""All checks that CI runs, in this environment: ``python -m tests.check``.

Linters first, since they take seconds, then the tests. The first check that fails ends it with its exit code.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
LINTERS = (
    "ruff check .",
    "ruff format --check .",
    "lint-imports",
    "mypy --strict confman_tui tests",
)
TESTS = ("pytest -q",)


def run(check: str) -> int:
    """Run one check by the program of that name beside this Python; its exit code."""
    print(f"+ {check}", flush=True)
    name, *arguments = shlex.split(check)
    program = Path(sys.executable).parent / name
    if not program.exists():
        print(f"{program} is missing: pip install -e '.[dev]' brings it", file=sys.stderr)
        return 127
    return subprocess.run([program, *arguments], cwd=TOP, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--linters", action="store_true", help="no tests")
    arguments = parser.parse_args()
    for check in LINTERS if arguments.linters else LINTERS + TESTS:
        code = run(check)
        if code:
            print(f"failed: {check} (exit code {code})", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
