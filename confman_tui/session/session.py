"""The one session: owns the cluster, its data, the load engine and the stop; opens and closes them.

Both front ends use it: the headless one in its own event loop, the screen on a thread beside it
(`confman_tui.session.session_thread`). What runs on it stands in `confman_tui.session.series`, `runs` and `drill`, what
a person changes in `changes`; each gets the session. Nothing that measures lives in a front end.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from confman_tui.cluster.leader_requests import StoppedError
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.core.clock import Clock, now
from confman_tui.core.errors import ClusterError
from confman_tui.load.engine import Engine
from confman_tui.load.workers.plan import WorkerError
from confman_tui.results.files.output_folder import check_writable
from confman_tui.results.model import DrillEnded, ScenarioResult, Series
from confman_tui.session.amending import amend
from confman_tui.session.connection import Connection, MakeDemo, resolve_nodes, start_demo
from confman_tui.session.events import Event, Level, NoticeGiven, Phase, PhaseChanged, ProgressMade, Sink
from confman_tui.session.exit_reasons import ExitReasons
from confman_tui.session.late_writes import LateCheck
from confman_tui.session.patience import Patience
from confman_tui.session.run_recorder import ScenarioRun
from confman_tui.session.workers import SETTLE_S, WorkerWait, worker_plan
from confman_tui.settings import Settings

STOP_WITHIN_S = 3.5
"""How long requests in flight are waited for at a stop: their connection and network timeouts, and a little."""
IN_FLIGHT_S = 0.7
"""The same where the program ends: their fate is of no interest any more."""
CLEAN_WITHIN_S = 60.0
"""How long cleaning up may take at the end where nobody says otherwise."""
PROBE_ENDS_S = 0.7
"""How long the probe's writes in flight are waited for where a person asked for the end."""


