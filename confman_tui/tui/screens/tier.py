"""Which tier to seed."""

from __future__ import annotations

from confman_tui.settings.tiers import TIERS, Tier
from confman_tui.tui import numbers
from confman_tui.tui.screens.choice import ChoiceDialog


class TierDialog(ChoiceDialog[str]):
    """Gives the tier's name."""

    def __init__(self, present: str) -> None:
        names = list(TIERS)
        super().__init__(
            "tier",
            "Another tier's data is seeded after the present one's has been removed.",
            tuple((_words(tier, present), tier.name) for tier in TIERS.values()),
            names.index(present) if present in names else 0,
        )


def _words(tier: Tier, present: str) -> str:
    keys = numbers.count(tier.keys)
    mark = " · in use" if tier.name == present else ""
    return f"{tier.name:<8}{tier.namespaces:>3} namespaces × {tier.keys_per_namespace:>3} keys = {keys:>6} keys{mark}"
