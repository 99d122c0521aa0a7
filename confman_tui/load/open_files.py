"""File descriptors: each user holds a connection to each node that it was sent to, and a process has only so many."""

from __future__ import annotations

import resource

from confman_tui.core.errors import UsageError

RESERVE = 256
"""What a process that makes load has open beside the connections of its users."""


def allow(users: int, nodes: int, processes: int = 1) -> None:
    """Raise this process's soft limit to what a run needs; processes that it starts from then on inherit it.

    Args:
        users: of the whole run.
        nodes: how many nodes a user may have a connection to.
        processes: how many share the users.

    Raises:
        UsageError: even one connection for each user is more than the hard limit allows.
    """
    each = -(-users // max(processes, 1))
    least, wanted = each + RESERVE, each * max(nodes, 1) + RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and least > hard:
        where = "each worker" if processes > 1 else "one process"
        raise UsageError(
            f"{users:,} users need {least:,} open files in {where}, and this system allows {hard:,} (ulimit -Hn): at "
            f"most {max(hard - RESERVE, 0):,} users in a process are possible"
        )
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        # some systems have a limit of their own below the hard one
        if soft < least:
            raise UsageError(
                f"{users:,} users need {least:,} open files, and this system refuses more than {soft:,}"
            ) from None
