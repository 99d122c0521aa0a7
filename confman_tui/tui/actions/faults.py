"""What is done to nodes: faults, their undoing, the election drill."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.cluster.faults.injector import FaultPlan
from confman_tui.settings.fault_kinds import HURTING
from confman_tui.tui.base_app import BaseApp
from confman_tui.tui.keys.availability import fault_kinds, followers
from confman_tui.tui.node_names import name_of
from confman_tui.tui.screens.asks import DrillDialog
from confman_tui.tui.screens.confirm import ConfirmDialog
from confman_tui.tui.screens.fault import FaultDialog


class FaultActions(BaseApp):
    """Faults and the drill. Each is previewed first: where it must be confirmed, a person is asked."""

    def action_kill(self) -> None:
        """Kill the leader."""
        self._fault_leader(FaultKind.KILL)

    def action_isolate(self) -> None:
        """Isolate the leader."""
        self._fault_leader(FaultKind.ISOLATE)

    def action_pause(self) -> None:
        """Pause the leader, or resume a paused node."""
        paused = self.state.touched(frozenset({FaultKind.PAUSE}))
        if paused:
            self._fault(FaultKind.RESUME, paused[0])
        else:
            self._fault_leader(FaultKind.PAUSE)

    def action_fault(self) -> None:
        """Choose a follower and what to do to it."""
        offers = [(node, kind) for node in followers(self.state) for kind in fault_kinds(self.state, node)]

        def on_chosen(offer: tuple[str, FaultKind] | None) -> None:
            if offer is not None:
                self._fault(offer[1], offer[0])

        self.push_screen(FaultDialog(tuple(offers), dict(self.state.names)), on_chosen)

    def action_revive(self) -> None:
        """Bring back every node that is down by us."""
        self.session.revive()

    def action_drill(self) -> None:
        """Ask for fault and rounds, and start the election drill."""
        assert self.state.config is not None
        demo = self.state.config.demo
        kinds = tuple(kind for kind in HURTING if demo or kind is not FaultKind.ISOLATE)

        def on_chosen(plan: tuple[FaultKind, int] | None) -> None:
            if plan is not None:
                self.drill_plan = plan
                self._begin_drill(*plan)

        self.push_screen(
            DrillDialog(kinds, *self.drill_plan),
            on_chosen,
        )

    def _begin_drill(self, kind: FaultKind, rounds: int) -> None:
        def begin() -> None:
            self.session.drill(kind, rounds)

        leader = self.state.view.leader if self.state.view is not None else None
        if leader is None:
            begin()  # it waits for one
            return
        times = "1 round" if rounds == 1 else f"{rounds} rounds"
        what = f"{times} under write load: {kind.value} the leader, wait for the next, bring the node back"
        self._ask_about(kind, leader, begin, "Start the drill?", what, "start the drill")

    def _fault_leader(self, kind: FaultKind) -> None:
        assert self.state.view is not None
        assert self.state.view.leader is not None
        self._fault(kind, self.state.view.leader)

    def _fault(self, kind: FaultKind, node: str) -> None:
        what = f"{kind.value} {name_of(node, self.state.names)}"

        def cause() -> None:
            self.session.cause_fault(kind, node)

        self._ask_about(kind, node, cause, f"{what}?", what, f"{kind.value} it")

    def _ask_about(self, kind: FaultKind, node: str, do: Callable[[], None], title: str, what: str, yes: str) -> None:
        """Preview off the screen's thread (looking for a process takes a while), ask where it must be asked, do."""

        async def work() -> None:
            try:
                preview = await _on_thread(lambda: self.session.preview_fault(kind, node))
            except FaultRefusedError as refusal:
                self.say(str(refusal), "warning")
                return
            if preview.needs_confirmation:
                dialog = ConfirmDialog(title, (what, f"process: {preview.target}"), preview.warning, yes)
                self.push_screen(dialog, lambda sure: do() if sure else None)
            else:
                do()

        self.run_worker(work(), group="fault", exclusive=True, exit_on_error=False)


async def _on_thread(work: Callable[[], FaultPlan]) -> FaultPlan:
    """What ``work`` gives, done on a thread of its own. The program's end does not wait for that thread, as it would
    for one of ``asyncio.to_thread``."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[FaultPlan] = loop.create_future()

    def settle(preview: FaultPlan | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        elif preview is not None:
            done.set_result(preview)

    def run() -> None:
        preview, failure = None, None
        try:
            preview = work()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the app has ended meanwhile
            loop.call_soon_threadsafe(settle, preview, failure)

    threading.Thread(target=run, name="fault preview", daemon=True).start()
    return await done
