"""A real server in a process of its own, and engines that are always closed."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from confman_tui.load.engine import Engine
from confman_tui.load.locust_setup import prepare
from tests.support.confman_server import Server
from tests.support.waiting import DEADLINE_S

prepare()


@pytest.fixture(scope="package", autouse=True)
def quick_collections() -> Iterator[None]:
    """Each run begins and ends with a full collection: spare it the objects of all the other tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def one_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(one_server: Server) -> Server:
    """The one server, behaving well and with nothing counted."""
    one_server.control(mode="ok", delay_s=0, delays_s=[], stall_s=0, to="", clear=True)
    return one_server


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A started engine, closed after the test."""
    engine = Engine()
    engine.start()
    yield engine
    assert engine.close(DEADLINE_S)
