"""On what and how a result was measured: versions, machine, cluster and settings."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from confman_tui import __version__
from confman_tui.settings import Settings

_PACKAGES = ("locust", "geventhttpclient", "gevent", "textual", "httpx")


def circumstances(settings: Settings, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of results holds of them beside the figures."""
    return {
        "version": __version__,
        "cluster": cluster_document(cluster),
        "settings": settings.public(),
        "versions": _versions(),
        "machine": _machine(),
    }


def cluster_document(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The cluster that was measured; None for what is not known of it. ``insecure`` only where any certificate of a
    node was taken."""
    known = {name: cluster.get(name) for name in ("nodes", "leader", "term")}
    return {**known, "insecure": True} if cluster.get("insecure") is True else known


def _versions() -> dict[str, str]:
    """Versions of the program, of Python and of the packages that a figure may depend on."""
    found = {"confman-tui": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    found["platform"] = platform.platform()
    return found


def _machine() -> dict[str, Any]:
    """Processor, memory (in bytes) and kernel. No host name: results get passed on."""
    return {
        "cpu_count": os.cpu_count(),
        "cpu_usable": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None,
        "cpu_model": _cpu_model(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
    }


@cache
def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or "unknown"
