"""The app: takes events in, keeps time, and dispatches keys to the actions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import ClassVar

from textual import actions as textual_actions
from textual.actions import ActionParseResult
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.dom import DOMNode
from textual.screen import Screen

from confman_tui.cluster.states import Fact, FactKind
from confman_tui.results.late_phantoms import late_words
from confman_tui.results.model import ScenarioResult
from confman_tui.session import event_text
from confman_tui.session.commands import SessionCommands
from confman_tui.session.events import (
    DeferredRunDropped,
    DrillEnded,
    Event,
    FactObserved,
    FaultCaused,
    GeneratorLimitReached,
    LateWritesFound,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    RunDeferred,
    SampleRecorded,
    ScenarioStarted,
    SeriesEnded,
    SweepRefused,
    VerificationEnded,
)
from confman_tui.session.exit_reasons import broken_words
from confman_tui.tui import updates, yield_cpu
from confman_tui.tui.actions.dialogs import DialogActions
from confman_tui.tui.actions.faults import FaultActions
from confman_tui.tui.actions.leaving import LeavingActions
from confman_tui.tui.actions.runs import RunActions
from confman_tui.tui.actions.view import ViewActions
from confman_tui.tui.base_app import TOGETHER_S, Panes
from confman_tui.tui.command_palette import ActionProvider
from confman_tui.tui.keys.availability import why_not
from confman_tui.tui.keys.hints import CHOOSE_RUN
from confman_tui.tui.keys.table import ACTIONS, BY_ID, RUN, Action
from confman_tui.tui.lag import LagMeter
from confman_tui.tui.log import deferred_words
from confman_tui.tui.mailbox import EventsArrived, QuitRequested
from confman_tui.tui.start_options import UiOptions
from confman_tui.tui.text import clean
from confman_tui.tui.widgets.keybar import KeyBar
from confman_tui.tui.widgets.scenario_table import ScenarioTable

TICK_S = 0.25
"""Gauges and counters move this often at most."""
STEADY_S = 1.2
"""While a run goes on without news, the screen is drawn once for each of its seconds: each drawing holds up the load of
this process for some milliseconds. After so long without a second, it is drawn all the same."""
TIMELINE_TICKS, SECOND_TICKS = 2, 4
"""While something moves the lanes are drawn twice a second; all else, and all when nothing moves, once."""

_DISPATCHED: dict[tuple[str, tuple[object, ...]], Action] = {
    textual_actions.parse(action.command)[1:]: action for action in ACTIONS
}
"""The table's actions by what Textual dispatches: name and parameters."""


