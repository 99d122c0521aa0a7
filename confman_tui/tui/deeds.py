"""What the keys do: commands to the session, dialogs, and the ways out. Runs on the screen's thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.session.events import Phase
from confman_tui.settings import scenarios
from confman_tui.tui import state as model
from confman_tui.tui.actions import RUN, fault_kinds, followers, why_not
from confman_tui.tui.node_names import name_of
from confman_tui.tui.screens.confirm import ConfirmDialog
from confman_tui.tui.screens.details import DetailsDialog
from confman_tui.tui.screens.fault import FaultDialog
from confman_tui.tui.screens.help import HelpDialog
from confman_tui.tui.screens.overrides import Overrides, OverridesDialog
from confman_tui.tui.screens.rounds import RoundsDialog
from confman_tui.tui.screens.series_curves import SeriesDialog
from confman_tui.tui.screens.tier import TierDialog

if TYPE_CHECKING:
    from confman_tui.tui.app import ConfmanApp

RATE_STEP = 1.1
"""What one step of the rate multiplies or divides it by: a step back gives the rate before."""
SCROLL = 0.25
"""Share of the window that one step through time takes."""


async def _beside(work: Callable[[], FaultPlan]) -> FaultPlan:
    """Do it on a thread of its own and give what it gives. The program's end does not wait for it, as it would for
    a thread of ``asyncio.to_thread``."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[FaultPlan] = loop.create_future()

    def settle(preview: FaultPlan | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        elif preview is not None:
            done.set_result(preview)

    def live() -> None:
        preview, failure = None, None
        try:
            preview = work()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the app has ended meanwhile
            loop.call_soon_threadsafe(settle, preview, failure)

    threading.Thread(target=live, name="fault preview", daemon=True).start()
    return await done


class Deeds:
    """The actions of one app."""

    def __init__(self, app: ConfmanApp) -> None:
        self._app = app

    def do(self, action: str) -> None:
        """Do an action, or say why it can't be done now."""
        app = self._app
        reason = why_not(action, app.circumstances())
        if reason is not None:
            app.say(reason, "warning")
            return
        if action.startswith(RUN):
            self._run((action.removeprefix(RUN),))
            return
        getattr(self, f"_do_{action}")()

    # -- load -------------------------------------------------------------------------------------------------------

    def _run(self, names: tuple[str, ...]) -> None:
        if self._app.state.phase is Phase.IDLE:
            model.asked(self._app.state, names)
        self._app.session.run_scenarios(names)
        self._app.window.go_live()
        self._app.draw()

    def _do_suite(self) -> None:
        self._run(tuple(scenario.name for scenario in scenarios.suite()))

    def _do_stop(self) -> None:
        self._app.session.stop()

    def _do_rate_up(self) -> None:
        self._app.session.change_rate(RATE_STEP)

    def _do_rate_down(self) -> None:
        self._app.session.change_rate(1 / RATE_STEP)

    def _do_tier(self) -> None:
        config = self._app.state.config
        present = config.tier if config is not None else ""

        def chosen(tier: str | None) -> None:
            if tier is not None and tier != present:
                self._app.session.choose_tier(tier)

        self._app.push_screen(TierDialog(self._app.options.tiers, present), chosen)

    def _do_overrides(self) -> None:
        config = self._app.state.config
        assert config is not None

        def chosen(wanted: Overrides | None) -> None:
            if wanted is not None:
                session = self._app.session
                session.override(wanted.users, wanted.duration_s, wanted.payload_bytes, wanted.rate)
                session.vary(wanted.user_steps, wanted.payload_steps, wanted.warmup_s, wanted.repeat)

        present = Overrides(config.users, config.duration_s, config.payload_bytes, config.rate)
        present = replace(present, user_steps=config.user_steps, payload_steps=config.payload_steps)
        present = replace(present, warmup_s=config.warmup_s, repeat=config.repeat)
        self._app.push_screen(OverridesDialog(present), chosen)

    def _do_sweep(self) -> None:
        self._app.session.sweep()
        self._app.window.go_live()

    def _do_series(self) -> None:
        self.show_series()

    def _do_leftovers(self) -> None:
        self._app.session.remove_leftovers()

    # -- elections --------------------------------------------------------------------------------------------------

    def _do_kill(self) -> None:
        self._fault_leader(FaultKind.KILL)

    def _do_isolate(self) -> None:
        self._fault_leader(FaultKind.ISOLATE)

    def _do_pause(self) -> None:
        paused = self._app.state.touched(frozenset({FaultKind.PAUSE}))
        if paused:
            self._fault(FaultKind.RESUME, paused[0])
        else:
            self._fault_leader(FaultKind.PAUSE)

    def _do_fault(self) -> None:
        state = self._app.state
        offers = [(node, kind) for node in followers(state) for kind in fault_kinds(state, node)]

        def chosen(offer: tuple[str, FaultKind] | None) -> None:
            if offer is not None:
                self._fault(offer[1], offer[0])

        self._app.push_screen(FaultDialog(tuple(offers), dict(state.names)), chosen)

    def _do_revive(self) -> None:
        self._app.session.revive()

    def _do_drill(self) -> None:
        state = self._app.state
        leader = state.view.leader if state.view is not None else None
        if leader is None:
            self._app.session.drill()
            return
        kind, rounds = self._app.options.drill_fault, self._app.options.drill_rounds
        often = "1 round" if rounds == 1 else f"{rounds} rounds"
        what = f"{often} under write load: {kind.value} the leader, wait for the next, bring the node back"
        self._ask_about(kind, leader, self._app.session.drill, "Start the drill?", what, "start the drill")

    def _do_rounds(self) -> None:
        self.show_rounds()

    def _fault_leader(self, kind: FaultKind) -> None:
        view = self._app.state.view
        assert view is not None
        assert view.leader is not None
        self._fault(kind, view.leader)

    def _fault(self, kind: FaultKind, node: str) -> None:
        session = self._app.session
        what = f"{kind.value} {name_of(node, self._app.state.names)}"
        self._ask_about(kind, node, lambda: session.cause_fault(kind, node), f"{what}?", what, f"{kind.value} it")

    def _ask_about(self, kind: FaultKind, node: str, deed: Callable[[], None], title: str, what: str, yes: str) -> None:
        """Preview off the screen's thread (looking for a process takes a while), ask where it must be asked, do."""
        app = self._app

        async def work() -> None:
            try:
                preview = await _beside(lambda: app.session.preview_fault(kind, node))
            except FaultRefusedError as refusal:
                app.say(str(refusal), "warning")
                return
            if preview.needs_confirmation:
                dialog = ConfirmDialog(title, (what, f"process: {preview.target}"), preview.warning, yes)
                app.push_screen(dialog, lambda sure: deed() if sure else None)
            else:
                deed()

        app.run_worker(work(), group="fault", exclusive=True, exit_on_error=False)

    # -- cluster ----------------------------------------------------------------------------------------------------

    def _do_retry(self) -> None:
        self._app.session.retry()

    def _do_demo(self) -> None:
        self._app.session.start_demo()

    # -- view -------------------------------------------------------------------------------------------------------

    def _do_hold(self) -> None:
        self._app.hold()

    def _do_graphs(self) -> None:
        self._app.dashboard.switch_graph()

    def _do_zoom_in(self) -> None:
        self._zoomed(self._app.window.zoom_in(), "15 s is the shortest time shown.")

    def _do_zoom_out(self) -> None:
        self._zoomed(self._app.window.zoom_out(), "10 min is the longest time shown.")

    def _zoomed(self, changed: bool, limit: str) -> None:
        if changed:
            self._app.draw_charts()
        else:
            self._app.say(limit)

    def _do_back(self) -> None:
        self._scroll(-SCROLL)

    def _do_forward(self) -> None:
        self._scroll(SCROLL)

    def _scroll(self, share: float) -> None:
        self._app.window.scroll(share, self._app.options.clock())
        self._app.draw()
        self._app.draw_charts()

    def _do_filter(self) -> None:
        app = self._app
        app.dashboard.log_pane.next_topic()
        app.dashboard.log_pane.show(app.held or app.frame())

    def _do_copy(self) -> None:
        chosen = self._app.dashboard.log_pane.chosen
        if chosen is None:
            self._app.say("No line is chosen.", "warning")
            return
        self._app.copy_to_clipboard(chosen.plain)
        self._app.say(f"Copied: {chosen.plain}")

    def _do_picture(self) -> None:
        app = self._app
        stamp = datetime.fromtimestamp(app.options.clock()).strftime("%Y%m%d-%H%M%S")
        target = app.options.output_dir / f"screen-{stamp}.svg"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(app.export_screenshot(title="confman-tui"), encoding="utf-8")
        except OSError as error:
            app.say(f"The picture could not be written to {target}: {error.strerror or error}", "error")
            return
        app.say(f"Picture saved: {target}")

    def _do_theme(self) -> None:
        self._app.action_change_theme()

    def _do_palette(self) -> None:
        self._app.action_command_palette()

    def _do_help(self) -> None:
        self._app.push_screen(HelpDialog(self._app.shown_key))

    def show_details(self, scenario: str) -> None:
        """Open a scenario's figures."""
        app = self._app
        row = app.state.rows[scenario]
        if row.started is None:
            app.say(f"{scenario} has not run yet; {row.scenario.key} starts it.")
            return
        app.push_screen(DetailsDialog(row, app.state.names, app.renderer))

    def show_series(self) -> None:
        """Open the graphs of the last series, unless a dialog is open."""
        app = self._app
        if app.screen is app.dashboard and app.state.series is not None:
            app.push_screen(SeriesDialog(app.state, app.renderer))

    def show_rounds(self) -> None:
        """Open the drill's rounds and verdict, unless a dialog is open."""
        app = self._app
        if app.screen is app.dashboard:
            app.push_screen(RoundsDialog(app.state, app.renderer))

    # -- the ways out -----------------------------------------------------------------------------------------------

    def _do_quit(self) -> None:
        app = self._app
        if app.closing_since is not None:
            self._leave_at_once()
        elif app.state.busy:
            what = f"{app.state.running} is running" if app.state.running else f"{app.state.phase.value} goes on"
            facts = (f"{what}. Quitting stops it, saves its figures so far and cleans up the data.",)

            def answered(sure: bool | None) -> None:
                if sure:
                    self.leave()

            app.push_screen(ConfirmDialog("Quit?", facts, "", "quit", q_is_yes=True), answered)
        else:
            self.leave()

    def leave(self) -> None:
        """Ask the session to end; the screen goes when it has, or when the limit is over."""
        app = self._app
        if app.closing_since is not None:
            return
        app.closing_since = app.options.clock()
        app.session.quit()
        while app.screen is not app.dashboard and len(app.screen_stack) > 1:
            app.pop_screen()
        app.draw()

    def watch_leaving(self) -> None:
        """Go when the limit is over, saying what stays behind."""
        app = self._app
        if app.closing_since is not None and app.options.clock() - app.closing_since >= app.options.quit_limit_s:
            self._leave_at_once()

    def finish(self) -> None:
        """The session has ended: the screen goes."""
        self._exit()

    def _leave_at_once(self) -> None:
        self._app.left_at_once = True
        self._app.stays_behind = self._app.session.leave_behind()
        self._exit()

    def _exit(self) -> None:
        app = self._app
        app.exit(app.state.exit_code if app.forced_exit is None else app.forced_exit)
