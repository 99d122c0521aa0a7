"""The same user classes under the stock ``locust`` command, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import confman_tui.load
from tests.support.confman_server import Server
from tests.support.load_runs import API_KEY, KEYS, NAMESPACES
from tests.support.waiting import DEADLINE_S, wait_for

USERS = Path(confman_tui.load.__file__).parent / "users.py"


def locust(
    variables: dict[str, str], *arguments: str, until: Callable[[], bool] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``locust -f …/users.py --headless`` as a user of Locust would; with ``until``, as one who ends it then."""
    command = [sys.executable, "-m", "locust", "-f", str(USERS), "--headless", "--only-summary", *arguments]
    process = subprocess.Popen(
        command,
        env={name: value for name, value in os.environ.items() if not name.startswith("BENCH_")} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if until is not None:
            wait_for(lambda: until() or process.poll() is not None, "requests of Locust's users")
            process.terminate()
        output, errors = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def test_it_runs_them(server: Server, tmp_path: Path) -> None:
    server.seed(list(KEYS))
    registry = tmp_path / "keys.json"
    registry.write_text(json.dumps([{"namespace": namespace, "key": key} for namespace, key in KEYS]))
    done = locust(
        {
            "BENCH_API_KEY": API_KEY,
            "BENCH_KEY_REGISTRY_FILE": str(registry),
            "BENCH_NAMESPACES": ",".join(NAMESPACES),
            "BENCH_PAYLOAD_SIZE": "64",
        },
        *(
            "--host",
            server.url,
            "-u",
            "6",
            "-r",
            "6",
            "--json-file",
            str(tmp_path / "stock"),
            "--stop-timeout",
            "3",
        ),
        until=lambda: min(server.control()["put"], server.control()["get"]) > 20,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    served = server.control(values=True)
    assert served["put"] > 20
    assert served["get"] > 20
    assert served["repeated"] == 0
    seeded = {f"{namespace}/{key}" for namespace, key in KEYS}
    written = [value for name, value in served["values"].items() if name not in seeded]
    assert len([value for value in written if len(value) == 64]) == served["put"]
    rows = {(row["method"], row["name"]): row for row in json.loads((tmp_path / "stock.json").read_text())}
    assert set(rows) == {("GET", "/config/[key] GET"), ("PUT", "/config/[key] PUT")}
    assert {row["num_failures"] for row in rows.values()} == {0}
    assert API_KEY not in done.stdout + done.stderr


def test_one_class_needs_only_its_own_variables(server: Server) -> None:
    done = locust(
        {"BENCH_API_KEY": API_KEY, "BENCH_NAMESPACES": NAMESPACES[0]},
        *("--host", server.url, "-u", "1", "WriteUser"),
        until=lambda: server.control()["put"] > 1,
    )
    assert done.returncode == 0, done.stderr
    served = server.control()
    assert served["put"] > 1
    assert served["get"] == 0


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "variables BENCH_API_KEY, BENCH_KEY_REGISTRY_FILE, BENCH_NAMESPACES"),
        ({"BENCH_API_KEY": API_KEY, "BENCH_NAMESPACES": "a"}, "variable BENCH_KEY_REGISTRY_FILE"),
    ],
)
def test_missing_variables_are_one_sentence(variables: dict[str, str], said: str) -> None:
    done = locust(variables, "-u", "1", "-t", "1s")
    assert done.returncode == 2
    sentences = [line for line in done.stderr.splitlines() if "BENCH_" in line]
    assert len(sentences) == 1
    assert said in sentences[0]
    assert "Traceback" not in done.stderr
    assert API_KEY not in done.stderr
