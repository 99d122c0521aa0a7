"""What the tests of the screen share: an app over a fake session, with a clock that is a value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from confman_tui.session.events import Event
from confman_tui.tui import yield_cpu
from confman_tui.tui.app import ConfmanApp
from confman_tui.tui.base_app import Panes
from confman_tui.tui.lag import LagMeter
from confman_tui.tui.mailbox import EventsArrived
from confman_tui.tui.start_options import UiOptions
from tests.support import screen_story
from tests.support.fake_session import FakeSession
from tests.support.waiting import until

# No load is made beside these screens, so that nobody needs the pauses of their drawings: five sixths of the time that
# a drawing takes beside a load. Programs on terminals of their own (`tests/program`) make them.
yield_cpu.ALONE = yield_cpu.Pace(float("inf"), 0.0)
yield_cpu.BESIDE_LOAD = yield_cpu.Pace(float("inf"), 0.0)
yield_cpu.set_pace(yield_cpu.ALONE)

NOTES_STAY_S = 3600.0


@dataclass
class TestClock:
    """Now, as set by the test."""

    __test__ = False
    now: float = screen_story.START

    def __call__(self) -> float:
        return self.now


class NoLag(LagMeter):
    """A loop that is never late, so that pictures do not differ."""

    def worst(self) -> float:
        return 0.0004


@dataclass
class ScreenUnderTest:
    """All that a test holds of one app."""

    app: ConfmanApp
    session: FakeSession
    clock: TestClock
    pilot: Pilot[int]

    async def emit(self, *events: Event) -> None:
        """Emit events and let the app take them in."""
        self.session.emit(*events)
        await self.pilot.pause()
        self.app.on_events_arrived(EventsArrived(draw_gauges=True))
        await self.pilot.pause()

    async def play(self, timed: Iterable[tuple[float, Event]], until: float = 1e12) -> None:
        """Emit a story's events at their times, as a screen that keeps pace takes them in."""
        for at, event in timed:
            if at > until:
                break
            self.clock.now = at
            self.session.emit(event)
            self.app.on_events_arrived(EventsArrived())
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys and let their effects happen."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def drawn(self) -> None:
        """Draw all of the present moment and wait for the graphs' child process."""
        self.app.draw(Panes.ALL)
        await self.pilot.pause()
        while not self.app.renderer.idle:
            await until(lambda: self.app.renderer.idle, "graphs drawn")
            # a picture that has come may change what else is to be drawn
            await self.pilot.pause()

    def lines(self) -> list[str]:
        """The screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines())

    def toasts(self) -> list[str]:
        """What the notes over the screen say."""
        return [note.message for note in self.app._notifications]

    def at_home(self) -> bool:
        """Whether no dialog is open."""
        return self.app.screen is self.app.dashboard

    def asked(self, command: str) -> list[tuple[object, ...]]:
        """The calls of one command to the session."""
        return [call for call in self.session.calls if call[0] == command]


def make_app(folder: Path, session: FakeSession, clock: TestClock, **options: object) -> ConfmanApp:
    """An app over the fake session."""
    app = ConfmanApp(session, UiOptions(folder, clock=clock, **options), lag=NoLag())  # type: ignore[arg-type]
    # The graphs' child process starts at the first graph; most tests draw none, and starting early costs them time.
    app.renderer.start = lambda: None  # type: ignore[method-assign]
    # Notes stay: the five seconds after which they go are those of the wall clock.
    notify = app.notify
    app.notify = lambda message, **options: notify(message, **{**options, "timeout": NOTES_STAY_S})  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def open_screen(
    folder: Path, size: tuple[int, int] = (120, 40), *, found: bool = True, **options: object
) -> AsyncIterator[ScreenUnderTest]:
    """A running app; by default the demo cluster is found and idle."""
    session, clock = FakeSession(), TestClock()
    app = make_app(folder, session, clock, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        made = ScreenUnderTest(app, session, clock, pilot)
        if found:
            clock.now = screen_story.START + 3
            await made.emit(*screen_story.found())
        yield made
