"""The whole program with nodes that speak TLS: every phase, both clients, workers too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from confman_tui.core.errors import EXIT_NO_CLUSTER, EXIT_OK, EXIT_USAGE
from confman_tui.settings.worker_token import VARIABLE
from tests.support.odd_servers import free_port
from tests.support.program import StartedProgram, run
from tests.support.tls_cluster import Authority, TlsCluster, tls_cluster

TOKEN = "00112233445566778899aabbccddeeff"
RUN = ["--headless", "--scenario", "mixed-10u", "--duration", "1", "--json"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsCluster]:
    with tls_cluster(tmp_path_factory.mktemp("tls")) as cluster:
        yield cluster


@pytest.mark.parametrize(
    "more", [pytest.param([], marks=pytest.mark.slow), ["--workers", "1"]], ids=["alone", "worker"]
)
def test_a_run_over_tls(cluster: TlsCluster, more: list[str], tmp_path: Path) -> None:
    ended = run([*RUN, *cluster.flags, "--ca-file", str(cluster.authority.file), *more], tmp_path)
    assert ended.returncode == EXIT_OK, ended.stderr
    document = json.loads(ended.stdout)
    (scenario,) = document["scenarios"]
    assert scenario["requests"] > 20
    assert scenario["failures"] == 0
    assert scenario["verification"]["checked"] > 0
    assert "insecure" not in document["cluster"]


def test_a_worker_from_elsewhere_and_the_cleaning_afterwards(cluster: TlsCluster, tmp_path: Path) -> None:
    """Each is given the CA itself."""
    trusting, given = ["--ca-file", str(cluster.authority.file)], {VARIABLE: TOKEN}
    address = f"127.0.0.1:{free_port()}"
    master, worker = (tmp_path / name for name in ("master", "worker"))
    master.mkdir()
    worker.mkdir()
    keep = ["--no-cleanup", "--expect-workers", "1", "--master-bind", address]
    programs = [StartedProgram([*RUN, *keep, *cluster.flags, *trusting], master, **given)]
    try:
        programs.append(StartedProgram(["worker", "--master", address, *trusting], worker, **given))
        assert [each.wait_end() for each in programs] == [EXIT_OK, EXIT_OK], [each.said() for each in programs]
    finally:
        for each in programs:
            each.process.kill()
    (scenario,) = json.loads(programs[0].output.read_text())["scenarios"]
    assert scenario["requests"] > 20
    assert scenario["failures"] == 0
    ended = run(["clean", "--yes", *cluster.flags, *trusting], tmp_path)
    assert ended.returncode == EXIT_OK, ended.stderr
    assert "bench-small-000" in ended.stdout
    assert "namespaces removed" in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["sweep", "--entries", "150", "--duration", "1"],
        ["drill", "--rounds", "1", "--allow-faults", "--fault", "pause"],
    ],
    ids=lambda command: command[0],
)
def test_the_other_commands_over_tls(cluster: TlsCluster, command: str, tmp_path: Path) -> None:
    ended = run([*command.split(), *cluster.flags, "--ca-file", str(cluster.authority.file)], tmp_path)
    assert ended.returncode == EXIT_OK, ended.stderr


@pytest.mark.slow
def test_insecure_is_told(cluster: TlsCluster, tmp_path: Path) -> None:
    ended = run([*RUN, *cluster.flags, "--insecure"], tmp_path)
    assert ended.returncode == EXIT_OK, ended.stderr
    assert ended.stderr.count("any certificate of a node is taken") == 1
    document = json.loads(ended.stdout)
    assert document["cluster"]["insecure"] is True
    assert document["scenarios"][0]["failures"] == 0


def test_a_certificate_of_an_unknown_ca_ends_the_program_with_one_sentence(cluster: TlsCluster, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    ended = run([*RUN, *cluster.flags], tmp_path, SSL_CERT_FILE=str(other.file))
    assert ended.returncode == EXIT_NO_CLUSTER
    last = ended.stderr.strip().splitlines()[-1]
    assert any(f"{url} is not trusted: its certificate is of a CA" in last for url in cluster.urls), ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_of_cas_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    ended = run([*RUN, "--ca-file", "nowhere.pem"], tmp_path)
    assert ended.returncode == EXIT_USAGE
    (line,) = ended.stderr.strip().splitlines()
    assert "nowhere.pem' is not there" in line
