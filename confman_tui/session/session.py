"""The one session: finds the cluster, seeds, runs, verifies and cleans up, and tells all of it in frozen events.

Both front ends use it: the headless one in its own event loop, the screen on a thread beside it
(`confman_tui.session.session_thread`). Nothing that measures lives in a front end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from confman_tui.cluster.elections import FaultKind
from confman_tui.cluster.faults.control import FaultRefusedError
from confman_tui.core.clock import Clock, now
from confman_tui.core.errors import ClusterError
from confman_tui.load.engine import Engine
from confman_tui.load.workers.plan import WorkerError
from confman_tui.results.files.output_folder import ResultsError, check_writable
from confman_tui.results.files.series_files import save_series
from confman_tui.results.model import ScenarioResult, Series
from confman_tui.session import connection, drill, series
from confman_tui.session.commands import FaultPreview
from confman_tui.session.connection import Connection
from confman_tui.session.dataset import Dataset
from confman_tui.session.events import (
    ConfigurationChanged,
    DrillEnded,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    SeriesEnded,
    SeriesStepEnded,
    Sink,
)
from confman_tui.session.run_recorder import ScenarioRun
from confman_tui.session.runs import RunParts, Runs
from confman_tui.session.series import Step
from confman_tui.session.workers import SETTLE_S, WorkerWait, worker_plan
from confman_tui.settings import Settings
from confman_tui.settings.scenarios import Reads, Scenario, by_name

STOP_WITHIN_S = 3.5
"""How long requests in flight are waited for at a stop: their connection and network timeouts, and a little."""


class Session:
    """Belongs to one event loop. One activity (opening, a series, a drill, cleaning) runs at a time; the caller sees
    to that. `stop` ends the activity, `interrupt` ends it for good, `close` cleans up and may be called at any time.
    """

    def __init__(self, settings: Settings, emit: Sink, *, interactive: bool = False, clock: Clock = now) -> None:
        """
        Args:
            settings: what was asked for.
            emit: takes the events.
            interactive: a person is there who can try again.
            clock: stamps everything.
        """
        self.settings = settings
        self.results: tuple[ScenarioResult, ...] = ()
        """Finished scenarios, the latest of each name."""
        self.series: tuple[Series, ...] = ()
        """Finished series, in order."""
        self.is_open = False
        """Whether a cluster was found, its key accepted, its data seeded."""
        self.stop_within_s = STOP_WITHIN_S
        self._emit = emit
        self._clock = clock
        self._interactive = interactive
        self._stop = asyncio.Event()
        self._give_up = asyncio.Event()
        """Verification shall end: a run that was stopped is verified all the same, until it is stopped again."""
        self._interrupted = False
        self._closed = False
        self._engine: Engine | None = None
        self._worker_wait: WorkerWait | None = None
        self._connection: Connection | None = None
        self._run: ScenarioRun | None = None

    # -- opening

    async def open(self, *, demo: bool = False) -> None:
        """Start the demo cluster if asked, find the cluster and its leader, check the key, seed.

        Raises:
            UsageError: an address, a port or the output folder is wrong.
            ClusterError: no cluster, no leader within ``--wait``, a refused key, or somebody else's data.
        """
        if self.is_open:
            return
        self._stop.clear()
        check_writable(self.settings.output_dir)
        cluster = await self._connect(demo=demo or self.settings.demo)
        self._tell_configuration()
        if self._interrupted:
            return
        if self.stopping():
            # Neither is the key tried nor the tier ours: nothing may be run on it.
            raise ClusterError("stopped while looking for the cluster")
        try:
            await self._wait_for_workers()
        except WorkerError as error:
            if not self._interactive:
                raise
            # the cluster is there, and the first run waits for workers again
            self.notice(str(error), Level.ERROR)
        await cluster.dataset.claim()
        cluster.monitor.start_probe()
        await cluster.dataset.announce_leftovers()
        if not self.stopping():
            await self._seed(cluster)
        self.is_open = True
        self.rest()

    async def _connect(self, *, demo: bool) -> Connection:
        await self._leave_cluster()
        settings, processes = self.settings, None
        if demo:
            self.phase(Phase.STARTING, f"{settings.demo_nodes} demo node{'s' if settings.demo_nodes > 1 else ''}")
            processes = await connection.start_demo(settings)
            nodes = tuple(processes.urls)
        else:
            nodes = await connection.resolve_nodes(settings)
        if self._engine is None:
            self._engine = Engine()
            self._engine.on_trouble = self._trouble_teller()
            self._engine.start()
            self._worker_wait = WorkerWait(self._engine, self._emit, self._clock)
        self.phase(Phase.FINDING, ", ".join(nodes))
        cluster = self._connection = Connection(
            settings, nodes, processes, self._engine, self._emit, self._stop, self._clock, lambda: self._run
        )
        await cluster.begin(self.stopping)
        return cluster

    async def _seed(self, cluster: Connection) -> None:
        self.phase(Phase.SEEDING, f"tier {cluster.dataset.tier.name}")
        await cluster.dataset.seed()

    async def _wait_for_workers(self) -> None:
        """Have the workers there that the settings ask for, unless it shall stop meanwhile.

        Raises:
            WorkerError: one can't be started, or too few came.
        """
        assert self._worker_wait is not None
        crew = worker_plan(self.settings)
        if crew.size:
            self._cluster().monitor.book.stream.settle_s = SETTLE_S
        try:
            await self._worker_wait.wait_for_workers(crew, self._stop)
        except WorkerError:
            if not self.stopping():
                raise

    def _trouble_teller(self) -> Callable[[str], None]:
        """What the engine's thread calls when something is wrong with a worker."""
        loop = asyncio.get_running_loop()

        def tell(sentence: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be gone when the program is left in a hurry
                loop.call_soon_threadsafe(self.notice, sentence, Level.WARNING)

        return tell

    def _tell_configuration(self) -> None:
        settings, cluster = self.settings, self._cluster()
        tier = cluster.dataset.tier
        self._emit(
            ConfigurationChanged(
                tier=tier.name,
                namespaces=tier.namespaces,
                keys_per_namespace=tier.keys_per_namespace,
                payload_bytes=settings.payload_bytes,
                users=settings.users,
                duration_s=settings.duration_s,
                rate=settings.rate,
                entry=cluster.entry,
                nodes=cluster.nodes,
                demo=cluster.demo is not None,
                faults_allowed=cluster.demo is not None or settings.allow_faults,
                user_steps=settings.user_steps,
                payload_steps=settings.payload_steps,
                warmup_s=settings.warmup_s,
                repeat=settings.repeat,
                reads=Reads(settings.reads),
            )
        )

    # -- small helpers

    def _cluster(self) -> Connection:
        if self._connection is None:
            raise ClusterError("no cluster is open yet")
        return self._connection

    def stopping(self) -> bool:
        """Whether what runs shall end."""
        return self._stop.is_set() or self._interrupted

    def phase(self, phase: Phase, detail: str = "") -> None:
        """Tell what it is doing."""
        self._emit(PhaseChanged(phase, self._clock(), detail))

    def notice(self, text: str, level: Level = Level.INFO) -> None:
        """Tell a person something."""
        self._emit(NoticeGiven(level, text, self._clock()))

    def rest(self) -> None:
        """Tell that nothing runs, unless the end has come."""
        if not self._interrupted:
            self.phase(Phase.IDLE)

    # -- what a series works with

    @property
    def dataset(self) -> Dataset:
        """The data on the cluster."""
        return self._cluster().dataset

    @property
    def tier(self) -> str:
        """The tier in use."""
        return self.dataset.tier.name

    @property
    def leaving(self) -> bool:
        """Whether the program ends."""
        return self._interrupted

    async def count_entries(self) -> int | None:
        """How many entries the cluster holds; None when it is stopped while no node leads."""
        cluster = self._cluster()
        leader = await cluster.wait_for_leader(self.stopping, lambda: self.phase(Phase.WAITING))
        return None if leader is None else await cluster.client.count_entries(leader)

    def keep_step(self, so_far: Series) -> None:
        """A step is over."""
        self._emit(SeriesStepEnded(so_far))

    def keep_series(self, ended: Series) -> None:
        """A series is over: write its files and tell it."""
        try:
            ended = save_series(ended, self._runs().settings_here(), self.cluster_summary())
        except ResultsError as error:
            self.notice(str(error), Level.ERROR)
        self.series = (*self.series, ended)
        self._emit(SeriesEnded(ended))

    # -- running

    async def run_series(self, names: Sequence[str]) -> tuple[ScenarioResult, ...]:
        """Run scenarios in turn; a stop ends the series and keeps the figures so far.

        Raises:
            ClusterError: no leader within ``--wait``, or the data could not be seeded.
        """
        self._stop.clear()
        await self._seed_if_needed()
        done: list[ScenarioResult] = []
        for name in names:
            if self.stopping():
                break
            if self.settings.user_steps or self.settings.payload_steps:
                await series.run_steps(self, by_name(name))
                continue
            result = await self.run_one(by_name(name))
            if result is not None:
                done.append(result)
        self.rest()
        return tuple(done)

    async def sweep(self) -> None:
        """Measure reads and writes at one number of entries after the other; a stop keeps the figures so far.

        Raises:
            UsageError: the sizes asked for can't be had here.
            ClusterError: no leader within ``--wait``, or the cluster took nothing.
        """
        self._stop.clear()
        await self._seed_if_needed()
        if not self.stopping():
            await series.run_sweep(self)
        self.rest()

    async def _seed_if_needed(self) -> None:
        cluster = self._cluster()
        if not cluster.dataset.seeded and not self._interrupted:
            await self._seed(cluster)

    def _runs(self) -> Runs:
        assert self._engine is not None
        return Runs(
            RunParts(
                cluster=self._cluster(),
                engine=self._engine,
                settings=lambda: self.settings,
                wait_for_workers=self._wait_for_workers,
                set_run=self._set_run,
                keep=self._keep,
                emit=self._emit,
                clock=self._clock,
                stopping=self.stopping,
                leaving=lambda: self._interrupted,
                give_up=self._give_up,
            )
        )

    def _set_run(self, run: ScenarioRun | None) -> None:
        self._run = run
        if run is not None and not self._interrupted:
            self._give_up.clear()

    def _keep(self, result: ScenarioResult) -> None:
        self.results = (*(held for held in self.results if held.name != result.name), result)

    async def run_one(self, scenario: Scenario, step: Step | None = None) -> ScenarioResult | None:
        """See `confman_tui.session.runs.Runs.run_one`."""
        return await self._runs().run_one(scenario, step)

    # -- what a person changes

    def override(
        self, users: int | None, duration_s: float | None, payload_bytes: int | None, rate: float | None = None
    ) -> None:
        """Users, seconds, payload and rate of the next runs; None gives the scenario's own back (payload: leaves it;
        rate: closed loop)."""
        payload = payload_bytes if payload_bytes is not None else self.settings.payload_bytes
        self.settings = replace(self.settings, users=users, duration_s=duration_s, payload_bytes=payload, rate=rate)
        if self._connection is not None:
            self._connection.dataset.settings = self.settings
            self._tell_configuration()

    def change_rate(self, factor: float) -> None:
        """Multiply the rate of the open loop that runs, within the limits of ``--rate``; says why when none does."""
        if self._run is None or not self._run.change_rate(factor):
            self.notice("no run with a rate goes on, so there is none to change", Level.WARNING)

    def vary(self, user_steps: tuple[int, ...], payload_steps: tuple[int, ...], warmup_s: float, repeat: int) -> None:
        """Steps, warm-up and repeats of the next runs; see `confman_tui.session.commands.SessionCommands.vary`."""
        settings = self.settings
        self.settings = replace(
            settings,
            users=None if user_steps else settings.users,
            user_steps=user_steps,
            payload_bytes=payload_steps[0] if payload_steps else settings.payload_bytes,
            payload_steps=payload_steps,
            warmup_s=warmup_s,
            repeat=repeat,
        )
        if self._connection is not None:
            self._connection.dataset.settings = self.settings
            self._tell_configuration()

    def note_screen_lag(self, seconds: float) -> None:
        """The screen's loop was that late lately: goes into the figures of the generator. Any thread."""
        held = self._connection
        if held is not None:
            held.watch.note_screen_lag(seconds)

    async def choose_tier(self, tier: str) -> None:
        """Clean the present tier's data and seed the other's.

        Raises:
            ClusterError: another program uses that tier, or the cluster takes nothing.
        """
        self._stop.clear()
        cluster = self._cluster()
        if tier != cluster.dataset.tier.name or not cluster.dataset.seeded:
            self.phase(Phase.CLEANING, f"tier {cluster.dataset.tier.name}")
            await cluster.dataset.change_tier(tier)
            self.settings = cluster.dataset.settings
            self._tell_configuration()
            if not self.stopping():
                await self._seed(cluster)
        self.rest()

    async def find_leftovers(self) -> tuple[str, ...]:
        """Namespaces of this program on the cluster, without opening it for a run. Raises as `open` does."""
        cluster = await self._connect(demo=False)
        return await cluster.dataset.find_leftovers()

    async def remove_leftovers(self) -> None:
        """Remove the namespaces that `find_leftovers` or the start announced."""
        self._stop.clear()
        self.phase(Phase.CLEANING, "data of earlier runs")
        await self._cluster().dataset.remove_leftovers()
        if self._interactive:
            self.rest()

    # -- faults and drills

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPreview:
        """See `confman_tui.session.commands.SessionCommands.preview_fault`; any thread."""
        held = self._connection
        if held is None:
            raise FaultRefusedError("no cluster is open yet")
        return held.incidents.preview_fault(kind, node)

    async def cause_fault(self, kind: FaultKind, node: str, *, by: str) -> None:
        """Do something to a node; raises FaultRefusedError when it can't be done."""
        await self._cluster().incidents.cause_fault(kind, node, by=by)

    def revive(self, *, by: str) -> None:
        """Bring back every node that we paused, isolated or killed; raises FaultRefusedError when one can't be."""
        self._cluster().incidents.revive(by=by)

    async def drill(self) -> DrillEnded | None:
        """Run the election drill; None when it was stopped before it began.

        Raises:
            UsageError: the first fault can't be done here.
            ClusterError: no node leads, or the data could not be seeded.
        """
        self._stop.clear()
        await self._seed_if_needed()
        cluster = self._cluster()
        leader = await cluster.wait_for_leader(self.stopping, lambda: self.phase(Phase.WAITING))
        if leader is None or self.stopping():
            return None
        assert self._engine is not None
        runs = self._runs()
        plan = replace(runs.plan(by_name(drill.LOAD)), scenario=drill.NAME, duration_s=None, warmup_s=0.0)
        run = await runs.prepare(plan, leader)
        if self.stopping():
            return None
        self._set_run(run)
        try:
            ended = await drill.drill(
                drill.DrillParts(
                    settings=replace(self.settings, tier=cluster.dataset.tier.name),
                    run=run,
                    engine=self._engine,
                    monitor=cluster.monitor,
                    incidents=cluster.incidents,
                    emit=self._emit,
                    clock=self._clock,
                    stop=self._stop,
                    give_up=self._give_up,
                    cluster=cluster.summary(),
                    registry_files=cluster.dataset.registry_files,
                )
            )
        finally:
            self._set_run(None)
        self.rest()
        return ended

    # -- the end

    def stop(self) -> None:
        """Stop the activity that runs: no new requests, those in flight are waited for. What was written is verified
        then; stopped in the verification, that ends too."""
        self._stop.set()
        if self._engine is not None and self._run is not None and self._run.outcome is None:
            flying = self._engine.health().in_flight
            self.phase(Phase.STOPPING, f"{flying} request{'s' if flying != 1 else ''} in flight")
            self._engine.stop_run()
        else:
            self._give_up.set()

    def interrupt(self) -> None:
        """Stop for good: the program ends."""
        self._interrupted = True
        self._give_up.set()
        self.stop()

    def cluster_summary(self) -> dict[str, object]:
        """``nodes``, ``leader`` and ``term`` for the JSON document."""
        if self._connection is None:
            return {"nodes": [], "leader": None, "term": None}
        return self._connection.summary()

    def leave_behind(self) -> str:
        """What would stay on the cluster if the program left now, in a sentence; empty when nothing would."""
        held = self._connection
        if held is None or not held.dataset.dirty or held.data_is_temporary:
            return ""
        return (
            f"{len(held.dataset.namespaces)} namespaces bench-{held.dataset.tier.name}-… stay on the cluster; "
            "`confman-tui clean` removes them"
        )

    async def close(self, *, within_s: float = 60.0) -> None:
        """Clean up what was seeded and written, end the demo cluster, the engine and all connections.

        Args:
            within_s: seconds for the cleaning; what it does not reach stays behind and is told.
        """
        if self._closed:
            return
        self._closed = True
        self._interrupted = True
        try:
            if self._connection is not None:
                self._connection.incidents.resume_all()
                await self._connection.monitor.stop_probe()
                await self._clean_up(self._connection, within_s)
        finally:
            await self._leave_cluster()
            if self._engine is not None:
                await asyncio.to_thread(self._engine.close, STOP_WITHIN_S)
            self.is_open = False

    async def _clean_up(self, cluster: Connection, within_s: float) -> None:
        dataset = cluster.dataset
        if not dataset.dirty:
            return
        if self.settings.no_cleanup:
            await dataset.release()
            self.notice(f"the data stays on the cluster, as asked: {len(dataset.namespaces)} namespaces")
            return
        if cluster.data_is_temporary:
            return  # it goes with the demo cluster's folder
        self.phase(Phase.CLEANING, f"tier {dataset.tier.name}")
        try:
            async with asyncio.timeout(within_s):
                await dataset.clean()
        except (TimeoutError, ClusterError) as error:
            why = str(error) or f"not done within {within_s:g} s"
            self.notice(f"cleaning failed ({why}): {self.leave_behind()}", Level.ERROR)

    async def _leave_cluster(self) -> None:
        held, self._connection = self._connection, None
        if held is not None:
            await held.leave()

    def abandon(self) -> None:
        """Leave at once: resume paused nodes, end the demo's processes. Any thread; waits for nothing else."""
        held = self._connection
        if held is not None:
            held.abandon()
