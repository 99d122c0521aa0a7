"""What measuring costs: the stock ``locust`` command against this program, on the same server, in turn.

    python -m tests.benchmarks.observer_effect [--repeat 5] [--seconds 8] [--delays 0,6] [--sides stock,screen,…]
        [--flags "--poll 250 --probe 0"]

Sides:
  stock     ``locust --headless`` with a plain `FastHttpUser` (`plain_file.py`): what the ratios are taken to
  requests  the same with a plain `HttpUser`
  same      the same with our user class (`stock_file.py`): what the session and the screen cost, our client aside
  engine    our load engine on its thread, without session and screen
  quiet     ``confman-tui --headless`` that hardly polls (every 10 s) and does not probe
  headless  ``confman-tui --headless``: polling, probing, files
  screen    ``confman-tui`` in a pseudo-terminal of 120×40, both graphs live
  wide      the same of 200×50
  workers1  as screen, with ``--workers 1``
  workers2  as screen, with ``--workers 2``

Ten users read one-kilobyte values without a pause (scenario read-10u) from a server in a process of its own that
answers at once, then one that takes 6 ms. Every side records each request with the same listener, and all percentiles
are read from the same kind of HdrHistogram. Each repetition runs all sides in turn; ratios are to the stock command
of the same repetition, and the median of the repetitions is what counts.

``req/cpu`` is requests per CPU second of all processes that the side has started (ours: with screen, graphs and polls),
between the first and the last whole second of its load, as the server counts them.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from confman_tui.load.histogram import decode
from tests.support.confman_server import KEY, Server

ROOT = Path(__file__).resolve().parents[2]
SCENARIO, SCENARIO_KEY, USERS = "read-10u", b"4", 10
KEYS = [(f"bench-small-{i:03d}", f"key-{k:012x}") for i in range(5) for k in range(20)]
SIZE, WIDE = (120, 40), (200, 50)
FLAGS: list[str] = []
"""Further arguments of the program, on every side that runs it."""
SCREEN_TARGETS = {
    0.0: {"rps": (">=", 0.97), "p99": ("<=", 1.25), "p99.9": ("<=", 1.8)},
    6.0: {"rps": (">=", 1.0), "p99": ("<=", 1.05), "p99.9": ("<=", 1.15)},
}
TARGETS: dict[str, dict[float, dict[str, tuple[str, float]]]] = {
    "headless": SCREEN_TARGETS,
    "screen": SCREEN_TARGETS,
    "wide": SCREEN_TARGETS,
    "workers1": {
        0.0: {"rps": (">=", 1.05), "p99": ("<=", 1.05), "p99.9": ("<=", 1.10)},
        6.0: {"rps": (">=", 1.0), "p99": ("<=", 1.05), "p99.9": ("<=", 1.15)},
    },
    "workers2": {0.0: {"req/cpu": (">=", 0.9)}},
}
"""What is to be reached, per side and per milliseconds that the server takes."""


@dataclass(frozen=True)
class Figures:
    """What one side measured once."""

    rps: float
    p99_us: int
    p999_us: int
    max_us: int
    failures: int
    per_cpu_s: float = 0.0
    """Requests per CPU second of the side's processes; 0 when the load was too short for it."""

    def against(self, stock: Figures) -> dict[str, float]:
        """Ratios to the stock command."""
        return {
            "rps": self.rps / stock.rps,
            "p99": self.p99_us / stock.p99_us,
            "p99.9": self.p999_us / stock.p999_us,
            "max": self.max_us / stock.max_us,
            "req/cpu": self.per_cpu_s / stock.per_cpu_s if stock.per_cpu_s else 0.0,
        }


class CpuCount:
    """While inside: once a second, the CPU time of this process's children but for the server, and what it served.

    The children are looked for when the load has begun, since a look takes the machine some milliseconds.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seconds: list[tuple[int, float]] = []
        """Requests served and CPU seconds used so far."""

    def _watch(self) -> None:
        family: list[psutil.Process] = []
        while not self._end.wait(1.0):
            served = int(self._server.control()["get"])
            if self._seconds and served == self._seconds[-1][0]:
                continue
            if not family and served:
                every = psutil.Process().children(recursive=True)
                family = [child for child in every if child.pid != self._server.process.pid]
            used = 0.0
            for process in family:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    used += times.user + times.system
            self._seconds.append((served, used))

    def __enter__(self) -> CpuCount:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def per_cpu_s(self) -> float:
        """Of the whole seconds: neither the one in which the load began, nor the one in which it ended."""
        whole = [second for second in self._seconds if second[1] > 0][1:-1]
        if len(whole) < 2 or whole[-1][1] <= whole[0][1]:
            return 0.0
        return (whole[-1][0] - whole[0][0]) / (whole[-1][1] - whole[0][1])


def figures(requests: int, seconds: float, failures: int, histogram: str, max_us: int) -> Figures:
    whole = decode(histogram)
    at = whole.get_value_at_percentile
    return Figures((requests - failures) / seconds, int(at(99)), int(at(99.9)), max_us, failures)


def from_file(path: Path) -> Figures:
    """Figures that `stock_file` or `engine_alone` wrote."""
    content: dict[str, Any] = json.loads(path.read_text())
    return figures(
        content["requests"], content["seconds"], content["failures"], content["histogram"], content["max_us"]
    )


def from_summary(folder: Path) -> Figures:
    """Figures in the program's own ``_summary.json``."""
    content: dict[str, Any] = json.loads(next(folder.glob(f"*{SCENARIO}_summary.json")).read_text())
    return figures(
        content["requests"], content["duration_s"], content["failures"], content["histograms"]["all"], content["max_us"]
    )


