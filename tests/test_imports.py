"""The borders of the house: who may import what, read from the source of each module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "confman_tui"

ONLY_IN = {
    "httpx": "cluster",
    "httpcore": "cluster",
    "locust": "load",
    "gevent": "load",
    "geventhttpclient": "load",
    "starlette": "demo",
    "uvicorn": "demo",
    "pysyncobj": "demo",
    "textual": "tui",
    "plotext": "tui",
}
"""Third-party packages that only one room may import."""

MAY_IMPORT = {
    "cluster": {"cluster"},
    "load": {"load", "cluster"},
    "record": {"record", "load", "cluster", "settings"},
    "demo": {"demo", "cluster"},
    "tui": {"tui", "cluster", "load", "record"},
}
"""Which rooms a room may import; modules outside the rooms are judged in TOP_OF_THE_HOUSE."""

GROUND = {"children", "clock", "errors", "loop", "paths", ""}
"""Top-level modules that every room may import (the empty one is the package itself, for its version)."""

FACES_ONLY = {"events", "commands"}
"""Top-level modules that the front ends and the session share, besides the ground."""


def imports(path: Path) -> Iterator[str]:
    """Every module that a source file names in an import, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_to_its_room(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    room = relative.parts[0] if len(relative.parts) > 1 else ""
    for name in imports(path):
        parts = name.split(".")
        owner = ONLY_IN.get(parts[0])
        assert owner is None or owner == room, f"{relative} imports {name}: only {owner}/ may"
        if parts[0] != "confman_tui" or room not in MAY_IMPORT:
            continue
        other = parts[1] if len(parts) > 1 else ""
        allowed = MAY_IMPORT[room] | GROUND | (FACES_ONLY if room == "tui" else set())
        assert other in allowed, f"{relative} imports {name}: {room}/ may import {sorted(allowed)}"


def test_the_faces_do_not_know_each_other() -> None:
    assert not any("tui" in name.split(".") for name in imports(PACKAGE / "headless.py"))
    for path in (PACKAGE / "tui").rglob("*.py"):
        assert not any(
            name.startswith(("confman_tui.headless", "confman_tui.session.session")) for name in imports(path)
        )


def test_a_headless_run_loads_no_screen() -> None:
    """Importing the session must not bring the screen's packages in: CI machines may lack a terminal."""
    code = "import sys, confman_tui.headless; print([m for m in ('textual', 'plotext') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_rooms_are_not_empty() -> None:
    """The parametrised test above must look at real modules of each room."""
    for room in MAY_IMPORT:
        assert [path for path in MODULES if path.parent.name == room and path.name != "__init__.py"], room
