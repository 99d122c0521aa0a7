"""What a cluster holds of this program's data, in words."""

from __future__ import annotations

from confman_tui.cluster.removal import Survey


def in_use(survey: Survey) -> list[str]:
    """A line for each tier that another program uses: which, by whom, and the namespaces."""
    lines = []
    for used in survey.used:
        count = len(used.namespaces)
        some = "1 namespace" if count == 1 else f"{count} namespaces"
        names = f" ({', '.join(used.namespaces)})" if used.namespaces else ""
        word = "in use" if used.owner.here else "claimed from another machine, in use or not"
        lines.append(f"tier {used.tier}: {some} {word}, by {used.owner}{names}")
    return lines


def nothing_to_remove(survey: Survey, tier: str | None) -> str:
    """Why there is nothing to remove, with what was seen. ``tier``: the only one that was asked for; None: all."""
    of = f" of tier {tier}" if tier is not None else ""
    if any(used.namespaces for used in survey.used):
        return f"nothing to remove: all that the cluster holds of confman-tui{of} is in use"
    count = survey.namespaces
    held = "no namespace at all" if not count else "1 namespace" if count == 1 else f"{count} namespaces"
    return f"nothing to remove: the cluster holds {held}" + (f", none of confman-tui's{of}" if count else "")
