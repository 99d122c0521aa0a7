"""The demo cluster answers as the real Confman did: its recordings, replayed."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.demo_client import ADMIN, Answer, ask, connect, find_leader, health, wait_agreed
from tests.support.recorded import differences, load, payload_of, replayed
from tests.support.waiting import DEADLINE_S, wait_for

DELIBERATE: dict[str, str] = {
    "ready with a term": (
        "The number of the term is the cluster's own history: the recorded cluster was in its first term with a leader "
        "or in its fifth without, so only the field's type is compared in the recording without a quorum."
    ),
    "leader without answers": (
        "Confman's leader turns follower as soon as one replication fails and goes on naming itself, redirecting to "
        "itself, for about its election timeout; ours goes on as a leader that can commit nothing for the upper "
        "election timeout and then knows no leader. That is what an isolated Raft leader does, and a stale leader, in "
        "a lower term than the new one, is a state this program has to show."
    ),
}
"""Every difference from the recordings that the tests allow, with its reason."""


LOWER_ELECTION_S = 1.0
"""Without a leader's word for this long a node of the demo cluster may stand for election."""


@pytest.fixture(scope="module")
def cluster() -> Generator[DemoCluster]:
    with DemoCluster(ports="auto") as cluster:
        assert cluster.wait_ready(DEADLINE_S)
        yield cluster


def follower_of(cluster: DemoCluster, leader: str) -> str:
    return next(url for url in cluster.urls if url != leader)


def test_every_recorded_case_on_leader_and_follower(cluster: DemoCluster) -> None:
    recording = load("answers.json")
    leader = wait_agreed(cluster)
    wrong = replayed(recording, leader, follower_of(cluster, leader))
    assert len(recording["cases"]) == 60
    assert not wrong, "\n".join(wrong)


def test_location_and_stored_form_of_odd_keys(cluster: DemoCluster) -> None:
    leader = wait_agreed(cluster)
    wrong = []
    for case in load("odd_cases.json")["location_of_odd_keys"]:
        path = f"/api/v1/namespaces/rec-loc/config/{case['path_key']}"
        redirected = ask(follower_of(cluster, leader), "PUT", path, {"value": "v"})
        written = ask(leader, "PUT", path, {"value": "v"})
        expected = case["location"] and case["location"].replace("http://127.0.0.1:6100", leader)
        location = redirected.headers.get("location")
        got = (redirected.status, location.rstrip() if location else location, written.status, written.json["key"])
        if got != (case["follower"], expected, case["leader"], case["key_stored"]):
            wrong.append(f"{case['path_key']}: {got}, expected {expected} and {case['key_stored']}")
        assert redirected.body == ""
        query = case["path_key"].partition("?")[0]
        assert ask(leader, "GET", f"/api/v1/namespaces/rec-loc/config/{query}").json["key"] == case["key_stored"]
    assert not wrong, "\n".join(wrong)


def test_correlation_id_is_echoed_and_origin_gets_cors(cluster: DemoCluster) -> None:
    odd = load("odd_cases.json")
    for path in ("/health", "/nowhere", "/api/v1/namespaces"):
        got = ask(cluster.urls[0], "GET", path, headers={"X-Correlation-Id": "mine-1", "Origin": "http://x.test"})
        assert (got.headers["x-correlation-id"] == "mine-1") is odd["correlation_id_echoed"]
        assert got.headers["access-control-allow-origin"] == odd["cors_header"]
    assert "access-control-allow-origin" not in ask(cluster.urls[0], "GET", "/health").headers