class Session:
    """Belongs to one event loop. One activity (opening, a series, a drill, cleaning) runs at a time; the caller sees
    to that. `stop` ends the activity, `interrupt` ends it for good, `close` cleans up and may be called at any time.
    """

    def __init__(
        self,
        settings: Settings,
        emit: Sink,
        make_demo: MakeDemo,
        *,
        interactive: bool = False,
        clock: Clock = now,
    ) -> None:
        """
        Args:
            settings: what was asked for.
            emit: takes the events.
            make_demo: makes the demo cluster when it is asked for.
            interactive: a person is there who can try again.
            clock: stamps everything.
        """
        self.settings = settings
        self._sink = emit
        self.exit_reasons = ExitReasons(strict=settings.strict)
        """Why the program will end with another exit code than 0."""
        self.clock = clock
        self.interactive = interactive
        self.engine = Engine()
        self.connection: Connection | None = None
        """The cluster in use and all that belongs to it; None before one is found."""
        self.run: ScenarioRun | None = None
        """The run under way."""
        self.stop_asked = asyncio.Event()
        """The activity under way must end. After `interrupt` it stays set."""
        self.stop_verifying = asyncio.Event()
        """Verification must end: a run that was stopped is verified all the same, until it is stopped again."""
        self.ending = asyncio.Event()
        """The program ends."""
        self.is_open = False
        """Whether a cluster was found, its key accepted, its data seeded."""
        self.results: tuple[ScenarioResult, ...] = ()
        """Finished scenarios, the latest of each name."""
        self.series: tuple[Series, ...] = ()
        """Finished series, in order."""
        self.drill: DrillEnded | None = None
        """The last drill that ended."""
        self.drill_load: ScenarioResult | None = None
        """Of its load."""
        self.leaving = asyncio.Event()
        """Set when the program ends."""
        self.late: LateCheck | None = None
        """Reads the refused writes of this cluster's runs once more."""
        self._make_demo = make_demo
        self._worker_wait = WorkerWait(self.engine, self.emit, clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._patience = Patience(clock)

    # -- what all that works on it needs

    def emit(self, event: Event) -> None:
        """Tell the front end, and note what the event means for the exit code."""
        if isinstance(event, ProgressMade | PhaseChanged):
            self._patience.progressed()
        self.exit_reasons.take(event)
        self._sink(event)

    @property
    def cluster(self) -> Connection:
        """The cluster in use; raises ClusterError before one is found."""
        if self.connection is None:
            raise ClusterError("no cluster is open yet")
        return self.connection

    @property
    def interrupted(self) -> bool:
        """Whether the program ends."""
        return self.ending.is_set()

    def begin_activity(self) -> None:
        """Something was asked for: an earlier stop is over, unless the program ends."""
        if not self.interrupted:
            self.stop_asked.clear()

    def stopping(self) -> bool:
        """Whether the activity under way must end."""
        return self.stop_asked.is_set()

    def set_run(self, run: ScenarioRun | None) -> None:
        """Which run a stop, a change of the rate and what happens to the cluster belong to from now on."""
        self.run = self.cluster.incidents.run = run
        if run is not None and not self.interrupted:
            self.stop_verifying.clear()

    def keep_result(self, result: ScenarioResult) -> None:
        """A scenario that is no step of a series has a result, or a further run of it has."""
        self.results = (*(held for held in self.results if held.name != result.name), result)

    def phase(self, phase: Phase, detail: str = "") -> None:
        """Emit what it is doing."""
        self.emit(PhaseChanged(phase, self.clock(), detail))

    def notice(self, text: str, level: Level = Level.INFO, *, calls_for: int = 0) -> None:
        """Emit something that a person should know; ``calls_for``: see `NoticeGiven`."""
        self.emit(NoticeGiven(level, text, self.clock(), calls_for))

    def rest(self) -> None:
        """Emit that nothing runs, unless the end has come."""
        if not self.interrupted:
            self.phase(Phase.IDLE)

    def announce_configuration(self) -> None:
        """Emit what the next runs are by the settings in force."""
        self.emit(self.cluster.configuration(self.settings))

    def cluster_summary(self) -> dict[str, object]:
        """``nodes``, ``leader`` and ``term`` for the JSON document."""
        if self.connection is None:
            return {"nodes": [], "leader": None, "term": None}
        return self.connection.summary()

    # -- opening

    async def open(self, *, demo: bool = False) -> None:
        """Start the demo cluster if asked, find the cluster and its leader, check the key, seed.

        Raises:
            UsageError: an address, a port or the output folder is wrong.
            ClusterError: no cluster, no leader within ``--wait``, a refused key, or somebody else's data.
        """
        if self.is_open:
            return
        self.begin_activity()
        check_writable(self.settings.output_dir)
        cluster = await self.connect(demo=demo or self.settings.demo)
        self.announce_configuration()
        if self._stopped_before_open():
            return
        try:
            await self.wait_for_workers()
        except WorkerError as error:
            if not self.interactive:
                raise
            # the cluster is there, and the first run waits for workers again
            self.notice(str(error), Level.ERROR)
        if self._stopped_before_open():
            return
        try:
            await unless_stopped(cluster.dataset.claim(), self.stop_asked)
        except StoppedError:
            self._stopped_before_open()
            return
        cluster.monitor.start_probe()
        with contextlib.suppress(StoppedError):
            await unless_stopped(cluster.dataset.announce_leftovers(), self.stop_asked)
        if not self.stopping():
            await self.seed()
        self.is_open = True
        self.rest()

    def _stopped_before_open(self) -> bool:
        """Whether the program ends. Raises ClusterError when it goes on and only this was stopped: neither is the key
        tried nor the tier ours, so that nothing may be run on the cluster."""
        if self.stopping() and not self.interrupted:
            raise ClusterError("stopped while looking for the cluster")
        return self.stopping()

    async def connect(self, *, demo: bool = False) -> Connection:
        """Find the cluster, or start the demo cluster, and wait for its leader; nothing is written. After a stop it
        returns at once, with whatever is known then. Raises as `open` does, and StoppedError when a stop came before
        the nodes' names were known."""
        await self._leave_cluster()
        settings, processes = self.settings, None
        if demo:
            count, how = settings.demo_nodes, "with fsync" if settings.demo_fsync else "without fsync"
            self.phase(Phase.STARTING, f"{count} demo node{'s' if count > 1 else ''}, {how}")
            processes = await start_demo(self._make_demo, settings, self.stop_asked)
            nodes = processes.urls
        else:
            nodes = await unless_stopped(resolve_nodes(settings), self.stop_asked, 0.0)
        self._start_engine()
        self.phase(Phase.FINDING, ", ".join(nodes))
        cluster = self.connection = Connection(
            settings, nodes, processes, self.engine, self.emit, self.stop_asked, self.clock, self.ending
        )
        self.late = LateCheck(cluster, self.emit, partial(amend, self), self.leaving, self.clock)
        cluster.dataset.before_removing = self.late.before_removal
        await cluster.begin()
        return cluster

    def _start_engine(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.engine.on_trouble = self._on_worker_trouble
        self.engine.start()

    def _on_worker_trouble(self, sentence: str) -> None:
        # On the engine's thread. The loop may be gone when the program is left in a hurry.
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self.notice, sentence, Level.WARNING)

    async def wait_for_workers(self) -> None:
        """Have the workers there that the settings ask for, unless it is stopped meanwhile.

        Raises:
            WorkerError: one can't be started, or too few came.
        """
        plan = worker_plan(self.settings)
        if plan.size:
            self.cluster.monitor.book.stream.settle_s = SETTLE_S
        try:
            await self._worker_wait.wait_for_workers(plan, self.stop_asked)
        except WorkerError:
            if not self.stopping():
                raise

    async def seed(self) -> None:
        """Write the tier's keys; stopping leaves it unseeded."""
        dataset = self.cluster.dataset
        self.phase(Phase.SEEDING, f"tier {dataset.tier.name}")
        await dataset.seed()

    async def seed_if_needed(self) -> None:
        """Seed what an earlier stop or failure left unseeded."""
        if not self.cluster.dataset.seeded and not self.interrupted:
            await self.seed()

    # -- the end

    def stop(self) -> None:
        """Stop the activity that runs: no new requests, those in flight are waited for. What was written is verified
        then; stopped in the verification, that ends too."""
        self.stop_asked.set()
        if self.run is not None and self.run.outcome is None:
            in_flight = self.engine.health().in_flight
            self.phase(Phase.STOPPING, f"{in_flight} request{'s' if in_flight != 1 else ''} in flight")
            self.engine.stop_run(within_s=IN_FLIGHT_S if self.interrupted else None)
        else:
            self.stop_verifying.set()

    def interrupt(self) -> None:
        """Stop for good: the program ends. No answer of a node is waited for any longer, but for the cleaning's, as
        long as they come."""
        self.ending.set()
        if self._closed:
            self._patience.hurry()
        self.leaving.set()
        self.stop_verifying.set()
        self.stop()

    def leave_behind(self) -> str:
        """What would stay on the cluster if the program left now, in a sentence; empty when nothing would."""
        held = self.connection
        if held is None or not held.dataset.dirty or held.data_is_temporary:
            return ""
        return (
            f"{len(held.dataset.namespaces)} namespaces bench-{held.dataset.tier.name}-… stay on the cluster; "
            "`confman-tui clean` removes them"
        )

    async def close(self, *, within_s: float = CLEAN_WITHIN_S) -> None:
        """Clean up what was seeded and written, end the demo cluster, the engine and all connections.

        Args:
            within_s: seconds for the cleaning; what it does not reach stays behind, and a notice says so.
        """
        if self._closed:
            return
        self._closed = True
        asked = self.interrupted
        self.ending.set()
        self.stop_asked.set()
        try:
            if self.connection is not None:
                self.connection.incidents.resume_all()
                with contextlib.suppress(StoppedError):
                    await unless_stopped(self.read_late(), self.ending if asked else self._patience.hurried)
                with contextlib.suppress(StoppedError):
                    await unless_stopped(
                        self.connection.monitor.stop_probe(PROBE_ENDS_S if asked else None), self._patience.hurried, 0.0
                    )
                await self._clean_up(self.connection, within_s, asked=asked)
        finally:
            await self._leave_cluster()
            await asyncio.to_thread(self.engine.close, STOP_WITHIN_S)
            self.is_open = False

    async def read_late(self) -> None:
        """The last run has ended and its data is still there: read the refused writes of all runs once more, and add
        what appeared to their results and files."""
        if self.late is not None:
            await self.late.at_end(self.settings.late_s)

    async def _clean_up(self, cluster: Connection, within_s: float, *, asked: bool) -> None:
        dataset = cluster.dataset
        if not dataset.dirty:
            return
        if self.settings.no_cleanup:
            await self._patience.while_it_gets_on(dataset.release(), within_s, asked=asked)
            self.notice(f"the data stays on the cluster, as asked: {len(dataset.namespaces)} namespaces")
            return
        if cluster.data_is_temporary:
            return  # it goes with the demo cluster's folder
        self.phase(Phase.CLEANING, f"tier {dataset.tier.name}")
        try:
            why = await self._patience.while_it_gets_on(dataset.clean(), within_s, asked=asked)
        except ClusterError as error:
            why = str(error)
        if why:
            self.notice(f"cleaning failed ({why}): {self.leave_behind()}", Level.ERROR)

    async def _leave_cluster(self) -> None:
        held, self.connection = self.connection, None
        if held is not None:
            await held.leave()

    def abandon(self) -> None:
        """Leave at once: resume paused nodes, end the demo cluster. Any thread; waits for nothing else."""
        held = self.connection
        if held is not None:
            held.abandon()
