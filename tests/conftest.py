"""What holds for the whole suite."""

from __future__ import annotations

import _socket
import socket
from itertools import chain, groupby
from math import ceil
from pathlib import Path

import pysyncobj  # noqa: F401 - for what it does to the socket module, which is undone below
import pytest

PROGRAMS = Path(__file__).parent / "program"
PROGRAMS_WITHIN = 2 / 3
"""Share of the other modules between which the programs' are placed."""

# PySyncObj puts a function that works on Windows only in the place of `socket.inet_ntop`, in whatever process imports
# it. In the program only the demo's nodes do; here the program under test runs beside tests of the nodes' parts.
socket.inet_ntop = _socket.inet_ntop


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The tests marked real share one cluster, so they run one after another, whatever ``-n`` the settings say."""
    if config.option.markexpr == "real":
        config.option.numprocesses = 0
        config.option.dist = "no"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole programs, which wait a lot, go between the tests that only compute, so that there is work for every core
    all the time. The last third has none: at the end no process waits for a long test of another."""
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    programs = [tests for tests in modules if tests[0].path.is_relative_to(PROGRAMS)]
    others = [tests for tests in modules if tests not in programs]
    ordered: list[pytest.Item] = []
    placed = 0
    for number, tests in enumerate(others, 1):
        due = ceil(len(programs) * min(1.0, number / len(others) / PROGRAMS_WITHIN))
        ordered.extend(chain.from_iterable([*programs[placed:due], tests]))
        placed = due
    items[:] = ordered if others else items
