"""What a test wants of a session without a screen: its settings, and the events that it emits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from confman_tui.session.events import Event, NoticeGiven
from confman_tui.settings import Settings, resolve
from confman_tui.settings.resolution import Flags
from tests.support.waiting import until

T = TypeVar("T")


class RecordedEvents:
    """A session's events, with something to do at one of them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at: Callable[[Event], bool] = lambda event: False
        self.then: Callable[[], None] = lambda: None

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self.at(event):
            self.at = lambda event: False
            self.then()

    def when(self, at: Callable[[Event], bool], then: Callable[[], None]) -> None:
        """Do this once, at the next event of that kind."""
        self.at, self.then = at, then

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def texts(self) -> str:
        """All notices, one a line."""
        return "\n".join(event.text for event in self.of(NoticeGiven))

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition, "the awaited event")


def settings_for(nodes: str, home: Path, *flags: tuple[str, str]) -> Settings:
    """Settings of a headless program on these nodes, with nothing of a settings file or the environment."""
    given: Flags = {"headless": True, "nodes": nodes, "output-dir": str(home / "results"), **dict(flags)}
    return resolve("bench", given, {}, home / "no-config.toml", None).settings
