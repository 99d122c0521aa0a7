"""Compares an answer with one recorded from the real Confman."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.demo_client import Answer, ask

DATA = Path(__file__).parent.parent / "data"
HEADERS = ("content-type", "location", "retry-after", "allow", "content-length", "transfer-encoding", "server")
"""Compared by value, absence included. The rest is checked by form (X-Correlation-Id) or is not Confman's (Date)."""

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?\+00:00")
_STORED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,2}[1-9])?\+00:00")
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00")
_CUT = re.compile(r"\.\.\.\((\d+) chars\)$")
_TIMES = ("timestamp", "createdAt", "updatedAt")


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def payload_of(case: dict[str, Any]) -> Any:
    """The request's payload; the recording shortens large values to "x * 100000"."""
    payload = case["payload"]
    if isinstance(payload, dict) and isinstance(value := payload.get("value"), str):
        times = re.fullmatch(r"(.) \* (\d+)", value)
        if times:
            return {**payload, "value": times[1] * int(times[2])}
    return payload


def replayed(recording: dict[str, Any], leader: str, follower: str, *, in_any_order: tuple[str, ...] = ()) -> list[str]:
    """Send every case of a recording with both roles to these nodes; what differs, in words.

    The cases named in ``in_any_order`` are lists whose order does not count.
    """
    theirs = next(url for url, role in recording["roles"].items() if role == "leader")
    wrong = []
    for case in recording["cases"]:
        # The recorder asked the follower first: what the leader then did was done once.
        for role, url in (("follower", follower), ("leader", leader)):
            got = ask(url, case["method"], case["path"], payload_of(case), case["headers"])
            write = case["method"] != "GET"
            recorded = case[role]
            if case["case"] in in_any_order:
                recorded = {**recorded, "body": _in_order_of_keys(recorded["body"])}
                got = replace(got, body=_in_order_of_keys(got.body))
            found = differences(recorded, got, {theirs: leader}, write=write)
            wrong += [f"{case['case']} ({role}): {text}" for text in found]
    return wrong


def differences(recorded: dict[str, Any], got: Answer, addresses: dict[str, str], *, write: bool) -> list[str]:
    """What differs, in words; empty when nothing does. `addresses` translates recorded base URLs to ours."""
    found = []
    if got.status != recorded["status"]:
        found.append(f"status {got.status}, recorded {recorded['status']}")
    for name in HEADERS:
        ours, theirs = got.headers.get(name), recorded["headers"].get(name)
        if theirs is not None:
            theirs = _translated(theirs, addresses)
        if ours != theirs:
            found.append(f"header {name}: {ours!r}, recorded {theirs!r}")
    if not re.fullmatch(r"[0-9a-f]{32}", got.headers.get("x-correlation-id", "")):
        found.append("no X-Correlation-Id")
    return found + _body_differences(recorded["body"], got.body, addresses, write=write)


def _in_order_of_keys(body: str) -> str:
    return json.dumps(sorted(json.loads(body), key=lambda entry: str(entry["key"])))


def _translated(text: str, addresses: dict[str, str]) -> str:
    for theirs, ours in addresses.items():
        text = text.replace(theirs, ours)
    return text


def _body_differences(recorded: str, got: str, addresses: dict[str, str], *, write: bool) -> list[str]:
    cut = _CUT.search(recorded)
    if cut:
        shown = recorded[: cut.start()]
        if got[: len(shown)] != shown:
            return [f"body begins {got[:80]!r}, recorded {shown[:80]!r}"]
        # A time may be shorter by its closing zeros.
        if abs(len(got) - int(cut[1])) > 7:
            return [f"body of {len(got)} characters, recorded {cut[1]}"]
        return []
    if not recorded or not got:
        return [] if recorded == got else [f"body {got[:80]!r}, recorded {recorded[:80]!r}"]
    return _value_differences("", json.loads(_translated(recorded, addresses)), json.loads(got), write=write)


def _value_differences(path: str, recorded: Any, got: Any, *, write: bool) -> list[str]:
    if type(recorded) is not type(got):
        return [f"{path}: {got!r}, recorded {recorded!r}"]
    if isinstance(recorded, dict):
        if list(recorded) != list(got) and path != ".errors":
            return [f"{path}: fields {list(got)}, recorded {list(recorded)}"]
        if sorted(recorded) != sorted(got):
            return [f"{path}: fields {sorted(got)}, recorded {sorted(recorded)}"]
        return [
            text
            for name in recorded
            for text in _value_differences(f"{path}.{name}", recorded[name], got[name], write=write)
        ]
    if isinstance(recorded, list):
        if len(recorded) != len(got):
            return [f"{path}: {len(got)} items, recorded {len(recorded)}"]
        pairs = enumerate(zip(recorded, got, strict=True))
        return [text for i, (a, b) in pairs for text in _value_differences(f"{path}[{i}]", a, b, write=write)]
    name = path.rpartition(".")[2]
    if name in _TIMES:
        form = _WRITTEN if write or name == "timestamp" else _STORED
        return [] if form.fullmatch(got) else [f"{path}: {got!r} has not the form of {recorded!r}"]
    if name == "traceId":
        return [] if _TRACE.fullmatch(got) else [f"{path}: {got!r} is no trace id"]
    return [] if recorded == got else [f"{path}: {got!r}, recorded {recorded!r}"]
