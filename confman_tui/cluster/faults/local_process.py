"""Which process listens on a node's port, and how it may be shown."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from confman_tui.cluster.addresses import host_of, is_loopback, port_of
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.http_failures import plain

WILDCARDS = frozenset({"0.0.0.0", "::", ""})
"""A socket bound to one of these listens at every address of the machine."""
_LOCALHOST = frozenset({"127.0.0.1", "::1"})
_SHOWN = 160
_SECRET_NAME = r"[\w.:-]*(?:key|token|secret|passw|pwd|credential|auth)[\w.:-]*"
_SECRET_PAIR = re.compile(rf"(?i)^((?:--?|/)?{_SECRET_NAME}\s*[=:]\s*)(.+)$", re.DOTALL)
_SECRET_OPTION = re.compile(rf"(?i)^(?:--?|/){_SECRET_NAME}$")
_USER_IN_URL = re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^/@\s]+@")
_OWN_KEY = re.compile(r"confman_[A-Za-z0-9]+_\w+")
_HIDDEN = "…"


def shown_command(arguments: Sequence[str]) -> str:
    """A command line on one line, short, with everything hidden that may be a secret: values of options and settings
    that are named like one, users in URLs, Confman's API keys."""
    shown: list[str] = []
    hide_next = False
    for argument in arguments:
        if hide_next and not argument.startswith("-"):
            shown.append(_HIDDEN)
            hide_next = False
            continue
        hide_next = _SECRET_OPTION.match(argument) is not None
        text = _SECRET_PAIR.sub(lambda found: found[1] + _HIDDEN, argument)
        text = _USER_IN_URL.sub(lambda found: found[1] + _HIDDEN + "@", text)
        shown.append(_OWN_KEY.sub(_HIDDEN, text))
    return plain(" ".join(shown), _SHOWN)


@dataclass(frozen=True, slots=True)
class Listener:
    """The process that listens on a node's port."""

    pid: int
    created: float
    """psutil's creation time; with the pid it names a process for good."""
    command: str
    """For people: see `shown_command`."""

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal if this very process still lives; False when it is gone."""
        try:
            if hasattr(os, "pidfd_open"):
                # From here on the descriptor means one process, whatever becomes of the pid.
                handle = os.pidfd_open(self.pid)
                try:
                    if not self._alive():
                        return False
                    signal.pidfd_send_signal(handle, number)
                finally:
                    os.close(handle)
            else:
                if not self._alive():
                    return False
                os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError as error:
            raise FaultRefusedError(f"the system does not allow a signal to pid {self.pid}") from error
        return True

    def _alive(self) -> bool:
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created) < 0.02 and process.status() != psutil.STATUS_ZOMBIE
        return False


def _addresses(node: str) -> frozenset[str]:
    host = host_of(node)
    return _LOCALHOST if host == "localhost" else frozenset({host})


def listening() -> list[tuple[str, int, int | None]]:
    """(address, port, pid) of every listening TCP socket; pid None where the system does not show it, as with another
    user's process. Walks all sockets and processes: some ms to some hundred ms."""
    found: list[tuple[str, int, int | None]] = []
    try:
        for one in psutil.net_connections(kind="tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr:
                found.append((one.laddr.ip, one.laddr.port, one.pid))
        return found
    except psutil.AccessDenied:
        pass  # macOS shows all sockets to root only; one's own processes it shows to everybody
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            for own in process.net_connections(kind="tcp"):
                if own.status == psutil.CONN_LISTEN and own.laddr:
                    found.append((own.laddr.ip, own.laddr.port, process.pid))
    return found


def _listening(port: int) -> list[tuple[str, int | None]]:
    """(address, pid) of every socket that listens on that port."""
    return [(address, pid) for address, at, pid in listening() if at == port]


def find_listener(node: str) -> Listener:
    """The one process of this user that listens on the node's port.

    Raises:
        FaultRefusedError: the node is not on loopback; nobody listens; another user does, or several processes, or
            this program, or one of those that started it.
    """
    port = port_of(node)
    if not is_loopback(node):
        raise FaultRefusedError(f"{node} is not on this machine's loopback, and faults stay on this machine")
    sockets = _listening(port)
    exact = [pid for address, pid in sockets if plain_ip(address) in _addresses(node)]
    pids = set(exact or [pid for address, pid in sockets if address in WILDCARDS])
    if not pids:
        if not sockets and accepts(node):
            raise FaultRefusedError(f"the process that listens on port {port} belongs to another user")
        raise FaultRefusedError(f"no process listens on port {port}")
    if None in pids:
        raise FaultRefusedError(f"the process that listens on port {port} belongs to another user")
    for pid in tuple(pids):
        pids |= _relatives_listening(pid, port)
    if len(pids) > 1:
        several = ", ".join(str(pid) for pid in sorted(pid for pid in pids if pid is not None))
        raise FaultRefusedError(f"several processes listen on port {port} (pid {several}): which is the node is unsure")
    (pid,) = pids
    assert pid is not None
    return _checked(pid, port)


def _relatives_listening(pid: int | None, port: int) -> set[int | None]:
    """Parents and children that share the listening socket: the table of sockets names only one process of each."""
    found: set[int | None] = set()
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for relative in (*process.parents(), *process.children(recursive=True)):
            with suppress(psutil.Error):
                if any(
                    one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
                    for one in relative.net_connections(kind="tcp")
                ):
                    found.add(relative.pid)
    return found


def _checked(pid: int, port: int) -> Listener:
    try:
        process = psutil.Process(pid)
        if hasattr(os, "getuid") and process.uids().real != os.getuid():
            raise FaultRefusedError(
                f"the process that listens on port {port} (pid {pid}) belongs to another user ({process.username()})"
            )
        if pid == os.getpid():
            raise FaultRefusedError(f"this program itself listens on port {port}")
        if pid in {parent.pid for parent in psutil.Process().parents()} or pid == 1:
            raise FaultRefusedError(f"this program was started by the process that listens on port {port} (pid {pid})")
        return Listener(pid, process.create_time(), shown_command(process.cmdline() or [process.name()]))
    except psutil.NoSuchProcess as error:
        raise FaultRefusedError(f"the process that listened on port {port} has just ended") from error
    except psutil.AccessDenied as error:
        raise FaultRefusedError(
            f"the process that listens on port {port} (pid {pid}) can't be looked at: it belongs to another user"
        ) from error


def plain_ip(address: str) -> str:
    """An IPv4 address without the prefix that an IPv6 socket gives it."""
    return address.removeprefix("::ffff:")


def accepts(node: str) -> bool:
    """Whether anybody, of whichever user, takes connections at the node's address."""
    try:
        with socket.create_connection((host_of(node), port_of(node)), timeout=0.5):
            return True
    except OSError:
        return False