def stock(server: Server, seconds: float, folder: Path, locustfile: str = "plain_file", user: str = "Fast") -> Figures:
    """The stock command."""
    registry = folder / "keys.json"
    registry.write_text(json.dumps(KEYS))
    out = folder / "stock.json"
    server.seed(KEYS)
    environment = {
        **os.environ,
        "BENCH_API_KEY": KEY.decode(),
        "BENCH_KEY_REGISTRY_FILE": str(registry),
        "BENCH_NAMESPACES": "bench-small-000",
        "OBSERVER_OUT": str(out),
    }
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        f"tests/benchmarks/{locustfile}.py",
        "--headless",
        "--only-summary",
    ]
    command += ["--host", server.url, "-u", str(USERS), "-r", str(USERS), "-t", f"{seconds:g}s", user]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=seconds + 60)
    return from_file(out)


def engine(server: Server, seconds: float, folder: Path) -> Figures:
    """Our engine alone."""
    registry = folder / "keys.json"
    registry.write_text(json.dumps(KEYS))
    out = folder / "engine.json"
    server.seed(KEYS)
    command = [sys.executable, "-m", "tests.benchmarks.engine_alone", server.url, f"{seconds:g}", str(USERS)]
    subprocess.run([*command, str(out), str(registry)], cwd=ROOT, check=True, capture_output=True, timeout=seconds + 60)
    return from_file(out)


def program(server: Server, seconds: float, folder: Path, *more: str) -> list[str]:
    """The command line of the whole program against one node."""
    return [
        *(sys.executable, "-m", "confman_tui", "--host", server.url, "--nodes", server.url),
        *("--duration", f"{seconds:g}", "--output-dir", str(folder), *FLAGS, *more),
    ]


def headless(server: Server, seconds: float, folder: Path, *more: str) -> Figures:
    """The whole program without a screen."""
    command = program(server, seconds, folder, "--headless", "--scenario", SCENARIO, *more)
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=seconds + 120)
    return from_summary(folder)


def screen(server: Server, seconds: float, folder: Path, *more: str, size: tuple[int, int] = SIZE) -> Figures:
    """The whole program in a pseudo-terminal: the scenario's key, its summary, then quit."""
    with in_terminal(program(server, seconds, folder, *more), size) as (terminal, process):
        counted = -1

        def seeded_and_quiet() -> bool:
            nonlocal counted
            # different keys, since the program's probe goes on writing one
            before, counted = counted, int(server.control()["keys"])
            return counted == before and counted >= 100

        wait(seeded_and_quiet, terminal, process, 60, every_s=0.5)
        os.write(terminal, SCENARIO_KEY)
        # looked for rarely: looking costs the load something too
        wait(lambda: any(folder.glob(f"*{SCENARIO}_summary.json")), terminal, process, seconds + 60, every_s=1.0)
        os.write(terminal, b"q")
        asked = time.monotonic()

        def left() -> bool:
            # the files may be there before the screen knows that the run is over: then it asks
            if process.poll() is None and time.monotonic() - asked > 2:
                with contextlib.suppress(OSError):
                    os.write(terminal, b"y")
            return process.poll() is not None

        wait(left, terminal, process, 20, every_s=0.5)
    return from_summary(folder)


