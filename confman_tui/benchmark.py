"""The one conductor: finds the cluster, seeds, runs, verifies and cleans up, and tells all of it in frozen events.

Both faces use it: the headless one in its own event loop, the screen on a thread beside it
(`confman_tui.conductor`). Nothing that measures lives in a face.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from confman_tui import drilling, errors, paths
from confman_tui.clock import Clock, now
from confman_tui.cluster.addresses import check_resolves, default_nodes, parse_node, parse_nodes
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.control import FaultRefusedError
from confman_tui.cluster.elections_model import FaultKind, Verification
from confman_tui.cluster.faults import FaultDesk
from confman_tui.cluster.foreign import ForeignControl
from confman_tui.cluster.model import ClusterView, Fact, NodeState
from confman_tui.cluster.writes import Drained
from confman_tui.commands import FaultPreview
from confman_tui.dataset import Dataset
from confman_tui.demo.supervisor import DemoCluster
from confman_tui.events import (
    ConfigurationChanged,
    DrillEnded,
    Level,
    NoticeGiven,
    Phase,
    PhaseChanged,
    ProgressMade,
    ScenarioEnded,
    ScenarioStarted,
    Sink,
    VerificationEnded,
)
from confman_tui.judging import Judge
from confman_tui.load.engine import Engine
from confman_tui.load.model import RunPlan, Scenario
from confman_tui.load.scenarios import by_name
from confman_tui.monitor import Monitor
from confman_tui.record.files import check_writable
from confman_tui.record.model import ScenarioResult
from confman_tui.scenario_run import ScenarioRun
from confman_tui.settings import Settings

_Part = TypeVar("_Part")

STOP_WITHIN_S = 3.5
"""How long requests in flight are waited for at a stop: their connection and network timeouts, and a little."""
DEMO_READY_S = 6.0
"""How long the demo cluster may take before its polls begin anyway and show what it lacks."""
AFTERMATH_S = 0.3
"""After a run, what was told but not judged yet is waited for so long."""


class Benchmark:
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
        self.is_open = False
        """Whether a cluster was found, its key accepted, its data seeded."""
        self.stop_within_s = STOP_WITHIN_S
        self._emit = emit
        self._clock = clock
        self._interactive = interactive
        self._stop = asyncio.Event()
        self._interrupted = False
        self._closed = False
        self._engine: Engine | None = None
        self._demo: DemoCluster | None = None
        self._client: ConfmanClient | None = None
        self._monitor: Monitor | None = None
        self._dataset: Dataset | None = None
        self._judge: Judge | None = None
        self._foreign: ForeignControl | None = None
        self._run: ScenarioRun | None = None
        self._entry = ""

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
        await self._leave_cluster()
        demo = demo or self.settings.demo
        nodes = await self._start_demo() if demo else await self._resolve_nodes()
        self._entry = self._entry_of(nodes)
        await self._connect(nodes)
        dataset = self._the(self._dataset)
        self._tell_configuration()
        await dataset.claim()
        self._the(self._monitor).start_probe()
        await dataset.announce_leftovers()
        if not self._stopping:
            await self._seed()
        self.is_open = True
        self.rest()

    async def _start_demo(self) -> tuple[str, ...]:
        settings = self.settings
        self._phase(Phase.STARTING, f"{settings.demo_nodes} demo node{'s' if settings.demo_nodes > 1 else ''}")
        self._demo = DemoCluster(
            settings.demo_nodes,
            settings.demo_ports or "auto",
            settings.demo_election_timeout_ms,
            settings.demo_data,
        )
        await asyncio.to_thread(self._demo.start)
        # Polls begin when its nodes answer: that they refuse while they start is no news of the cluster.
        await asyncio.to_thread(self._demo.wait_ready, DEMO_READY_S)
        return tuple(self._demo.urls)

    async def _resolve_nodes(self) -> tuple[str, ...]:
        settings = self.settings
        nodes = parse_nodes(settings.nodes) if settings.nodes is not None else default_nodes(parse_node(settings.host))
        for node in nodes:
            await asyncio.to_thread(check_resolves, node)
        return nodes

    def _entry_of(self, nodes: tuple[str, ...]) -> str:
        host = parse_node(self.settings.host)
        return host if host in nodes else nodes[0]

    async def _connect(self, nodes: tuple[str, ...]) -> None:
        """Poll the nodes until one leads, and try the key on it."""
        settings = self.settings
        self._phase(Phase.FINDING, ", ".join(nodes))
        if self._engine is None:
            self._engine = Engine()
            self._engine.start()
        self._client = ConfmanClient(settings.api_key, nodes=nodes)
        monitor = self._monitor = Monitor(
            nodes,
            settings.api_key,
            self._emit,
            poll_s=settings.poll_s,
            probe_s=settings.probe_s,
            on_view=self._on_view,
            on_fact=self._on_fact,
            on_drained=self._on_drained,
            clock=self._clock,
        )
        desk = self._fault_desk(monitor)
        self._judge = Judge(settings, self._monitor, self._client, desk, self._emit, self._clock, lambda: self._run)
        self._dataset = Dataset(settings, self._client, self._monitor, self._emit, self._stop, self._clock)
        self._monitor.start()
        await self._monitor.wait_all_polled(2.0)
        self._monitor.refuse_foreign()
        leader = await self._wait_for_leader()
        if leader is not None:
            await self._client.list_namespaces(leader)

    def _fault_desk(self, monitor: Monitor) -> FaultDesk:
        """Whoever can do things to the nodes: the demo cluster, or signals to processes that listen on their ports."""
        settings = self.settings
        if self._demo is not None:
            return FaultDesk(monitor.nodes, self._demo, monitor.answering, demo=True, clock=self._clock)
        self._foreign = ForeignControl(settings.restart_cmd, paths.made(paths.state_dir()))
        return FaultDesk(
            monitor.nodes,
            self._foreign,
            monitor.answering,
            demo=False,
            allow_faults=settings.allow_faults,
            undoable_kill=self._foreign.can_restart,
            clock=self._clock,
        )

    async def _wait_for_leader(self) -> str | None:
        """The serving leader; waits up to ``--wait`` and shows it. None when stopped meanwhile."""
        monitor, wait_s = self._the(self._monitor), self.settings.wait_s
        began = self._clock()
        while monitor.view.leader is None and not self._stopping:
            waited = self._clock() - began
            if waited >= wait_s:
                raise errors.ClusterError(f"no leader within {wait_s:g} s: {monitor.describe()}")
            if waited > 0.5:
                self._emit(ProgressMade(Phase.FINDING, round(waited), round(wait_s), 0.0, wait_s - waited))
            await monitor.wait_for(lambda view: view.leader is not None or self._stopping, min(0.5, wait_s - waited))
        return monitor.view.leader

    async def _seed(self) -> None:
        self._phase(Phase.SEEDING, f"tier {self._the(self._dataset).tier.name}")
        await self._the(self._dataset).seed()

    def _tell_configuration(self) -> None:
        settings, dataset, monitor = self.settings, self._the(self._dataset), self._the(self._monitor)
        self._emit(
            ConfigurationChanged(
                tier=dataset.tier.name,
                namespaces=dataset.tier.namespaces,
                keys_per_namespace=dataset.tier.keys_per_namespace,
                payload_bytes=settings.payload_bytes,
                users=settings.users,
                duration_s=settings.duration_s,
                entry=self._entry,
                nodes=monitor.nodes,
                demo=self._demo is not None,
                faults_allowed=self._demo is not None or settings.allow_faults,
            )
        )

    # -- small helpers

    @staticmethod
    def _the(part: _Part | None) -> _Part:
        if part is None:
            raise errors.ClusterError("no cluster is open yet")
        return part

    @property
    def _stopping(self) -> bool:
        return self._stop.is_set() or self._interrupted

    def _phase(self, phase: Phase, detail: str = "") -> None:
        self._emit(PhaseChanged(phase, self._clock(), detail))

    def _notice(self, text: str, level: Level = Level.INFO) -> None:
        self._emit(NoticeGiven(level, text, self._clock()))

    def rest(self) -> None:
        """Tell that nothing runs, unless the end has come."""
        if not self._interrupted:
            self._phase(Phase.IDLE)

    # -- what the monitor hears

    def _on_view(self, view: ClusterView) -> None:
        if self._engine is not None:
            self._engine.set_targets(view.leader, view.ready)
        if self._judge is not None:
            self._judge.hear_view()

    def _on_fact(self, fact: Fact) -> None:
        if self._judge is not None:
            self._judge.hear_fact(fact)

    def _on_drained(self, drained: Drained) -> None:
        if self._judge is not None:
            self._judge.hear_writes(drained)
        if self._run is not None:
            self._run.note_writes(drained.open_window is not None)

    # -- running

    async def run_series(self, names: Sequence[str]) -> tuple[ScenarioResult, ...]:
        """Run scenarios in turn; a stop ends the series and keeps the figures so far.

        Raises:
            ClusterError: no leader within ``--wait``, or the data could not be seeded.
        """
        self._stop.clear()
        dataset = self._the(self._dataset)
        if not dataset.seeded and not self._interrupted:
            await self._seed()
        done: list[ScenarioResult] = []
        for name in names:
            if self._stopping:
                break
            result = await self._run_one(by_name(name))
            if result is not None:
                done.append(result)
        self.rest()
        return tuple(done)

    def _plan(self, scenario: Scenario) -> RunPlan:
        settings, dataset = self.settings, self._the(self._dataset)
        return RunPlan(
            scenario=scenario.name,
            users=settings.users or scenario.users,
            duration_s=settings.duration_s or scenario.duration_s,
            target=scenario.target,
            write_share=scenario.write_share,
            wait_s=scenario.wait_s,
            payload_bytes=settings.payload_bytes,
            namespaces=dataset.namespaces,
            keys=dataset.keys,
            api_key=settings.api_key,
        )

    async def _scenario_run(self, plan: RunPlan, leader: str) -> ScenarioRun:
        entries_before = await self._the(self._client).count_entries(leader)
        return ScenarioRun(
            plan,
            self.settings,
            self._the(self._dataset).tier.name,
            entries_before,
            self._the(self._engine),
            self._the(self._monitor),
            self._emit,
            self._clock,
        )

    async def _run_one(self, scenario: Scenario) -> ScenarioResult | None:
        dataset, judge = self._the(self._dataset), self._the(self._judge)
        leader = await self._wait_for_leader()
        if self.settings.fresh and not self._stopping:
            self._phase(Phase.CLEANING, "back to the seeded state")
            await dataset.reset()
        if leader is None or self._stopping:
            return None
        plan = self._plan(scenario)
        run = await self._scenario_run(plan, leader)
        self._phase(Phase.RUNNING, plan.scenario)
        self._emit(
            ScenarioStarted(
                plan.scenario, self._clock(), plan.users, plan.duration_s, run.entries_before, plan.payload_bytes
            )
        )
        result = await self._measure(run, scenario, judge)
        self.results = (*(kept for kept in self.results if kept.name != result.name), result)
        self._emit(ScenarioEnded(result))
        return result

    async def _measure(self, run: ScenarioRun, scenario: Scenario, judge: Judge) -> ScenarioResult:
        monitor = self._the(self._monitor)
        monitor.turn_page(booking=True)
        run.on_sample = judge.hear_sample
        self._run = run
        judge.load_changed()
        try:
            await run.run()
            judge.load_changed()
            # The stream of writes is judged a moment late; an election near the end must not be lost.
            await asyncio.sleep(AFTERMATH_S)
            monitor.drain()
            ledger = monitor.turn_page(booking=False)
            verification: Verification | None = None
            if scenario.write_share > 0 and not self._interrupted:
                verification = await judge.verify(
                    ledger, self._stop, entries_before=run.entries_before, payload_bytes=run.plan.payload_bytes
                )
                self._emit(VerificationEnded(scenario.name, verification))
            return run.finish(verification, self.cluster_summary(), self._the(self._dataset).registry_files)
        finally:
            self._run = None

    # -- what a person changes

    def override(self, users: int | None, duration_s: float | None, payload_bytes: int | None) -> None:
        """Users, seconds and payload of the next runs."""
        payload = payload_bytes if payload_bytes is not None else self.settings.payload_bytes
        self.settings = replace(self.settings, users=users, duration_s=duration_s, payload_bytes=payload)
        if self._dataset is not None:
            self._dataset.settings = self.settings
            self._tell_configuration()

    async def choose_tier(self, tier: str) -> None:
        """Clean the present tier's data and seed the other's."""
        self._stop.clear()
        dataset = self._the(self._dataset)
        if tier == dataset.tier.name and dataset.seeded:
            self.rest()
            return
        self._phase(Phase.CLEANING, f"tier {dataset.tier.name}")
        await dataset.change_tier(tier)
        self.settings = dataset.settings
        self._tell_configuration()
        if not self._stopping:
            await self._seed()
        self.rest()

    async def find_leftovers(self) -> tuple[str, ...]:
        """Namespaces of this program on the cluster, without opening it for a run."""
        await self._leave_cluster()
        nodes = await self._start_demo() if self.settings.demo else await self._resolve_nodes()
        self._entry = self._entry_of(nodes)
        await self._connect(nodes)
        return await self._the(self._dataset).find_leftovers()

    async def remove_leftovers(self) -> None:
        """Remove the namespaces that `find_leftovers` or the start announced."""
        self._stop.clear()
        self._phase(Phase.CLEANING, "data of earlier runs")
        await self._the(self._dataset).remove_leftovers()
        if self._interactive:
            self.rest()

    # -- faults and drills

    def preview_fault(self, kind: FaultKind, node: str) -> FaultPreview:
        """See `confman_tui.commands.Conductor.preview_fault`; any thread."""
        if self._judge is None:
            raise FaultRefusedError("no cluster is open yet")
        return self._judge.preview_fault(kind, node)

    def cause_fault(self, kind: FaultKind, node: str, *, by: str) -> None:
        """Do something to a node; raises FaultRefusedError when it can't be done."""
        self._the(self._judge).cause_fault(kind, node, by=by)

    def revive(self, *, by: str) -> None:
        """Bring back every node that we paused, isolated or killed."""
        self._the(self._judge).revive(by=by)

    async def drill(self) -> DrillEnded | None:
        """Run the election drill; None when it was stopped before it began.

        Raises:
            UsageError: the first fault can't be done here.
            ClusterError: no node leads, or the data could not be seeded.
        """
        self._stop.clear()
        dataset = self._the(self._dataset)
        if not dataset.seeded and not self._interrupted:
            await self._seed()
        leader = await self._wait_for_leader()
        if leader is None or self._stopping:
            return None
        plan = replace(self._plan(by_name(drilling.LOAD)), scenario=drilling.NAME, duration_s=None)
        run = self._run = await self._scenario_run(plan, leader)
        try:
            ended = await drilling.drill(
                drilling.DrillParts(
                    settings=replace(self.settings, tier=dataset.tier.name),
                    run=run,
                    engine=self._the(self._engine),
                    monitor=self._the(self._monitor),
                    judge=self._the(self._judge),
                    emit=self._emit,
                    clock=self._clock,
                    stop=self._stop,
                    cluster=self.cluster_summary(),
                    registry_files=dataset.registry_files,
                )
            )
        finally:
            self._run = None
        self.rest()
        return ended

    # -- the end

    def stop(self) -> None:
        """Stop the activity that runs: no new requests, those in flight are waited for."""
        self._stop.set()
        if self._engine is not None and self._run is not None and self._run.outcome is None:
            flying = self._engine.health().in_flight
            self._phase(Phase.STOPPING, f"{flying} request{'s' if flying != 1 else ''} in flight")
            self._engine.stop_run()

    def interrupt(self) -> None:
        """Stop for good: the program ends."""
        self._interrupted = True
        self.stop()

    def cluster_summary(self) -> dict[str, object]:
        """``nodes``, ``leader`` and ``term`` for the JSON document."""
        view = self._monitor.view if self._monitor is not None else None
        return {
            "nodes": list(self._monitor.nodes) if self._monitor is not None else [],
            "leader": view.leader if view is not None else None,
            "term": view.term if view is not None else None,
        }

    def leave_behind(self) -> str:
        """What would stay on the cluster if the program left now, in a sentence; empty when nothing would."""
        if self._dataset is None or not self._dataset.dirty or self._data_is_temporary:
            return ""
        return (
            f"{len(self._dataset.namespaces)} namespaces bench-{self._dataset.tier.name}-… stay on the cluster; "
            "`confman-tui clean` removes them"
        )

    @property
    def _data_is_temporary(self) -> bool:
        return self._demo is not None and self.settings.demo_data is None

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
            if self._judge is not None:
                self._judge.resume_all()
            if self._monitor is not None:
                await self._monitor.stop_probe()
            await self._clean_up(within_s)
        finally:
            await self._leave_cluster()
            if self._engine is not None:
                await asyncio.to_thread(self._engine.close, STOP_WITHIN_S)
            self.is_open = False

    async def _clean_up(self, within_s: float) -> None:
        dataset = self._dataset
        if dataset is None or not dataset.dirty:
            return
        if self.settings.no_cleanup:
            await dataset.release()
            self._notice(f"the data stays on the cluster, as asked: {len(dataset.namespaces)} namespaces")
            return
        if self._data_is_temporary:
            return  # it goes with the demo cluster's folder
        self._phase(Phase.CLEANING, f"tier {dataset.tier.name}")
        try:
            async with asyncio.timeout(within_s):
                await dataset.clean()
        except (TimeoutError, errors.ClusterError) as error:
            why = str(error) or f"not done within {within_s:g} s"
            self._notice(f"cleaning failed ({why}): {self.leave_behind()}", Level.ERROR)

    async def _leave_cluster(self) -> None:
        """End what belongs to the present cluster, the demo's processes included."""
        if self._monitor is not None:
            await self._monitor.stop()
        if self._dataset is not None:
            self._dataset.close()
        if self._client is not None:
            await self._client.aclose()
        if self._foreign is not None:
            self._foreign.close()
        if self._demo is not None:
            await asyncio.to_thread(self._demo.stop)
        self._judge = self._monitor = self._dataset = self._client = self._foreign = self._demo = None

    def abandon(self) -> None:
        """Leave at once: resume paused nodes, end the demo's processes. Any thread; waits for nothing else."""
        with contextlib.suppress(Exception):
            if self._judge is not None:
                self._judge.resume_all()
        with contextlib.suppress(Exception):
            if self._demo is not None:
                self._demo.stop(0.5)

    def serving(self) -> bool:
        """Whether a node leads now."""
        view = self._the(self._monitor).view
        return view.leader is not None and view.node(view.leader).state is NodeState.LEADER
