"""On what a result was measured: versions and machine."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from confman_tui import __version__

_PACKAGES = ("locust", "geventhttpclient", "gevent", "textual", "httpx")


def versions() -> dict[str, str]:
    """Versions of the program, of Python and of the packages that a figure may depend on."""
    told = {"confman-tui": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            told[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            told[name] = "not installed"
    told["platform"] = platform.platform()
    return told


def machine() -> dict[str, Any]:
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
