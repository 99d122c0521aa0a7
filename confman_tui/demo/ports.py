"""The nodes' HTTP ports: the usual ones, given ones, or free ones."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from confman_tui.core.errors import UsageError

HOST = "127.0.0.1"
FIRST_PORT = 6100
PORT_STEP = 100


def choose(nodes: int, ports: Sequence[int] | Literal["auto"] | None) -> tuple[int, ...]:
    """A port for each node: 6100, 6200 and so on for None, free ones for "auto". Raises UsageError."""
    if ports is None:
        return tuple(FIRST_PORT + PORT_STEP * number for number in range(nodes))
    if ports == "auto":
        return _free_ports(nodes)
    given = tuple(int(port) for port in ports)
    if len(given) != nodes:
        raise UsageError(f"--demo-ports names {len(given)} ports for {nodes} nodes; name one for each node, or auto.")
    for port in given:
        if not 1 <= port <= 65535:
            raise UsageError(f"--demo-ports: {port} is not a port; ports go from 1 to 65535.")
        if given.count(port) > 1:
            raise UsageError(f"--demo-ports names {port} twice; each node needs a port of its own.")
    return given


def _free_ports(count: int) -> tuple[int, ...]:
    """Free ports outside the range from which the kernel takes clients' ports.

    Inside it a client could take a killed node's port, or, asking for a dead node, even connect to itself.
    """
    low = 32768
    with contextlib.suppress(OSError, ValueError):
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = list(range(10_000, low)) if low > 11_000 else list(range(20_000, 32_000))
    random.shuffle(candidates)
    found: list[int] = []
    for port in candidates:
        with contextlib.suppress(UsageError):
            check_free(port)
            found.append(port)
        if len(found) == count:
            return tuple(found)
    raise UsageError(f"The demo cluster finds no {count} free ports on {HOST}; name them with --demo-ports.")


def check_free(port: int) -> None:
    """Raises UsageError when nothing can listen on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise taken(port, error.strerror) from None


def taken(port: int | str, why: str | None) -> UsageError:
    """The sentence for a port that can't be had."""
    return UsageError(
        f"Port {port} on {HOST} can't be used for the demo cluster ({why}); "
        "use --demo-ports auto, or name free ports with --demo-ports."
    )