class ConfmanApp(RunActions, FaultActions, ViewActions, DialogActions, LeavingActions, inherit_bindings=False):
    """The dashboard over a session. `run` gives the exit code; ``crash`` holds a defect's exception."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionProvider}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(a.key, a.command, a.label, show=False, tooltip=a.help, id=a.id) for a in ACTIONS),
        # Terminals send it for ^C; the screen is in raw mode, so no signal comes.
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True),
    ]

    def __init__(self, session: SessionCommands, options: UiOptions, *, lag: LagMeter | None = None) -> None:
        """Raises `UsageError` when a key of ``options.keymap`` can't work."""
        super().__init__(session, options, lag=lag)
        self._loop_of_app: asyncio.AbstractEventLoop | None = None
        self._early_quit: QuitRequested | None = None
        self._ticks = 0
        self._fitted: ScenarioResult | None = None
        """The run that the graphs were last fitted to."""

    # -- life -------------------------------------------------------------------------------------------------------

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
        yield_cpu.set_pace(yield_cpu.ALONE)
        self.renderer.close()

    def _remember(self, theme: str) -> None:
        if self.options.remember_theme is not None and theme != self.options.theme:
            self.options.remember_theme(theme)

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

    def request_leave(self, exit_code: int) -> None:
        """End at once, as a second ``q`` does; for signal handlers."""
        if self._loop_of_app is not None:
            with suppress(RuntimeError):
                self._loop_of_app.call_soon_threadsafe(self.post_message, QuitRequested(exit_code, at_once=True))

    def on_quit_requested(self, message: QuitRequested) -> None:
        self.forced_exit = message.exit_code
        if message.at_once:
            self.leave_at_once()
        else:
            self.leave()

    # -- events and time --------------------------------------------------------------------------------------------

    def on_events_arrived(self, message: EventsArrived) -> None:
        """Take what waits in the mailbox into the model, and draw what it changes."""
        now = self.options.clock()
        news = sampled = False
        for event in self.mailbox.take():
            self.history.apply(event)
            news = updates.apply(self.state, event, now) or news
            sampled = sampled or isinstance(event, SampleRecorded)
            self._fit_window(event)
            self._announce(event)
        yield_cpu.set_pace(yield_cpu.BESIDE_LOAD if self.state.loads_here else yield_cpu.ALONE)
        if self.state.phase is Phase.CLOSED:
            self.finish()
        elif news:
            self.draw_soon()
        elif sampled:
            # In one go: text and graphs apart make Textual compose and write the screen three times, and each time a
            # request of the load waits for this thread.
            self.draw(Panes.GRAPHS)
            self.renderer.together(lambda: self.draw(Panes.TEXT | Panes.LANES), TOGETHER_S)
        elif message.draw_gauges:
            self.draw()

    def _fit_window(self, event: Event) -> None:
        """After a run lanes and graphs show it whole, until something new runs. What happens to the cluster meanwhile
        is shown as it happens in the lanes (`BaseApp.graphs_axis` sees to the graphs)."""
        match event:
            case ScenarioStarted() | FaultCaused() | FactObserved(fact=Fact(kind=FactKind.LEADER_LOST)):
                if self.window.fitted:
                    self.window.go_live()
            case PhaseChanged(phase=Phase.IDLE) if (last := self.state.last) is not None and last is not self._fitted:
                self._fitted = last
                if (span := self.state.last_span) is not None:
                    self.window.fit(last.name, *span)
            case _:
                pass

    def _announce(self, event: Event) -> None:
        """Toasts for what must not be missed, and the drill's verdict."""
        if isinstance(event, NoticeGiven) and self.closing_since is not None:
            self.last_words.append(event.text)
        if isinstance(event, NoticeGiven) and event.level is not Level.INFO:
            self.say(event.text, "error" if event.level is Level.ERROR else "warning")
        elif isinstance(event, VerificationEnded) and event.result.failed:
            self.say(f"{event.scenario}: {broken_words(event.result)}", "error")
        elif isinstance(event, LateWritesFound):
            self.say(late_words(event.scenario, event.keys), "error")
        elif isinstance(event, VerificationEnded) and event.result.missed:
            self.say(f"The acknowledged writes of {event.scenario} were not judged: {event.result.note}", "warning")
        elif isinstance(event, GeneratorLimitReached):
            tip = f". Try {event.bound.advice}" if event.bound.advice else ""
            self.say(f"This program is the limit, not the cluster: {event.bound.reason}{tip}", "warning")
        elif isinstance(event, RunDeferred | DeferredRunDropped):
            self.say(f"{deferred_words(event, self.shown_key('stop'))}.")
        elif isinstance(event, SweepRefused):
            self.say(self._refused_words(event), "warning")
        elif isinstance(event, DrillEnded):
            self.action_rounds()
        elif isinstance(event, SeriesEnded):
            self.action_series()

    def _refused_words(self, event: SweepRefused) -> str:
        """Why there is no sweep, and the key that helps."""
        again = self.shown_key("sweep")
        way = f"{again} takes larger sizes"
        if event.seeded < event.held:
            way = f"{self.shown_key('put_back')} puts the data back as seeded, {way}"
        return f"{clean(event_text.refused_words(event)).capitalize()}: {way}."

    def _tick(self) -> None:
        self._ticks += 1
        steady = self.state.steady and self.closing_since is None
        moving = not steady and (
            self.state.busy or self.state.open_window is not None or self.closing_since is not None
        )
        whole = self._ticks % SECOND_TICKS == 0
        # what a steady run's every second brings is drawn when it comes
        due = whole and not (steady and self.loop_time() - self._drawn < STEADY_S)
        if moving or due:
            self.on_events_arrived(EventsArrived(draw_gauges=True))
        self.watch_leaving()
        if whole:
            self.session.note_screen_lag(self._lag.worst())
        if self.held is None and self.state.phase is not Phase.CLOSED:
            if due:
                self.draw(Panes.CHARTS)
            elif moving and self._ticks % TIMELINE_TICKS == 0:
                self.draw(Panes.LANES)

    def on_dashboard_layout_changed(self) -> None:
        self.draw(Panes.ALL)

    def on_cluster_timeline_view_changed(self) -> None:
        self.draw(Panes.ALL)

    # -- keys and clicks --------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """True: it can be done now. None: not now; `run_action` says why. False: its key means something else now."""
        asked = _DISPATCHED.get((action, parameters))
        if asked is None:
            return super().check_action(action, parameters)
        if asked.id in ("retry", "revive") and (asked.id == "retry") != (self.state.phase is Phase.OFFLINE):
            return False
        return True if why_not(asked.id, self.circumstances()) is None else None

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As `App.run_action`; an action of the table that can't be done now says why instead."""
        if await super().run_action(action, default_namespace, namespaces):
            return True
        _, name, parameters = textual_actions.parse(action) if isinstance(action, str) else action
        asked = _DISPATCHED.get((name, parameters))
        by_key = default_namespace is self
        if asked is None or (by_key and self.check_action(name, parameters) is False):
            return False
        reason = why_not(asked.id, self.circumstances())
        if reason is not None:
            self.say(reason, "warning")
        return True

    async def on_key_bar_pressed(self, message: KeyBar.Pressed) -> None:
        if message.action == CHOOSE_RUN:
            self.action_choose_run()
        else:
            await self.run_action(BY_ID[message.action].command)

    async def on_scenario_table_row_started(self, message: ScenarioTable.RowStarted) -> None:
        name = message.scenario
        action = "suite" if name is None else name if name in BY_ID else f"{RUN}{name}"
        await self.run_action(BY_ID[action].command)

    async def on_last_event_opened(self) -> None:
        await self.run_action(BY_ID["filter"].command)

    def on_scenario_table_row_opened(self, message: ScenarioTable.RowOpened) -> None:
        self.show_details(message.scenario)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """None: all there is to do stands among the app's own actions."""
        return ()
