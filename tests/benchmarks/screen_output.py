"""Measures what the whole program writes to its terminal, in bytes per second, with everything moving.

``python -m tests.benchmarks.screen_output`` starts ``confman-tui --demo`` on free ports in a pseudo-terminal of 120×40
and of 200×50 cells, runs a scenario, kills the leader again and again, and counts what comes out of the terminal.
``--feed`` shows made-up events (`tests.support.chart_history`) through the same screen instead, without cluster and
load: for a machine on which a real run would be disturbed. The goal is 20,000 bytes per second (a line of 1 Mbit/s
carries six times that).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LIMIT_B_S = 20_000
SIZES = ((120, 40), (200, 50))
ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Terminal:
    """A program in a pseudo-terminal, and the bytes that it wrote in each second."""

    process: subprocess.Popen[bytes]
    master: int
    started: float
    seconds: dict[int, int] = field(default_factory=dict)
    tail: bytes = b""
    """The last bytes written: enough to look for a word in."""

    @classmethod
    def start(cls, command: Sequence[str], width: int, height: int, scratch: Path) -> Terminal:
        """Start the program with settings, results and state of its own."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONFMAN", "NO_COLOR"))}
        environment = kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment |= {
            f"XDG_{name}_HOME": str(scratch / name.lower()) for name in ("CONFIG", "STATE", "DATA", "CACHE")
        }
        environment["PYTHONPATH"] = str(ROOT)
        process = subprocess.Popen(
            list(command), stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=scratch, start_new_session=True
        )
        os.close(slave)
        return cls(process, master, time.monotonic())

    def read(self, seconds: float, until: Callable[[bytes], bool] | None = None) -> bool:
        """Take what it writes for so long, or until the tail shows something; False when it ended or it did not."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], left)
            if not ready:
                break
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                return False
            second = int(time.monotonic() - self.started)
            self.seconds[second] = self.seconds.get(second, 0) + len(data)
            self.tail = (self.tail + data)[-20_000:]
            if until is not None and until(self.tail):
                return True
        return until is None

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def clear(self) -> None:
        """Start counting anew."""
        self.started = time.monotonic()
        self.seconds.clear()

    def close(self) -> None:
        """End it as a closing terminal does, and see that it is gone."""
        family = [self.process.pid]
        with contextlib.suppress(psutil.Error):
            family += [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.1)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        deadline = time.monotonic() + 2
        while any(map(_runs, family)) and time.monotonic() < deadline:
            time.sleep(0.02)
        left = [pid for pid in family if _runs(pid)]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if left:
            print(f"  left behind and killed: {left}")


def _runs(pid: int) -> bool:
    """Whether a process still does something; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def measure_program(width: int, height: int, seconds: float, scratch: Path) -> dict[int, int]:
    """The real program on a real (demo) cluster: a scenario runs, and the leader is killed every fourteen seconds."""
    command = [sys.executable, "-m", "confman_tui", "--demo", "--demo-ports", "auto"]
    command += ["--duration", f"{seconds + 60:.0f}s", "--output-dir", str(scratch / "results")]
    terminal = Terminal.start(command, width, height, scratch)
    try:
        if not terminal.read(60, lambda tail: b"start a scenario" in tail or b"leads" in tail):
            raise SystemExit("the program did not come up: " + terminal.tail[-500:].decode(errors="replace"))
        terminal.read(6)
        terminal.press("5")
        terminal.read(8)
        terminal.clear()
        end = time.monotonic() + seconds
        seen = False
        while time.monotonic() < end:
            for key, wait_s in (("k", 8.0), ("r", 6.0)):
                terminal.press(key)
                terminal.read(min(wait_s, end - time.monotonic()))
                seen = seen or "⚑".encode() in terminal.tail
        if not seen:
            raise SystemExit("no fault was seen on the screen: nothing was measured")
        return dict(terminal.seconds)
    finally:
        terminal.close()


def measure_feed(width: int, height: int, seconds: float, scratch: Path) -> dict[int, int]:
    """The same screen over made-up events."""
    command = [sys.executable, "-m", "tests.benchmarks.fed_screen"]
    terminal = Terminal.start(command, width, height, scratch)
    try:
        terminal.read(8)
        terminal.clear()
        terminal.read(seconds)
        if terminal.process.poll() is not None:
            raise SystemExit("the screen ended: " + terminal.tail[-2000:].decode(errors="replace"))
        return dict(terminal.seconds)
    finally:
        terminal.close()


def main() -> int:
    """Measure, print a line per size, and fail when a mean is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feed", action="store_true", help="made-up events instead of a demo cluster under load")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT, again for more")
    options = parser.parse_args()
    sizes = [tuple(map(int, size.split("x"))) for size in options.size] if options.size else list(SIZES)
    worst = 0.0
    for width, height in sizes:
        with tempfile.TemporaryDirectory(prefix="screen-output-") as folder:
            measure = measure_feed if options.feed else measure_program
            per_second = measure(width, height, options.seconds, Path(folder))
        values = [per_second.get(second, 0) for second in range(int(options.seconds))]
        mean = statistics.fmean(values)
        cuts = statistics.quantiles(values, n=20)
        worst = max(worst, mean)
        print(
            f"{width}x{height}: mean {mean:,.0f} B/s  median {cuts[9]:,.0f}  p95 {cuts[18]:,.0f}  max {max(values):,}"
        )
    print(f"limit {LIMIT_B_S:,} B/s: {'kept' if worst <= LIMIT_B_S else 'BROKEN'}")
    return 0 if worst <= LIMIT_B_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
