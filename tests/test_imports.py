"""What an import brings in at run time, and what tests import; which module of the package may import which is
import-linter's (``pyproject.toml``)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "confman_tui"
BESIDE_THE_PACKAGE = {"program", "real"}
"""Folders of tests that mirror no folder of the package."""


IN_A_TEXT = re.compile(r"\b(?:from|import) (tests\.[\w.]+)")


def test_a_headless_run_loads_no_screen() -> None:
    """Importing the session must not bring the screen's packages in: CI machines may lack a terminal. Nor those of
    httpx's own command line, which take as long as httpx."""
    heavy = ("textual", "plotext", "rich", "pygments")
    code = f"import sys, confman_tui.headless; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def imported(path: Path) -> Iterator[str]:
    """The modules that this file names in its imports, those inside functions and in the texts of programs too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (found[1] for found in IN_A_TEXT.finditer(node.value))


def test_no_test_imports_another() -> None:
    """What tests share stands in tests/support, which itself needs none of them."""
    wrong = []
    for path in TESTS.rglob("*.py"):
        folder = path.relative_to(TESTS).parts[0]
        allowed = ("tests.support", *(["tests.benchmarks"] if folder == "benchmarks" else []))
        for name in imported(path):
            if name.partition(".")[0] == "tests" and not f"{name}.".startswith(tuple(f"{one}." for one in allowed)):
                wrong.append(f"{path.relative_to(TESTS)} imports {name}")
    assert wrong == []


def test_tests_mirror_the_package() -> None:
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    assert len(folders) > 10
    assert {str(one) for one in folders if one.parts[:1] and not (PACKAGE / one).is_dir()} == BESIDE_THE_PACKAGE
