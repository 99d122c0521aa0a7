"""What the nodes say and do around kills, pauses and isolation, as CONFMAN.md says of the real ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from confman_tui.cluster.faults.control import FaultRefusedError, NodeControl
from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import Answer, Health, ask, find_leader, health, leader_of, wait_agreed
from tests.support.waiting import DEADLINE_S, wait_for

ELECTION_MS = (300, 900)
PATH = "/api/v1/namespaces/faults/config/"


@pytest.fixture(scope="module")
def shared() -> Generator[DemoCluster]:
    with DemoCluster(ports="auto", election_timeout_ms=ELECTION_MS) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: DemoCluster) -> DemoCluster:
    """All nodes up, linked and agreed."""
    for url in shared.urls:
        if not shared.alive(url):
            shared.restart(url)
        shared.resume(url)
        shared.heal(url)
    wait_agreed(shared)
    return shared


def others(cluster: DemoCluster, *but: str) -> list[str]:
    return [url for url in cluster.urls if url not in but]


def put(url: str, key: str, timeout_s: float = 5.0) -> Answer:
    return ask(url, "PUT", PATH + key, {"value": "v"}, timeout_s=timeout_s)


class Watch:
    """Polls nodes in a thread and keeps every change of answer."""

    def __init__(self, *urls: str) -> None:
        self.seen: dict[str, list[Health]] = {url: [] for url in urls}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._poll, args=(url,), daemon=True) for url in urls]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _poll(self, url: str) -> None:
        while not self._stop.wait(0.01):
            now = health(url)
            if not self.seen[url] or self.seen[url][-1] != now:
                self.seen[url].append(now)


def test_it_is_a_node_control(cluster: DemoCluster) -> None:
    control: NodeControl = cluster
    url = cluster.urls[0]
    text = control.describe(url)
    assert str(cluster.pids[url]) in text
    assert "confman_tui.demo.node" in text
    assert "confman_dev" not in text


def test_a_killed_leader_is_named_until_the_election_and_replaced_in_a_higher_term(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    before = health(leader)
    followers = others(cluster, leader)
    with Watch(*followers) as watch:
        cluster.kill(leader)
        for url in followers:
            first = health(url)
            assert (first.status, first.leader) == (200, leader), "a follower goes on naming the dead leader"
        redirected = put(followers[0], "dead")
        assert redirected.status in (307, 503)
        new = leader_of(cluster)
        wait_agreed(cluster)
    assert new != leader
    assert health(new).term > before.term
    assert put(new, "after-kill").status == 200
    for url in followers:
        roles = {seen.role for seen in watch.seen[url]}
        assert roles <= {"leader", "follower"}
    cluster.restart(leader)
    wait_agreed(cluster)
    assert health(leader).leader == find_leader(cluster)


def test_a_write_is_taken_only_by_a_node_that_says_it_leads(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    cluster.kill(leader)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        for url in others(cluster, leader):
            status = put(url, "probe").status
            if status == 200:
                assert health(url).role == "leader"
                return
            assert status in (307, 503)
    pytest.fail("no write went through")


def test_an_isolated_leader_is_a_stale_leader_for_a_while_and_acknowledges_nothing(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    old_term = health(leader).term
    with Watch(leader) as watch:
        cluster.isolate(leader)
        answer = put(leader, "on-the-isolated")
        assert (answer.status, answer.json["title"]) == (503, "Replication failed")
        new = wait_for(
            lambda: next((url for url in others(cluster, leader) if health(url).role == "leader"), None),
            "another leads",
        )
        assert put(new, "on-the-new").status == 200
        read = ask(leader, "GET", PATH + "on-the-new")
        assert read.status == 404, "it is not sure of leading, waits, and then reads what it has"
        given_up = Health(503, "follower", None, old_term)
        wait_for(lambda: watch.seen[leader][-1] == given_up, "the isolated leader gives up, in its own term")
    assert Health(200, "leader", leader, old_term) in watch.seen[leader]
    refused = put(leader, "still-isolated")
    assert (refused.status, refused.json["title"]) == (503, "No leader available")
    assert ask(leader, "GET", PATH + "on-the-new").status == 404, "without a leader it reads what it has"
    new_term = health(new).term
    cluster.heal(leader)
    wait_agreed(cluster)
    assert health(new).term == new_term, "the healed node must not disturb the leader"
    assert ask(leader, "GET", PATH + "on-the-new").status == 200
    assert ask(leader, "GET", PATH + "on-the-isolated").status == 404


def test_an_isolated_follower_stays_in_its_term_and_comes_back(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    follower = others(cluster, leader)[0]
    term = health(leader).term
    cluster.isolate(follower)
    assert health(follower).leader == leader
    wait_for(lambda: health(follower).status == 503, "the isolated follower gives its leader up")
    assert put(leader, "meanwhile").status == 200
    cluster.heal(follower)
    wait_agreed(cluster)
    assert health(leader) == Health(200, "leader", leader, term)
    assert ask(follower, "GET", PATH + "meanwhile").status == 200


def test_a_paused_leader_is_replaced_and_follows_when_resumed(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    old_term = health(leader).term
    cluster.pause(leader)
    assert health(leader, 0.2).status == 0, "it accepts the connection and does not answer"
    with pytest.raises(TimeoutError):
        put(leader, "on-the-paused", timeout_s=0.3)
    new = wait_for(
        lambda: next((url for url in others(cluster, leader) if health(url).role == "leader"), None), "another leads"
    )
    assert put(new, "during-the-pause").status == 200
    cluster.resume(leader)
    wait_for(lambda: health(leader).leader == new, "the resumed node follows")
    assert health(leader).role == "follower"
    assert health(new).term > old_term
    assert ask(leader, "GET", PATH + "during-the-pause").status == 200


def test_a_resumed_follower_does_not_disturb_the_leader(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    follower = others(cluster, leader)[0]
    term = health(leader).term
    cluster.pause(follower)
    for number in range(20):
        assert put(leader, f"while-paused-{number}").status == 200
    # Longer than every election timeout, so that its own has long passed when it wakes.
    end = time.monotonic() + 2 * ELECTION_MS[1] / 1000
    wait_for(lambda: time.monotonic() > end, "the pause is over")
    cluster.resume(follower)
    wait_agreed(cluster)
    assert ask(follower, "GET", PATH + "while-paused-19").status == 200
    assert health(leader) == Health(200, "leader", leader, term)


def test_with_both_followers_paused_the_leader_gives_up_in_its_own_term(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    term = health(leader).term
    for url in others(cluster, leader):
        cluster.pause(url)
    wait_for(lambda: health(leader).status == 503, "no leader is known")
    # Longer than every election timeout: it asks before it stands, and nobody answers.
    end = time.monotonic() + 2 * ELECTION_MS[1] / 1000
    wait_for(lambda: time.monotonic() > end, "time for elections has passed")
    assert health(leader) == Health(503, "follower", None, term)
    for url in others(cluster, leader):
        cluster.resume(url)
    new = wait_agreed(cluster)
    assert health(new).term > term


def test_reads_on_a_follower_hold_what_was_acknowledged_before(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    follower = others(cluster, leader)[0]
    for number in range(200):
        assert put(leader, f"fresh-{number}").status == 200
        assert ask(follower, "GET", PATH + f"fresh-{number}").status == 200


def test_reads_go_on_without_a_leader(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    assert put(leader, "kept").status == 200
    for url in others(cluster, leader):
        cluster.kill(url)
    wait_for(lambda: health(leader).status == 503, "no leader is known")
    assert ask(leader, "GET", PATH + "kept").status == 200


def test_a_read_on_a_follower_of_a_paused_leader_is_answered_in_the_end(cluster: DemoCluster) -> None:
    leader = leader_of(cluster)
    assert put(leader, "kept").status == 200
    follower = others(cluster, leader)[0]
    cluster.pause(leader)
    assert ask(follower, "GET", PATH + "kept").status == 200


def test_faults_that_cannot_be_done_say_why(cluster: DemoCluster) -> None:
    url = others(cluster, leader_of(cluster))[0]
    with pytest.raises(FaultRefusedError, match=r"not a node of the demo cluster"):
        cluster.kill("http://127.0.0.1:1")
    with pytest.raises(FaultRefusedError, match="runs already"):
        cluster.restart(url)
    cluster.resume(url)
    cluster.pause(url)
    with pytest.raises(FaultRefusedError, match="is paused"):
        cluster.isolate(url)
    cluster.kill(url)
    assert not cluster.alive(url)
    for fault in (cluster.kill, cluster.pause, cluster.resume, cluster.isolate, cluster.heal):
        with pytest.raises(FaultRefusedError, match="no running process"):
            fault(url)
    assert "no running process" in cluster.describe(url)


def test_a_trailing_slash_names_the_same_node(cluster: DemoCluster) -> None:
    assert cluster.alive(cluster.urls[0] + "/")
    assert not cluster.alive("http://127.0.0.1:1")


def test_one_node_leads_alone() -> None:
    with DemoCluster(nodes=1, ports="auto", election_timeout_ms=ELECTION_MS) as cluster:
        assert cluster.wait_ready(DEADLINE_S)
        (url,) = cluster.urls
        assert put(url, "k").status == 200
        with pytest.raises(FaultRefusedError, match="only node"):
            cluster.isolate(url)
        term = health(url).term
        cluster.kill(url)
        cluster.restart(url)
        assert wait_agreed(cluster) == url
        assert health(url).term > term
        assert ask(url, "GET", PATH + "k").status == 200


def test_five_nodes_bear_the_loss_of_two_but_not_of_three() -> None:
    with DemoCluster(nodes=5, ports="auto", election_timeout_ms=ELECTION_MS) as cluster:
        leader = wait_agreed(cluster)
        first, second, third = others(cluster, leader)[:3]
        cluster.kill(first)
        cluster.kill(second)
        assert put(leader, "with-three").status == 200
        cluster.kill(third)
        assert put(leader, "with-two").status == 503
        cluster.restart(first)
        leader = wait_agreed(cluster)
        assert ask(leader, "GET", PATH + "with-three").status == 200
