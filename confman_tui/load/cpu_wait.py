"""How long a thread was ready to run but had no core: on a busy machine its CPU share alone does not show it."""

from __future__ import annotations

from pathlib import Path


def waited_s(thread: int) -> float | None:
    """Seconds since a thread of this process began in which it waited for a core; None where the system does not say.

    From the scheduler's own count, in ns: running, then waiting to run (Linux, ``Documentation/scheduler``).

    Args:
        thread: the system's number of the thread (`threading.get_native_id`).
    """
    try:
        fields = Path(f"/proc/self/task/{thread}/schedstat").read_text(encoding="ascii").split()
        return int(fields[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
