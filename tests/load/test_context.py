"""Writes are new and different each time, and the BENCH_ variables are taken or refused in words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confman_tui.cluster.elections import value_digest
from confman_tui.cluster.key_registry import read_registry
from confman_tui.core.errors import UsageError
from confman_tui.load.context import from_variables
from confman_tui.load.write_maker import WriteMaker

GOOD = {"BENCH_API_KEY": "k", "BENCH_NAMESPACES": "bench-small-000, bench-small-001"}


@given(payload=st.integers(0, 3000), count=st.integers(1, 50))
def test_every_write_has_a_key_and_a_value_of_its_own(payload: int, count: int) -> None:
    maker = WriteMaker(("a", "b"), payload, (), digests=True)
    writes = [maker.next() for _ in range(count)]
    values = [json.loads(write.body)["value"] for write in writes]
    assert len({write.key for write in writes}) == count
    assert all(re.fullmatch(r"key-[0-9a-f]{12}", write.key) for write in writes)
    assert all(len(value) == payload for value in values)
    assert all(re.fullmatch(r"[A-Za-z0-9+/]*", value) for value in values)
    assert [write.digest for write in writes] == [value_digest(value) for value in values]
    if payload >= 2:
        assert len(set(values)) == count
    assert [write.namespace for write in writes] == [("a", "b")[i % 2] for i in range(count)]
    assert all(write.path == f"/api/v1/namespaces/{write.namespace}/config/{write.key}" for write in writes)


def test_two_runs_never_write_the_same_key_nor_one_that_was_seeded() -> None:
    first = WriteMaker(("a",), 100, (), digests=False).next()
    token = int(first.key[4:9], 16)
    seeded = (("a", f"key-{(token + 1) % 16**5:05x}0000000"),)
    second = WriteMaker(("a",), 100, seeded, digests=False).next()
    assert second.key[:9] not in (first.key[:9], seeded[0][1][:9])


def test_a_megabyte_is_a_megabyte() -> None:
    write = WriteMaker(("a",), 1_000_000, (), digests=True).next()
    value = json.loads(write.body)["value"]
    assert len(value) == 1_000_000
    assert write.digest == value_digest(value)


@pytest.mark.parametrize("entry", [{"namespace": "n", "key": "k"}, ["n", "k"]], ids=["objects", "pairs"])
def test_a_registry_is_read(tmp_path: Path, entry: object) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([entry, entry]))
    assert read_registry(path) == (("n", "k"), ("n", "k"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "at least one"),
        ("{}", "must hold a JSON list"),
        ('[["n","k"], ["n"]]', "entry 2"),
        ('[{"namespace":"n"}]', "entry 1"),
        ('[["n", 3]]', "entry 1"),
    ],
)
def test_a_registry_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as raised:
        read_registry(path)
    assert str(path) in str(raised.value)


def test_a_registry_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read_registry(tmp_path / "none.json")


def test_variables_are_taken() -> None:
    shared = from_variables({**GOOD, "BENCH_PAYLOAD_SIZE": "10"}, "http://h:1/", reads=False, writes=True)
    write = shared.writes.next()
    assert write.namespace == "bench-small-000"
    assert len(json.loads(write.body)["value"]) == 10
    assert shared.board.current.for_leader(3) == "http://h:1"
    assert len(
        json.loads(from_variables(GOOD, "http://h:1", reads=False, writes=True).writes.next().body)["value"]
    ) == (1024)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "variables BENCH_API_KEY, BENCH_KEY_REGISTRY_FILE, BENCH_NAMESPACES"),
        ({**GOOD}, "variable BENCH_KEY_REGISTRY_FILE:"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_PAYLOAD_SIZE": "1KB"}, "BENCH_PAYLOAD_SIZE is '1KB'"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_PAYLOAD_SIZE": "0"}, "BENCH_PAYLOAD_SIZE is '0'"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_NAMESPACES": " , "}, "names no namespace"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_NAMESPACES": "[]"}, "names no namespace"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_NAMESPACES": '["a", 1]'}, "'1' is no namespace's name"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_NAMESPACES": "ok,a b"}, "'a b' is no namespace's name"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_NAMESPACES": '["a"'}, "begins as a JSON list and is none"),
        ({**GOOD, "BENCH_KEY_REGISTRY_FILE": "x", "BENCH_NAMESPACES": "[" * 9999}, "begins as a JSON list and is none"),
    ],
)
def test_variables_that_are_missing_or_wrong_are_named(variables: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_variables(variables, "http://h:1", reads=True, writes=True)


@pytest.mark.parametrize("text", ['["bench-small-000", "bench-small-001"]', " bench-small-000,bench-small-001, "])
def test_namespaces_are_a_json_list_as_in_the_original_suite_or_names_with_commas(text: str) -> None:
    shared = from_variables({**GOOD, "BENCH_NAMESPACES": text}, "http://h:1", reads=False, writes=True)
    assert [shared.writes.next().namespace for _ in range(3)] == [
        "bench-small-000",
        "bench-small-001",
        "bench-small-000",
    ]
