"""The workers' token: in which forms it may be set, and that it is never shown."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.core.errors import UsageError
from confman_tui.settings import resolve
from confman_tui.settings.worker_token import VARIABLE, of_this_program, parse

TOKEN = "00112233445566778899aabbccddeeff"
good = st.binary(min_size=16, max_size=64).filter(lambda token: len(set(token)) >= 8)


@given(good)
def test_each_form_of_a_token_is_the_same_token(token: bytes) -> None:
    standard, urls = base64.b64encode(token).decode(), base64.urlsafe_b64encode(token).decode()
    assert parse(token.hex()) == parse(f" {token.hex().upper()}\n") == token.hex()
    for text in (standard, urls, standard.rstrip("="), urls.rstrip("=")):
        if not all(letter in "0123456789abcdefABCDEF" for letter in text):
            assert parse(text) == token.hex()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("abcdef0123456789", "has 64 bits"),
        ("0123456789abcdef0123456789abcde", "neither hex nor base64"),
        ("c2hvcnQtdG9rZW4=", "has 88 bits"),
        ("a word that is no token", "neither hex nor base64"),
        ("00" * 16, "not random"),
        ("x" * 2000, "longer than 1024 characters"),
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve("bench", {}, {VARIABLE: text}, None)
    said = str(caught.value)
    assert said.startswith(f"{VARIABLE}: ")
    assert why in said
    assert "must be at least 128 random bits: 32 or more hex digits" in said
    assert text not in said
    assert caught.value.exit_code == 2


def test_the_token_is_never_shown(tmp_path: Path) -> None:
    resolved = resolve("worker", {"master": "here:1"}, {VARIABLE: TOKEN}, tmp_path / "config.toml")
    assert resolved.settings.worker_token == TOKEN
    assert TOKEN not in resolved.explain() + repr(resolved) + repr(resolved.settings) + str(resolved.settings.public())
    assert "worker-token" in resolved.explain()


def test_it_stands_in_no_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'worker-token = "{TOKEN}"\n')
    with pytest.raises(UsageError, match="the key 'worker-token' is not known"):
        resolve("bench", {}, {}, file)


def test_a_program_makes_one_of_its_own() -> None:
    assert parse(of_this_program()) == of_this_program()


def test_a_workers_nodes_are_its_own_setting() -> None:
    """They do not contradict a demo cluster that the environment asks for."""
    environ = {"CONFMAN_BENCH_DEMO": "1", "CONFMAN_BENCH_NODES": "http://10.0.0.1:1"}
    assert resolve("worker", {"master": "here:1"}, environ, None).settings.nodes == "http://10.0.0.1:1"
