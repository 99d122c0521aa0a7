"""Wrong input gets one clear sentence that names what was wrong and what is allowed; exit code 2 (3: the cluster)."""

from __future__ import annotations

import http.server
import os
import pty
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from confman_tui.demo.supervisor import DemoCluster
from tests.support.program import PROGRAM, environment, run
from tests.support.terminal import TerminalProgram
from tests.support.waiting import DEADLINE_S


def sentence_of(stderr: str) -> str:
    """The one sentence on stderr; fails when there is a traceback or more than a line."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    assert "Traceback" not in stderr
    assert len(lines) == 1, stderr
    assert lines[0].startswith("confman-tui: ")
    return lines[0]


WRONG = [
    (["--tier", "huge"], ["huge", "small", "large", "xlarge"]),
    (["--headless", "--scenario", "write-2u"], ["write-2u", "write-1u", "mixed-10u", "all"]),
    (["--host", "127.0.0.1:6100"], ["127.0.0.1:6100", "http://"]),
    (["--host", "http://127.0.0.1:6100/api"], ["/api"]),
    (["--host", "http://127.0.0.1:66000"], ["66000"]),
    (["--host", "http://127.0.0.1:7100"], ["--nodes"]),
    (["--nodes", "http://127.0.0.1:1,http://127.0.0.1:1/"], ["http://127.0.0.1:1"]),
    (["--nodes", "http://127.0.0.1:1,what"], ["what"]),
    (["--nodes", ",".join(f"http://127.0.0.1:{7000 + i}" for i in range(10))], ["10", "9"]),
    (["--nodes", "http://127.0.0.1:1", "--host", "http://127.0.0.1:2"], ["--host http://127.0.0.1:2", "--nodes"]),
    (["--duration", "0"], ["--duration", "0"]),
    (["--users", "0"], ["--users", "0", "1"]),
    (["--users", "1000000"], ["--users", "1000000"]),
    (["--payload", "60MB"], ["--payload", "50"]),
    (["--poll", "fast"], ["--poll", "fast"]),
    (["--colour"], ["--colour"]),
    (["dirll"], ["dirll", "drill"]),
    (["drill", "--rounds", "0"], ["--rounds", "0"]),
    (["--demo", "--nodes", "http://127.0.0.1:1"], ["--demo", "--nodes"]),
    (["--demo", "--demo-nodes", "10"], ["--demo-nodes", "10"]),
    (["--demo", "--demo-nodes", "3", "--demo-ports", "1,2"], ["--demo-ports"]),
    (["--demo", "--demo-election-timeout", "300-150"], ["300"]),
    (["--scenario=--"], ["--scenario", "needs a value"]),
    (["--output-dir", "x" * 300], ["--output-dir", "file name too long"]),
]


@pytest.mark.parametrize(("arguments", "named"), WRONG, ids=lambda value: " ".join(value)[:40])
def test_one_sentence_and_exit_2(arguments: list[str], named: list[str], tmp_path: Path) -> None:
    ended = run([*arguments, *([] if "--headless" in arguments or "drill" in arguments else ["--headless"])], tmp_path)
    sentence = sentence_of(ended.stderr)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    for word in named:
        assert word in sentence


def test_a_settings_file_that_can_not_be_one(tmp_path: Path) -> None:
    """None of them makes it wait, nor run out of stack."""
    file = tmp_path / "config" / "confman-tui" / "config.toml"
    file.parent.mkdir(parents=True)

    def refused(named: str, config_home: Path = tmp_path / "config") -> None:
        ended = run(["--print-config"], tmp_path, XDG_CONFIG_HOME=str(config_home))
        assert named in sentence_of(ended.stderr)
        assert "config.toml" in ended.stderr
        assert ended.returncode == 2
        file.unlink(missing_ok=True)

    file.write_text("users = " + "[" * 5000 + "]" * 5000)
    refused("nested too deeply")
    os.mkfifo(file)
    refused("is no ordinary file")
    file.symlink_to("/dev/zero")
    refused("is no ordinary file")
    refused("File name too long", tmp_path / ("x" * 300))


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "XDG_RUNTIME_DIR"])
def test_a_folder_of_its_own_that_can_not_be_made(variable: str, node: DemoCluster, tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 300)
    given: dict[str, Any] = {variable: str(folder)}
    ended = run(["--headless", "--nodes", node.urls[0]], tmp_path, **given)
    assert ended.returncode == 2, ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert f"the folder {folder}/confman-tui can't be made: file name too long; XDG_STATE_HOME" in last
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("given", "named"),
    [({"TERM": "dumb"}, "TERM is dumb: use --headless"), ({"rows": 0, "columns": 0}, "has 0 columns and 0 rows")],
    ids=["dumb", "without a size"],
)
def test_a_terminal_that_can_not_show_a_screen(given: dict[str, Any], named: str, tmp_path: Path) -> None:
    screen = TerminalProgram(["--demo", "--demo-ports", "auto"], tmp_path, **given)
    try:
        assert screen.wait_end() == 2
        screen.wait_shows("confman-tui: the screen needs a terminal")
        assert named in sentence_of(screen.said())
    finally:
        screen.end()


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    ended = run(["--headless", "--nodes", "http://no-such-host.invalid:6100"], tmp_path)
    assert "no-such-host.invalid" in sentence_of(ended.stderr)
    assert ended.returncode == 2


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    ended = run(["--headless", "--output-dir", "taken"], tmp_path)
    assert "taken" in sentence_of(ended.stderr)
    assert ended.returncode == 2
    assert (tmp_path / "taken").read_text() == "mine"


def test_an_output_folder_that_is_read_only(tmp_path: Path) -> None:
    """/proc takes no files, not even root's."""
    ended = run(["--headless", "--output-dir", "/proc/confman"], tmp_path)
    assert "/proc/confman" in sentence_of(ended.stderr)
    assert ended.returncode == 2


