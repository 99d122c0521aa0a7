"""What holds for the whole suite."""

from __future__ import annotations

import _socket
import socket

import pysyncobj  # noqa: F401 - for what it does to the socket module, which is undone below
import pytest

# PySyncObj puts a function that works on Windows only in the place of `socket.inet_ntop`, in whatever process imports
# it. In the program only the demo's nodes do; here the program under test runs beside tests of the nodes' parts.
socket.inet_ntop = _socket.inet_ntop


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The tests marked real share one cluster, so they run one after another, whatever ``-n`` the settings say."""
    if config.option.markexpr == "real":
        config.option.numprocesses = 0
        config.option.dist = "no"
