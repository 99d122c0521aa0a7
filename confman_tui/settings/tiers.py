"""The sizes of the benchmark's data and the names of its namespaces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PROBE_NAMESPACE: Final = "bench-probe"
"""The namespace of the probe's writes, and of nothing else."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A size of the seeded data."""

    name: str
    namespaces: int
    keys_per_namespace: int

    @property
    def keys(self) -> int:
        """Keys in all namespaces."""
        return self.namespaces * self.keys_per_namespace


TIERS: Final[Mapping[str, Tier]] = {
    tier.name: tier for tier in (Tier("small", 5, 20), Tier("large", 20, 50), Tier("xlarge", 20, 500))
}

_OURS = rf"(?a)bench-(?:{'|'.join(TIERS)})-(?:\d{{3}}|owner)|{PROBE_NAMESPACE}"


def is_ours(namespace: str) -> bool:
    """Whether this program makes namespaces of that name. ``bench-mine`` is somebody else's."""
    return re.fullmatch(_OURS, namespace) is not None


def is_of_tier(namespace: str, tier: str) -> bool:
    """Whether one of our namespaces belongs to that tier."""
    return namespace.startswith(f"bench-{tier}-")


def owner_namespace(tier: str) -> str:
    """The namespace in which the programs that use a tier say so."""
    return f"bench-{tier}-owner"


def namespaces_of(tier: Tier) -> tuple[str, ...]:
    """The namespaces of a tier's data."""
    return tuple(f"bench-{tier.name}-{number:03d}" for number in range(tier.namespaces))