def test_no_terminal_says_use_headless(tmp_path: Path) -> None:
    ended = run([], tmp_path)
    assert "--headless" in sentence_of(ended.stderr)
    assert ended.returncode == 2


def test_a_terminal_in_but_a_pipe_out(tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    try:
        ended = subprocess.run(
            PROGRAM,
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env=environment(tmp_path),
            cwd=tmp_path,
            check=False,
        )
    finally:
        os.close(main)
        os.close(terminal)
    assert "--headless" in sentence_of(ended.stderr)
    assert ended.returncode == 2


def test_no_cluster_is_exit_3_and_says_what_was_tried(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ended = run(["--headless", "--nodes", f"http://127.0.0.1:{port}", "--wait", "1"], tmp_path)
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert f":{port}" in last
    assert "refused" in last


def test_a_port_that_the_demo_needs_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = run(["--demo", "--headless", "--demo-nodes", "1", "--demo-ports", str(port)], tmp_path)
    assert ended.returncode == 2
    assert str(port) in ended.stderr.strip().splitlines()[-1]
    assert "Traceback" not in ended.stderr


class _OtherServer(http.server.BaseHTTPRequestHandler):
    """A web server that is no Confman, with a body that would harm a terminal."""

    def do_GET(self) -> None:
        body = b"\x1b[2J[red]Welcome to somebody else's server"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_node_that_is_no_confman(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _OtherServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        ended = run(["--headless", "--nodes", address], tmp_path)
        server.shutdown()
    assert ended.returncode == 3
    last = ended.stderr.strip().splitlines()[-1]
    assert address in last
    assert "not a Confman node" in last
    assert "200" in last
    assert "Welcome" in last
    assert "\x1b" not in ended.stderr


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('stopp = "x"', ["the action 'stopp' is not known", "config.toml"]),
        ('stop = "k"', ["stop and kill share the key 'k'"]),
        ('stop = "no-such-key"', ["no-such-key", "config.toml"]),
    ],
    ids=["action", "shared", "no key"],
)
def test_print_config_checks_the_keys_as_the_screen_does(table: str, named: list[str], tmp_path: Path) -> None:
    file = tmp_path / "config" / "confman-tui" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f"[keys]\n{table}\n", encoding="utf-8")
    ended = run(["--print-config"], tmp_path)
    sentence = sentence_of(ended.stderr)
    assert ended.returncode == 2
    for words in named:
        assert words in sentence
    file.write_text('[keys]\nstop = "z"\n', encoding="utf-8")
    shown = run(["--print-config"], tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "keys.stop" in shown.stdout
