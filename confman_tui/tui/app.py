"""The app: takes events in, owns the state, draws frames, and turns keys into commands to the session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette, Provider
from textual.notifications import SeverityLevel
from textual.screen import Screen

from confman_tui.core.errors import EXIT_CRASH
from confman_tui.session.commands import SessionCommands
from confman_tui.session.events import (
    DeferredRunDropped,
    DrillEnded,
    Event,
    GeneratorLimitReached,
    Level,
    NoticeGiven,
    Phase,
    RunDeferred,
    SampleRecorded,
    SeriesEnded,
    VerificationEnded,
)
from confman_tui.settings.scenarios import CATALOGUE
from confman_tui.tui import breath
from confman_tui.tui import state as model
from confman_tui.tui.actions import ACTIONS, BY_ID, RUN, Circumstances, display, hints, start_keys
from confman_tui.tui.charts.axis import TimeWindow
from confman_tui.tui.charts.renderer_client import ChartRenderer
from confman_tui.tui.command_palette import ActionProvider
from confman_tui.tui.deeds import Deeds
from confman_tui.tui.frame import Frame
from confman_tui.tui.history import History
from confman_tui.tui.keymap import check_keymap
from confman_tui.tui.lag import LagMeter
from confman_tui.tui.log import deferred_words
from confman_tui.tui.mailbox import EventsArrived, Mailbox, QuitRequested
from confman_tui.tui.screens.dashboard import Dashboard
from confman_tui.tui.start_options import UiOptions
from confman_tui.tui.text import clean
from confman_tui.tui.widgets.keybar import KeyBar
from confman_tui.tui.widgets.scenario_table import ScenarioTable
from confman_tui.tui.widgets.timeline import ClusterTimeline

TICK_S = 0.25
"""Gauges and counters move this often at most."""
LEAST_GAP_S = 0.05
"""News is drawn at once, but no two drawings come closer than this."""
STEADY_S = 1.2
"""While a run goes on without news, the screen is drawn once for each of its seconds: each drawing holds up the load of
this process for some milliseconds. After so long without a second, it is drawn all the same."""
TIMELINE_TICKS, SECOND_TICKS = 2, 4
"""While something moves the lanes are drawn twice a second; all else, and all when nothing moves, once."""


class ConfmanApp(App[int], inherit_bindings=False):
    """The dashboard over a session. `run` gives the exit code; ``crash`` holds a defect's exception."""

    TITLE = "confman-tui"
    ALLOW_SELECT = False
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionProvider}
    COMMAND_PALETTE_BINDING = BY_ID["palette"].key
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(a.key, f"do('{a.id}')", a.label, show=False, tooltip=a.help, id=a.id)
            for a in ACTIONS
            if a.id != "palette"
        ),
        Binding(BY_ID["palette"].key, "command_palette", "commands", show=False, id="palette"),
        # Terminals send it for ^C; the screen is in raw mode, so no signal comes.
        Binding("ctrl+c", "do('quit')", "quit", show=False, priority=True),
    ]

    def __init__(self, session: SessionCommands, options: UiOptions, *, lag: LagMeter | None = None) -> None:
        """Raises `UsageError` when a key of ``options.keymap`` can't work."""
        check_keymap(options.keymap)
        super().__init__()
        self.session = session
        self.options = options
        self.state = model.initial(
            [replace(scenario, key=self.shown_key(f"{RUN}{scenario.name}")) for scenario in CATALOGUE]
        )
        self.state.keys = options.keymap
        self.state.drill_row.scenario = replace(self.state.drill_row.scenario, key=self.shown_key("drill"))
        self.history = History()
        self.window = TimeWindow(span=60.0)
        self.renderer = ChartRenderer(on_notice=self._chart_notice)
        self.dashboard = Dashboard(self.window, self.renderer, len(CATALOGUE), start_keys(options.keymap))
        self.mailbox = Mailbox(self._wake)
        self.crash: BaseException | None = None
        self.stays_behind = ""
        """What was left undone when the program went at once; empty when nothing was."""
        self.left_at_once = False
        """Whether it went without waiting for the session's end."""
        self.held: Frame | None = None
        """What the panes go on showing while the view is held."""
        self.closing_since: float | None = None
        self.forced_exit: int | None = None
        """The exit code that a signal asked for."""
        self.deeds = Deeds(self)
        self._lag = lag or LagMeter()
        self._loop_of_app: asyncio.AbstractEventLoop | None = None
        self._early_quit: QuitRequested | None = None
        self._ticks = 0
        self._drawn = 0.0
        self._draw_waits = False
        self.set_keymap(options.keymap)
        breath.breathe_in_textual()
        if options.theme in self.available_themes:
            self.theme = options.theme

    # -- life -------------------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        return self.dashboard

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda theme: self._remember(theme.name))
        self.renderer.start()
        self._lag.start()
        self.set_interval(TICK_S, self._tick)
        self.session.start(self.mailbox.put)
        self._loop_of_app = asyncio.get_running_loop()
        if self._early_quit is not None:
            self.post_message(self._early_quit)
        self.draw()

    def on_unmount(self) -> None:
        self._lag.stop()
        breath.set_pace(breath.ALONE)
        self.renderer.close()

    def _handle_exception(self, error: Exception) -> None:
        # Textual offers no public hook; a defect must be told apart from a wish to leave.
        if self.crash is None:
            self.crash = error
        super()._handle_exception(error)
        self._return_code = EXIT_CRASH

    def _fatal_error(self) -> None:
        # Textual's own shows the values of all variables, which could hold what must not be shown.
        self._close_messages_no_wait()

    def _remember(self, theme: str) -> None:
        if self.options.remember_theme is not None and theme != self.options.theme:
            self.options.remember_theme(theme)

    # -- events in --------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """On the session's thread. After the app's end nobody listens any more, which is no error."""
        with suppress(RuntimeError):
            self.post_message(EventsArrived())

    def request_quit(self, exit_code: int | None = None) -> None:
        """End as ``q`` does, but without a question; for signal handlers and other threads.

        ``exit_code`` is then the app's. Before the app runs, the wish is kept until it does.
        """
        if self._loop_of_app is None:
            self._early_quit = QuitRequested(exit_code)
            return
        # Not a plain post: in a signal handler that would not wake the sleeping loop.
        with suppress(RuntimeError):
            self._loop_of_app.call_soon_threadsafe(self.post_message, QuitRequested(exit_code))

    def on_events_arrived(self) -> None:
        self._take(draw_gauges=False)

    def on_quit_requested(self, message: QuitRequested) -> None:
        self.forced_exit = message.exit_code
        self.deeds.leave()

    def _take(self, *, draw_gauges: bool) -> None:
        now = self.options.clock()
        news = sampled = False
        for event in self.mailbox.take():
            self.history.apply(event)
            news = model.apply(self.state, event, now) or news
            sampled = sampled or isinstance(event, SampleRecorded)
            self._announce(event)
        breath.set_pace(breath.BESIDE_LOAD if self.state.loads_here else breath.ALONE)
        if self.state.phase is Phase.CLOSED:
            self.deeds.finish()
        elif news:
            self.draw_soon(charts=True)
        elif sampled or draw_gauges:
            self.draw(charts=sampled)

    def _announce(self, event: Event) -> None:
        """Toasts for what must not be missed, and the drill's verdict."""
        if isinstance(event, NoticeGiven) and event.level is not Level.INFO:
            self.say(event.text, "error" if event.level is Level.ERROR else "warning")
        elif isinstance(event, VerificationEnded) and event.result.judged and not event.result.passed:
            self.say(f"{event.result.lost} acknowledged writes LOST, {event.result.phantom} phantom", "error")
        elif isinstance(event, GeneratorLimitReached):
            tip = f". Try {event.bound.advice}" if event.bound.advice else ""
            self.say(f"This program is the limit, not the cluster: {event.bound.reason}{tip}", "warning")
        elif isinstance(event, RunDeferred | DeferredRunDropped):
            self.say(f"{deferred_words(event, self.shown_key('stop'))}.")
        elif isinstance(event, DrillEnded):
            self.deeds.show_rounds()
        elif isinstance(event, SeriesEnded):
            self.deeds.show_series()

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        """A short-lived note over the screen, as plain text."""
        self.notify(clean(text, 300), severity=severity, timeout=5, markup=False)

    def _chart_notice(self, text: str) -> None:
        self.mailbox.put(NoticeGiven(Level.INFO, text, self.options.clock()))

    # -- drawing ----------------------------------------------------------------------------------------------------

    def circumstances(self) -> Circumstances:
        """What decides which keys do something now."""
        board = self.dashboard
        return Circumstances(
            self.state,
            held=self.held is not None,
            one_graph=board.one_graph,
            graphs_shown=board.graphs_shown,
            log_shown=board.plan is None or board.plan.log > 0,
            live=self.window.live,
            leaving=self.closing_since is not None,
        )

    def frame(self) -> Frame:
        """The inputs of a drawing now."""
        behind = None if self.held is None else self.state.events - self.held.state.events
        now = self.options.clock()
        return Frame(self.state, self.history, now, behind, self._lag.worst(), self.closing_since)

    def hold(self) -> None:
        """Hold the view as it is, or let it go on; collecting goes on all the while."""
        if self.held is None:
            now = self.frame()
            self.held = replace(now, state=now.state.copy())
            self.window.hold(now.now)
        else:
            self.held = None
            self.window.release()
        self.draw(charts=True)

    def _tick(self) -> None:
        self._ticks += 1
        steady = self.state.steady and self.closing_since is None
        moving = not steady and (
            self.state.busy or self.state.open_window is not None or self.closing_since is not None
        )
        whole = self._ticks % SECOND_TICKS == 0
        # what a steady run's every second brings is drawn when it comes
        due = whole and not (steady and self._loop_time() - self._drawn < STEADY_S)
        if moving or due:
            self._take(draw_gauges=True)
        if self.closing_since is not None:
            self.deeds.watch_leaving()
        if whole:
            self.session.note_screen_lag(self._lag.worst())
        if self.held is None and self.state.phase is not Phase.CLOSED:
            if due:
                self.draw_charts()
            elif moving and self._ticks % TIMELINE_TICKS == 0:
                self.draw_charts(graphs=False)

    def draw_soon(self, *, charts: bool = False) -> None:
        """Draw at once, or as soon as the least gap since the last drawing is over."""
        gap = self._loop_time() - self._drawn
        if gap >= LEAST_GAP_S:
            self.draw(charts=charts)
        elif not self._draw_waits:
            self._draw_waits = True
            self.set_timer(LEAST_GAP_S - gap, lambda: self.draw(charts=True))

    @property
    def _seen(self) -> bool:
        """Whether the dashboard is there; below a dialog too, what it says of the cluster must not grow old."""
        return self.is_running and self.dashboard.is_attached

    def draw(self, *, charts: bool = False) -> None:
        """Draw the panes of text, and the charts when asked to."""
        self._draw_waits = False
        if not self._seen:
            return
        self._drawn = self._loop_time()
        frame = self.frame()
        now = self.circumstances()
        with self.batch_update():
            self.dashboard.show(self.held or frame, frame, self.history.nodes)
            offered = hints(now, self.options.keymap)
            self.dashboard.keys.show(offered)
            if self.dashboard.offline.display:
                wanted = ("demo", "retry", "stop", "quit")
                keys = tuple((hint.key, hint.label) for hint in offered if hint.action in wanted)
                self.dashboard.offline.show(frame, keys)
        if charts:
            self.draw_charts()

    def draw_charts(self, *, graphs: bool = True) -> None:
        """Draw timeline and graphs over the one time axis."""
        if not self._seen:
            return
        frame = self.held or self.frame()
        axis = self.window.axis(frame.now)
        with self.batch_update():
            self.dashboard.show_timeline(frame, axis)
            if graphs:
                self.dashboard.show_graphs(frame, axis)

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()

    def on_dashboard_layout_changed(self) -> None:
        self.draw(charts=True)

    def on_cluster_timeline_view_changed(self, message: ClusterTimeline.ViewChanged) -> None:
        self.draw(charts=True)

    # -- keys -------------------------------------------------------------------------------------------------------

    def key_of(self, action: str) -> str:
        """The key in force for an action, in Textual's spelling."""
        return self.options.keymap.get(action, BY_ID[action].key)

    def shown_key(self, action: str) -> str:
        """The key in force as it is written on the screen."""
        return display(self.key_of(action))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "do" and parameters and parameters[0] in ("retry", "revive"):
            # One key for both: what it means depends on whether there is a cluster.
            return (parameters[0] == "retry") == (self.state.phase is Phase.OFFLINE)
        return super().check_action(action, parameters)

    def action_do(self, action: str) -> None:
        """Do what a key stands for."""
        self.do(action)

    def do(self, action: str) -> None:
        """Do an action, or say why it can't be done now."""
        self.deeds.do(action)

    def on_key_bar_pressed(self, message: KeyBar.Pressed) -> None:
        self.do(message.action)

    def on_scenario_table_row_started(self, message: ScenarioTable.RowStarted) -> None:
        self.do("suite" if message.scenario is None else f"run.{message.scenario}")

    def on_scenario_table_row_opened(self, message: ScenarioTable.RowOpened) -> None:
        self.deeds.show_details(message.scenario)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """None: all there is to do stands among the app's own actions."""
        return ()

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="What shall be done?", id="--command-palette"))
