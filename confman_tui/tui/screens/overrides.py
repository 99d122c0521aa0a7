"""Users, rate, seconds and payload of the next runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from confman_tui.tui import numbers
from confman_tui.tui.screens.dialog import Box, Dialog

MOST_USERS = 10_000
LEAST_RATE, MOST_RATE = 0.5, 100_000
MOST_SECONDS = 24 * 3600.0
MOST_PAYLOAD = 50 * 1024 * 1024
"""Confman's own limit for a value."""
MOST_WARMUP = 3600.0
MOST_REPEATS = 100
MOST_STEPS = 32

_UNITS = {"": 1, "b": 1, "k": 1024, "kb": 1024, "kib": 1024, "m": 1024**2, "mb": 1024**2, "mib": 1024**2}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the next runs use instead of the scenario's own; None keeps it."""

    users: int | None
    duration_s: float | None
    payload_bytes: int | None
    rate: float | None = None
    """None: closed loop."""
    user_steps: tuple[int, ...] = ()
    """Several users make a series; ``users`` is then None."""
    payload_steps: tuple[int, ...] = ()
    warmup_s: float = 0.0
    repeat: int = 1


def parse_steps(text: str, parse: Callable[[str], int | None]) -> tuple[int, ...]:
    """The steps of a series, in ascending order; none when the text names one value, or nothing. Raises ValueError."""
    if "," not in text:
        return ()
    found = tuple(value for part in text.split(",") if (value := parse(part)) is not None)
    if len(found) != text.count(",") + 1 or any(one >= other for one, other in pairwise(found)):
        raise ValueError("Several values: in ascending order, each once, such as 1,10,50.")
    if len(found) > MOST_STEPS:
        raise ValueError(f"Several values: {MOST_STEPS} at most.")
    return found


def parse_users(text: str) -> int | None:
    """Users; empty keeps the scenario's. Raises ValueError with a sentence for the person."""
    if not text.strip():
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip()) or not 1 <= int(text) <= MOST_USERS:
        raise ValueError(f"Users: a whole number from 1 to {MOST_USERS:,}.")
    return int(text)


def parse_rate(text: str) -> float | None:
    """Requests per second; empty is a closed loop. ``500`` and ``0.5`` are taken. Raises ValueError."""
    if not text.strip():
        return None
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(/\s*s)?", text.strip().lower())
    if match is None or not LEAST_RATE <= float(match[1]) <= MOST_RATE:
        raise ValueError(f"Rate: requests per second, from {LEAST_RATE:g} to {MOST_RATE:,}, such as 500.")
    return float(match[1])


def parse_duration(text: str) -> float | None:
    """Seconds; empty keeps the scenario's. ``30``, ``30s``, ``2m`` and ``1h`` are taken. Raises ValueError."""
    if not text.strip():
        return None
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|m|min|h)?", text.strip().lower())
    seconds = float(match[1]) * {"m": 60, "min": 60, "h": 3600}.get(match[2] or "s", 1) if match else 0.0
    if not 1 <= seconds <= MOST_SECONDS:
        raise ValueError("Seconds: from 1 to 86,400 (a day), such as 30, 2m or 1h.")
    return seconds


def parse_payload(text: str) -> int | None:
    """Bytes; empty keeps what is in force. ``1024``, ``4KB`` and ``1MB`` are taken. Raises ValueError."""
    if not text.strip():
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]{0,3})", text.strip().lower())
    factor = _UNITS.get(match[2]) if match else None
    size = int(float(match[1]) * factor) if match and factor is not None else 0
    if not 1 <= size <= MOST_PAYLOAD:
        raise ValueError("Payload: from 1 byte to 50 MB (Confman's limit), such as 512, 4KB or 1MB.")
    return size


def size_text(size: int) -> str:
    """A payload as a person may leave it in the field: in units where they are exact, else in bytes."""
    short = numbers.size(size).replace(" ", "")
    return short if parse_payload(short) == size else f"{size}B"


def parse_warmup(text: str) -> float:
    """Seconds of warm-up; empty or 0 is none. Raises ValueError."""
    if not text.strip() or not text.strip().strip("0s."):
        return 0.0
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = None
    if seconds is None or seconds > MOST_WARMUP or seconds != int(seconds):
        raise ValueError("Warm-up: whole seconds, 0 or from 1 s to 1 h, such as 5 or 1m.")
    return seconds


def parse_repeat(text: str) -> int:
    """Runs of each scenario or step; empty is one. Raises ValueError."""
    if not text.strip():
        return 1
    if not re.fullmatch(r"\d{1,4}", text.strip()) or not 1 <= int(text) <= MOST_REPEATS:
        raise ValueError(f"Runs: a whole number from 1 to {MOST_REPEATS}.")
    return int(text)


class OverridesDialog(Dialog[Overrides]):
    """Gives the wanted overrides."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, present: Overrides) -> None:
        super().__init__()
        self._present = present

    def compose(self) -> ComposeResult:
        present = self._present
        users = "" if present.users is None else str(present.users)
        rate = "" if present.rate is None else f"{present.rate:g}"
        seconds = "" if present.duration_s is None else f"{present.duration_s:g}"
        payload = "" if present.payload_bytes is None else size_text(present.payload_bytes)
        users = ",".join(map(str, present.user_steps)) or users
        payload = ",".join(map(size_text, present.payload_steps)) or payload
        fields = (
            ("users", users, "1,10,50: a series"),
            ("rate", rate, "per second, all users"),
            ("seconds", seconds, "such as 30 or 2m"),
            ("payload", payload, "10,1KB,1MB: a series"),
            ("warm-up", f"{present.warmup_s:g}", "seconds, left out"),
            ("runs", str(present.repeat), "of each scenario"),
        )
        with Box("the next runs", "tab · enter · esc"):
            for name, value, hint in fields:
                with Horizontal(classes="field"):
                    yield Label(name)
                    own = {"users": "its own", "seconds": "its own", "rate": "as answered"}.get(name, "")
                    yield Input(value, own, id=name, compact=True, select_on_focus=True)
                    yield Label(hint, classes="hint")
            yield Static("", id="wrong", markup=False)
            with Container(classes="buttons"):
                yield Button("enter  use these", id="yes", variant="primary", compact=True)
                yield Button("esc  leave as it was", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#users").focus()

    def on_input_submitted(self) -> None:
        self._use()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self._use()
        else:
            self.dismiss(None)

    def _use(self) -> None:
        texts = {item.id: item.value for item in self.query(Input)}
        try:
            users, payloads = parse_steps(texts["users"], parse_users), parse_steps(texts["payload"], parse_payload)
            if users and payloads:
                raise ValueError("Users and payload: a series changes one of them; give one value for the other.")
            wanted = Overrides(
                None if users else parse_users(texts["users"]),
                parse_duration(texts["seconds"]),
                payloads[0] if payloads else parse_payload(texts["payload"]),
                parse_rate(texts["rate"]),
                user_steps=users,
                payload_steps=payloads,
                warmup_s=parse_warmup(texts["warm-up"]),
                repeat=parse_repeat(texts["runs"]),
            )
            if users and wanted.rate is not None:
                raise ValueError("Several users and a rate: a rate fixes the throughput; leave one of the two out.")
        except ValueError as error:
            self.query_one("#wrong", Static).update(Content(f"▲ {error}"))
            return
        self.dismiss(wanted)
