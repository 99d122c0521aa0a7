"""Takes the README's pictures anew: the real program on a pseudo-terminal of 120×40, on the demo cluster.

``python -m tests.readme_pictures [FOLDER]``, from the repository's folder, takes about three minutes; without a folder
they go to ``.github``. Look at them before you commit them. Nothing is drawn by hand: keys are pressed, and the
program's own picture key saves what is on its screen.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

from tests.support.terminal import TerminalProgram
from tests.support.waiting import wait_for

DEMO = ["--demo", "--demo-ports", "16100,16200,16300", "--rounds", "3"]
PICTURE_KEY = "\x1bOQ"
"""F2, as a terminal sends it."""
ESCAPE = "\x1b"


def picture(screen: TerminalProgram, target: Path) -> None:
    """Press the picture's key and move what it saved to ``target``."""
    results = screen.home / "results"
    time.sleep(1.0)  # graphs come from a process of their own
    before = set(results.glob("screen-*.svg"))
    screen.press(PICTURE_KEY)
    (saved,) = wait_for(lambda: set(results.glob("screen-*.svg")) - before, screen.said)
    wait_for(lambda: saved.read_text().rstrip().endswith("</svg>"), "the whole picture")
    target.write_text(saved.read_text(), encoding="utf-8")
    print(target)


def seconds_of(path: Path) -> list[dict[str, str]]:
    """The rows of a timeline that is being written, a row a second."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def leaders(path: Path) -> set[str]:
    """All nodes that led in a second of the run so far."""
    return {row["leader"] for row in seconds_of(path)} - {""}


def no_quorum(screen: TerminalProgram, target: Path) -> None:
    """Ten users write; the leader is killed, and then its successor: one node of three is left."""
    timeline = screen.home / "results" / "small-write-10u_timeline.csv.part"
    screen.wait_idle()
    screen.press("2")
    wait_for(lambda: len(seconds_of(timeline)) >= 8, "eight seconds of load")
    screen.press("k")
    wait_for(lambda: len(leaders(timeline)) == 2, "a second leader")
    killed_after = len(seconds_of(timeline)) + 8
    wait_for(lambda: len(seconds_of(timeline)) >= killed_after, "eight seconds with it")
    screen.press("k")
    screen.wait_shows("majority")  # it asks before it takes the majority away
    screen.press("y")
    wait_for(lambda: len(seconds_of(timeline)) >= killed_after + 8, "eight seconds without a quorum")
    screen.press("+")  # to what happened
    picture(screen, target)


def drill(screen: TerminalProgram, target: Path) -> None:
    """Three rounds of the drill with a killed leader; the picture is of its end, when the screen shows all of it."""
    screen.wait_idle()
    screen.press("e")
    screen.wait_shows("start the drill")  # it asks for fault and rounds
    screen.press("\r")
    rounds = screen.home / "results" / "small-drill.json"
    wait_for(rounds.exists, screen.said, deadline_s=180.0)
    screen.wait_shows("rounds judged")
    time.sleep(1.0)
    screen.press(ESCAPE)  # closes the dialog with the rounds, which opens by itself
    time.sleep(1.0)  # else the next key and this one would be read as one
    picture(screen, target)


def main() -> None:
    """Take all of them."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".github")
    for name, take, more in (("no-quorum", no_quorum, ["--duration", "60"]), ("drill", drill, [])):
        with tempfile.TemporaryDirectory() as home:
            screen = TerminalProgram([*DEMO, *more], Path(home))
            try:
                take(screen, folder / f"{name}.svg")
                screen.press("qq")
                screen.wait_end()
            finally:
                screen.end()


if __name__ == "__main__":
    main()
