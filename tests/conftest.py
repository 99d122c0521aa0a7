"""What holds for the whole suite."""

from __future__ import annotations

import _socket
import socket
from pathlib import Path

import pysyncobj  # noqa: F401 - for what it does to the socket module, which is undone below
import pytest

PROGRAMS = Path(__file__).parent / "program"

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
    """Those that wait for whole programs come first: at the end no process waits for a long test of another."""
    items.sort(key=lambda item: not item.path.is_relative_to(PROGRAMS))
