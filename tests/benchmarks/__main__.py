"""All benchmarks, one after another: what measuring costs, against stock Locust in the same run.

    python -m tests.benchmarks [--quick] [--only observer_effect,booking,…]

Each is a module of this folder and can be run alone; ``python -m tests.benchmarks.NAME --help`` says how. The whole
takes most of an hour, ``--quick`` some ten minutes with single repetitions (and then the figures are not to be
quoted). Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALL: dict[str, tuple[list[str], list[str]]] = {
    "observer_effect": ([], ["--repeat", "1", "--seconds", "3"]),
    "watch_cost": ([], ["--repeat", "1", "--seconds", "2", "--idle", "5"]),
    "booking": ([], ["--writes", "1000000", "--pairs", "3", "--engine-pairs", "2", "--seconds", "2"]),
    "memory": ([], ["--quick"]),
    "screen_output": ([], []),
    "graph_cost": ([], []),
    "demo_cluster": ([], []),
}
"""Per benchmark, what it is given for a whole measurement, and for a quick one."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="single repetitions: do they run at all?")
    parser.add_argument("--only", default=",".join(ALL), help="names, separated by commas")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    unknown = [name for name in names if name not in ALL]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(ALL)}")
    verdicts = {}
    for name in names:
        given = ALL[name][1 if arguments.quick else 0]
        print(f"\n=== {name} {' '.join(given)} (load of the machine: {os.getloadavg()[0]:.1f})", flush=True)
        began = time.monotonic()
        code = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.{name}", *given], cwd=ROOT, check=False
        ).returncode
        verdicts[name] = (code, time.monotonic() - began)
    print()
    for name, (code, seconds) in verdicts.items():
        print(f"{name:16s} {'reached' if code == 0 else 'NOT all reached'} ({seconds:.0f} s)")
    return 1 if any(code for code, _ in verdicts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
