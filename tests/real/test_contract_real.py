"""A real Confman still answers as it did when it was recorded: what the demo cluster is held to is not out of date."""

from __future__ import annotations

import pytest

from tests.demo.client import ask
from tests.demo.recorded import load, replayed
from tests.real.cluster import NODES, RealCluster

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


def test_every_recorded_case_on_leader_and_follower(cluster: RealCluster) -> None:
    leader = cluster.wait_agreed()
    follower = next(url for url in NODES if url != leader)
    recording = load("answers.json")
    term = ask(leader, "GET", "/health/ready", headers={}).json["cluster"]["term"]
    for case in recording["cases"]:
        # how many elections there were is the cluster's own history
        for role in ("leader", "follower"):
            case[role]["body"] = case[role]["body"].replace('"term":1}', f'"term":{term}}}')
    wrong = replayed(recording, leader, follower)
    assert len(recording["cases"]) == 60
    assert not wrong, "\n".join(wrong)
