"""The tiers' sizes, and whose a namespace is."""

from __future__ import annotations

import pytest

from confman_tui.settings.tiers import TIERS, is_of_tier, is_ours, namespaces_of, owner_namespace


def test_the_tiers_are_those_of_the_suite() -> None:
    assert {name: (tier.namespaces, tier.keys_per_namespace) for name, tier in TIERS.items()} == {
        "small": (5, 20),
        "large": (20, 50),
        "xlarge": (20, 500),
    }
    assert namespaces_of(TIERS["small"])[0] == "bench-small-000"
    assert len(namespaces_of(TIERS["xlarge"])) == 20


@pytest.mark.parametrize("name", ["bench-small-000", "bench-xlarge-019", "bench-large-owner", "bench-probe"])
def test_our_namespaces_are_known_by_their_whole_name(name: str) -> None:
    assert is_ours(name)
    for other in (name + "0", "x" + name, name + "\n", name.upper(), name.replace("bench", "branch")):
        assert not is_ours(other)


@pytest.mark.parametrize("name", ["bench-mine", "bench-small-1", "bench-small-٠٠٠", "bench-tiny-000", "bench-", "prod"])
def test_others_namespaces_are_not_ours(name: str) -> None:
    assert not is_ours(name)


def test_a_namespace_belongs_to_one_tier() -> None:
    for name, tier in TIERS.items():
        for namespace in (*namespaces_of(tier), owner_namespace(name)):
            assert [known for known in TIERS if is_of_tier(namespace, known)] == [name]