@contextlib.contextmanager
def in_terminal(
    command: list[str], size: tuple[int, int] = SIZE, environment: Mapping[str, str] = os.environ
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run it as a person's terminal does; gives the other end of the pseudo-terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    environment = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield ours, process
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def wait(
    condition: Callable[[], bool], terminal: int, process: subprocess.Popen[bytes], seconds: float, *, every_s: float
) -> None:
    """Wait for a condition, reading what the program draws meanwhile, as a terminal would."""
    deadline = time.monotonic() + seconds
    due = 0.0
    while True:
        if time.monotonic() >= due:
            if condition():
                return
            due = time.monotonic() + every_s
        if time.monotonic() > deadline:
            raise TimeoutError(f"the program did not get there within {seconds:g} s (exit: {process.poll()})")
        if select.select([terminal], [], [], max(0.0, due - time.monotonic()))[0]:
            with contextlib.suppress(OSError):
                os.read(terminal, 65536)


SIDES: dict[str, Callable[[Server, float, Path], Figures]] = {
    "stock": stock,
    "requests": partial(stock, user="Requests"),
    "same": partial(stock, locustfile="stock_file", user="ReadUser"),
    "engine": engine,
    "quiet": lambda server, seconds, folder: headless(server, seconds, folder, "--poll", "10s", "--probe", "0"),
    "headless": headless,
    "screen": screen,
    "wide": partial(screen, size=WIDE),
    "workers1": lambda server, seconds, folder: screen(server, seconds, folder, "--workers", "1"),
    "workers2": lambda server, seconds, folder: screen(server, seconds, folder, "--workers", "2"),
}


def measure(delay_ms: float, sides: list[str], repeat: int, seconds: float) -> dict[str, list[Figures]]:
    """Every side once per repetition, in an order that moves on each time."""
    found: dict[str, list[Figures]] = {side: [] for side in sides}
    for number in range(repeat):
        for side in sides[number % len(sides) :] + sides[: number % len(sides)]:
            with Server(delay_ms) as server, tempfile.TemporaryDirectory() as folder:
                with CpuCount(server) as cpu:
                    result = SIDES[side](server, seconds, Path(folder))
                result = replace(result, per_cpu_s=cpu.per_cpu_s)
            found[side].append(result)
            print(
                f"  {number + 1}/{repeat} {side:9s} {result.rps:8.0f} req/s  p99 {result.p99_us / 1000:7.2f}  "
                f"p99.9 {result.p999_us / 1000:7.2f}  max {result.max_us / 1000:7.2f} ms  failures {result.failures}  "
                f"{result.per_cpu_s:.0f} per CPU s",
                flush=True,
            )
    return found


def report(delay_ms: float, found: dict[str, list[Figures]]) -> bool:
    """Print the ratios, each repetition's and their median; True when all targets are reached."""
    good = True
    print(f"\nRatios to the stock command, server that takes {delay_ms:g} ms: median (each repetition)")
    for side, results in found.items():
        if side == "stock":
            continue
        ratios = [result.against(base) for result, base in zip(results, found["stock"], strict=True)]
        cells = []
        for name in ("rps", "p99", "p99.9", "max", "req/cpu"):
            values = [ratio[name] for ratio in ratios]
            median = statistics.median(values)
            sign, bar = TARGETS.get(side, {}).get(delay_ms, {}).get(name, ("", 0.0))
            reached = not sign or (median >= bar if sign == ">=" else median <= bar)
            good &= reached
            cells.append(
                f"{name} {median:.2f} ({' '.join(f'{value:.2f}' for value in values)})"
                + ("" if not sign else f" {'ok' if reached else 'MISSED'} {sign} {bar}")
            )
        print(f"  {side:9s} " + " | ".join(cells))
    for what, side, base, sign, bar in (
        ("requests/s against a plain HttpUser", "screen", "requests", ">=", 4.0),
        ("requests/s with polling and probing against without", "headless", "quiet", ">=", 0.97),
    ):
        if delay_ms == 0 and side in found and base in found:
            each = [one.rps / other.rps for one, other in zip(found[side], found[base], strict=True)]
            median = statistics.median(each)
            good &= median >= bar
            listed = " ".join(f"{value:.2f}" for value in each)
            print(f"  {what}: {median:.2f} ({listed}) {'ok' if median >= bar else 'MISSED'} {sign} {bar}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--delays", default="0,6", help="milliseconds that the server takes, separated by commas")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--flags", default="", help="further arguments of the program, in one word")
    arguments = parser.parse_args()
    FLAGS[:] = arguments.flags.split()
    sides = arguments.sides.split(",")
    if "stock" not in sides or not set(sides) <= set(SIDES):
        parser.error(f"--sides must hold stock and may hold {', '.join(SIDES)}")
    good = True
    for delay in (float(text) for text in arguments.delays.split(",")):
        print(
            f"\nServer that takes {delay:g} ms, {arguments.repeat} repetitions of {arguments.seconds:g} s", flush=True
        )
        print(f"  load of this machine in the last minute: {os.getloadavg()[0]:.1f} (other work spoils the figures)")
        good &= report(delay, measure(delay, sides, arguments.repeat, arguments.seconds))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