def waited_for_a_core_s(pid: int) -> float:
    """For how long a process was ready to run and the machine gave it no core, in seconds; 0 where nobody knows."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


@pytest.mark.parametrize("path", ["/api/v1/namespaces/a/config/b", "/health", "/nowhere"])
def test_a_preflight_is_answered_on_any_path_as_the_real_one_does(cluster: DemoCluster, path: str) -> None:
    """Recorded from a real node: 204 without a key, the method and the headers that were asked for, no more."""
    asked = {"Origin": "http://x.test", "Access-Control-Request-Method": "PUT"}
    for headers in ({}, {"Access-Control-Request-Headers": "X-Api-Key,Content-Type"}):
        got = ask(cluster.urls[0], "OPTIONS", path, headers={**asked, **headers})
        assert (got.status, got.body) == (204, "")
        assert got.headers["access-control-allow-origin"] == "*"
        assert got.headers["access-control-allow-methods"] == "PUT"
        assert got.headers.get("access-control-allow-headers") == headers.get("Access-Control-Request-Headers")
        assert len(got.headers["x-correlation-id"]) == 32


@pytest.mark.parametrize(
    ("path", "allow"), [("/health", "GET"), ("/api/v1/namespaces/a", "DELETE, GET, PUT"), ("/nowhere", None)]
)
def test_other_options_requests_are_no_preflight(cluster: DemoCluster, path: str, allow: str | None) -> None:
    for headers in ({}, {"Origin": "http://x.test"}, {"Access-Control-Request-Method": "PUT"}):
        got = ask(cluster.urls[0], "OPTIONS", path, headers=headers)
        assert (got.status, got.headers.get("allow")) == ((404 if allow is None else 405), allow)
        assert got.headers.get("access-control-allow-origin") == ("*" if "Origin" in headers else None)
        assert "access-control-allow-methods" not in got.headers


def test_a_body_of_more_than_50_mb_is_refused_and_one_below_is_kept(cluster: DemoCluster) -> None:
    leader = wait_agreed(cluster)
    pids = tuple(cluster.pids.values())
    before = [waited_for_a_core_s(pid) for pid in pids]
    path = "/api/v1/namespaces/rec-large/config/k"
    term = health(leader).term
    too_large = ask(leader, "PUT", path, {"value": "x" * (50 * 1024 * 1024)})
    assert (too_large.status, too_large.body) == (413, "")
    assert ask(leader, "PUT", path, {"value": "x"}, {"X-Api-Key": "wrong"}).status == 401
    size = 50 * 1024 * 1024 - 100
    written = ask(leader, "PUT", path, {"value": "x" * size})
    # A large value may take longer than the RPC timeout: then its fate is to be learnt by reading.
    assert written.status in (200, 503)

    def kept_by_all() -> bool:
        return all(len(ask(url, "GET", path).body) > size for url in cluster.urls)

    wait_for(lambda: health(leader).term != term or kept_by_all(), "the large value on each node")
    waited = max(waited_for_a_core_s(pid) - then for pid, then in zip(pids, before, strict=True))
    # what the machine did to the nodes meanwhile, the value did not
    same_term = health(leader).term == term
    assert same_term or waited > LOWER_ELECTION_S / 2, "a large value must not cost the leader its place"
    deleted = ask(wait_agreed(cluster), "DELETE", path).status
    assert deleted == 204 or not same_term


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ("", {"": ["A non-empty request body is required."], "request": ["The request field is required."]}),
        (
            "[]",
            {
                "$": [
                    "The JSON value could not be converted to Confman.Api.Controllers.SetConfigRequest. "
                    "Path: $ | LineNumber: 0 | BytePositionInLine: 1."
                ],
                "request": ["The request field is required."],
            },
        ),
        (
            '{"value": oops}',
            {
                "$.value": [
                    "'o' is an invalid start of a value. Path: $.value | LineNumber: 0 | BytePositionInLine: 10."
                ],
                "request": ["The request field is required."],
            },
        ),
    ],
)
def test_other_wrong_bodies(cluster: DemoCluster, body: str, errors: dict[str, Any]) -> None:
    headers = {**ADMIN, "Content-Type": "application/json; charset=utf-8"}
    got = ask(cluster.urls[0], "PUT", "/api/v1/namespaces/rec-a/config/k", body, headers)
    assert got.status == 400
    assert got.json["errors"] == errors


def test_names_of_fields_may_be_in_any_case(cluster: DemoCluster) -> None:
    leader = wait_agreed(cluster)
    got = ask(leader, "PUT", "/api/v1/namespaces/rec-case/config/k", {"VALUE": "v", "Type": "t"})
    assert (got.status, got.json["value"], got.json["type"]) == (200, "v", "t")


def test_chunked_request_bodies_are_taken(cluster: DemoCluster) -> None:
    connection = connect(wait_agreed(cluster))
    parts = [b'{"val', b'ue":"v"', b"}"]
    headers = {**ADMIN, "Content-Type": "application/json"}
    connection.request("PUT", "/api/v1/namespaces/rec-c/config/k", iter(parts), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_every_recorded_case_without_a_quorum() -> None:
    recording = load("answers_no_quorum.json")
    with DemoCluster(ports="auto", election_timeout_ms=(300, 600)) as cluster:
        alone = wait_agreed(cluster)
        assert ask(alone, "PUT", "/api/v1/namespaces/rec-fault", {}).status == 200
        # Enough that the recording, which holds the beginning of a long list, can be compared.
        for number in range(3):
            ask(alone, "PUT", f"/api/v1/namespaces/rec-fault/config/k{number}", {"value": "v"})
        for url in cluster.urls:
            if url != alone:
                cluster.kill(url)
        wait_for(lambda: health(alone).status == 503, "the last node knows no leader")
        wrong = []
        for case in recording["cases"]:
            got = ask(alone, case["method"], case["path"], payload_of(case), case["headers"])
            recorded = case["alone"]
            if case["case"] == "all configs":
                # Other entries: the same fields.
                first = recorded["body"].partition("},")[0].lstrip("[") + "}"
                recorded = {**recorded, "body": first}
                got = Answer(
                    got.status, got.headers, json.dumps({**got.json[0], "key": "seed", "value": "s", "version": 5})
                )
            if case["case"] == "ready":  # DELIBERATE["ready with a term"]
                assert got.json["cluster"]["term"] >= 1
                recorded = {
                    **recorded,
                    "body": recorded["body"].replace('"term":5', f'"term":{got.json["cluster"]["term"]}'),
                }
            write = case["method"] != "GET"
            wrong += [f"{case['case']}: {text}" for text in differences(recorded, got, {}, write=write)]
        assert not wrong, "\n".join(wrong)


def test_writes_with_both_followers_paused() -> None:
    odd = load("odd_cases.json")
    with DemoCluster(ports="auto") as cluster:
        leader = wait_agreed(cluster)
        others = [url for url in cluster.urls if url != leader]
        for url in others:
            cluster.pause(url)
        for recorded, path, payload in (
            (odd["put_config_with_both_followers_paused"], "/api/v1/namespaces/rec-amb/config/k", {"value": "v"}),
            (odd["put_ns_with_both_followers_paused"], "/api/v1/namespaces/rec-amb", {}),
        ):
            got = ask(leader, "PUT", path, payload)
            wrong = differences(recorded["answer"], got, {}, write=True)
            assert not wrong, wrong
        # DELIBERATE["leader without answers"]: Confman redirects to itself here.
        assert ask(leader, "PUT", "/api/v1/namespaces/rec-amb2", {}).status == 503
        for url in others:
            cluster.resume(url)
        wait_agreed(cluster)
        for url in cluster.urls:
            assert ask(url, "GET", "/api/v1/namespaces/rec-amb/config/k").status == 200
            assert ask(url, "GET", "/api/v1/namespaces/rec-amb").status == odd["after_resume_ns"]["get"]
        assert find_leader(cluster)
