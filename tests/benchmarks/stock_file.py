"""A locustfile for the stock command: our user classes, our recorder, and the figures written down at the end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from locust import events

from confman_tui.core.clock import now
from confman_tui.load import context
from confman_tui.load.recorder import Recorder
from confman_tui.load.totals import RunTotals
from confman_tui.load.users import MixedUser, ReadUser, WriteUser

__all__ = ["MixedUser", "ReadUser", "WriteUser"]

_kept: list[tuple[Recorder, RunTotals]] = []


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Any, **_: Any) -> None:
    began = now()
    recorder = Recorder(began)
    _kept.append((recorder, RunTotals(began)))
    environment.events.request.add_listener(recorder.on_request)


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def _end(environment: Any, **_: Any) -> None:
    shared = context.context_of(environment)
    assert shared is not None
    (recorder, totals), ended = _kept[-1], now()
    totals.add(recorder.cut(ended, shared, users=0))
    outcome = totals.outcome(ended, stopped_early=False)
    Path(os.environ["OBSERVER_OUT"]).write_text(
        json.dumps(
            {
                "requests": outcome.requests,
                "failures": outcome.failures,
                "seconds": outcome.ended - outcome.started,
                "histogram": outcome.histogram,
                "max_us": outcome.max_us,
            }
        )
    )
