"""A cluster that the session works with: its nodes, what watches them, what belongs to us on it.

It is opened once the nodes' addresses are known and left as a whole, the demo cluster's processes included.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from confman_tui.cluster.addresses import check_resolves, default_nodes, parse_node, parse_nodes
from confman_tui.cluster.client import ConfmanClient
from confman_tui.cluster.faults.control import DemoControl
from confman_tui.cluster.faults.injector import FaultInjector
from confman_tui.cluster.faults.local_control import LocalControl
from confman_tui.cluster.leader_requests import LeaderRequests, StoppedError
from confman_tui.cluster.states import ClusterView, Fact
from confman_tui.cluster.stopping import unless_stopped
from confman_tui.cluster.tls import TlsOptions, context_for, needs_tls
from confman_tui.cluster.watch_mode import PROBE_TIMEOUT_S, WatchPace
from confman_tui.cluster.writes.gaps import Drained
from confman_tui.core import event_loop, paths
from confman_tui.core.clock import Clock
from confman_tui.core.errors import ClusterError, UsageError
from confman_tui.load.engine import Engine
from confman_tui.session.cluster_monitor import Monitor
from confman_tui.session.cpu_monitor import CpuMeter, GeneratorWatch
from confman_tui.session.dataset import Dataset
from confman_tui.session.events import ConfigurationChanged, Level, NoticeGiven, Phase, PhaseChanged, ProgressMade, Sink
from confman_tui.session.incidents import IncidentTracker
from confman_tui.settings import Settings
from confman_tui.settings.options import BY_NAME
from confman_tui.settings.scenarios import Reads

MakeDemo = Callable[[Settings], DemoControl]
"""Makes the demo cluster that the settings ask for, not started yet; raises UsageError. The command line gives it,
so that nothing else knows that cluster."""

DEMO_READY_S, DEMO_LOOK_S = 6.0, 0.3
"""How long the demo cluster may take before its polls begin anyway and show what it lacks; and how often a stop is
looked for meanwhile."""
ASK_TIMEOUT_S = 5.0
"""The longest time for an answer to what is no part of the load; ``--request-timeout`` where that is longer."""
DATA_TIMEOUT_S = 60.0
"""The same while data is seeded and removed: many requests at once, each on a cluster that may take them in turn. They
are given up sooner when another node leads."""
MOST_PROBE_TIMEOUT_S = 10.0
"""A probe write waits as long as ``--request-timeout``, but no longer than this."""
FIRST_POLLS_S = 2.0
"""How long the first poll of each node may take before the search for a leader begins."""
PROGRESS_EVERY_S = 0.5
"""Seconds between two events of the wait for a leader."""


async def start_demo(make: MakeDemo, settings: Settings, stop: asyncio.Event) -> DemoControl:
    """Start the demo cluster, without waiting for it any longer when a stop comes.

    Raises:
        UsageError: a port or the data folder can't be used.
    """
    demo = await asyncio.to_thread(make, settings)
    try:
        await asyncio.to_thread(demo.start)
        # Polls begin when its nodes answer: that they refuse while they start is no news of the cluster.
        ends = asyncio.get_running_loop().time() + DEMO_READY_S
        while not stop.is_set() and (left := ends - asyncio.get_running_loop().time()) > 0:
            if await asyncio.to_thread(demo.wait_ready, min(left, DEMO_LOOK_S)):
                break
    except BaseException:
        demo.stop()
        raise
    return demo


async def resolve_nodes(settings: Settings) -> tuple[str, ...]:
    """The nodes that ``--nodes`` or ``--host`` name; raises UsageError when one is malformed or does not resolve."""
    host = parse_node(settings.host)
    nodes = parse_nodes(settings.nodes) if settings.nodes is not None else default_nodes(host)
    if host not in nodes and settings.host != BY_NAME["host"].default:
        raise UsageError(
            f"--host {host} is not among --nodes {','.join(nodes)}: name it there too, or leave --host out"
        )
    for node in nodes:
        await event_loop.in_daemon_thread(partial(check_resolves, node))
    return nodes


class Connection:
    """Belongs to one event loop. Implements `confman_tui.session.cluster_monitor.ChangeListener`."""

    def __init__(
        self,
        settings: Settings,
        nodes: tuple[str, ...],
        demo: DemoControl | None,
        engine: Engine,
        emit: Sink,
        stop: asyncio.Event,
        clock: Clock,
        ending: asyncio.Event | None = None,
    ) -> None:
        """
        Args:
            settings: what was asked for.
            nodes: base URLs of the nodes.
            demo: the cluster's processes, where they are ours.
            engine: gets the leader and the nodes that serve reads, as its requests' targets.
            emit: takes the events.
            stop: set when the activity under way must end.
            clock: stamps everything.
            ending: set when the program must end; None: it ends by itself.
        """
        self.nodes = nodes
        self.demo = demo
        self._settings = settings
        self._engine = engine
        self._emit = emit
        self._stop = stop
        self._clock = clock
        self._local_control: LocalControl | None = None
        host = parse_node(settings.host)
        self.entry = host if host in nodes else nodes[0]
        """The address that stands for the cluster."""
        timeout_s = settings.request_timeout_s
        options = TlsOptions.of(settings)
        self.insecure = options.insecure and needs_tls(nodes)
        """Whether any certificate of a node is taken."""
        asking = partial(ConfmanClient, settings.api_key, nodes=nodes, tls=context_for(nodes, options))
        self.client = asking(timeout_s=max(ASK_TIMEOUT_S, timeout_s))
        self._data_client = asking(timeout_s=max(DATA_TIMEOUT_S, timeout_s))
        pace = WatchPace(settings.poll_s, settings.poll_alert_s, settings.probe_s)
        self.monitor = Monitor(
            nodes,
            settings.api_key,
            emit,
            self,
            pace=pace,
            probe_timeout_s=min(max(PROBE_TIMEOUT_S, timeout_s), MOST_PROBE_TIMEOUT_S),
            clock=clock,
            tls=options,
        )
        meter = CpuMeter(
            nodes,
            own_pids=(lambda: demo.pids) if demo is not None else None,
            answering=self.monitor.answering,
            load_thread=lambda: engine.thread_id,
        )
        self.watch = GeneratorWatch(meter, self.monitor.take_loop_lag, emit, clock=clock)
        self.incidents = IncidentTracker(settings, self.monitor, self.client, self._fault_injector(), emit, clock)
        self.dataset = Dataset(settings, self._data_client, self.monitor, emit, stop, clock, ending)

    @property
    def _nodes_in_turn(self) -> tuple[str, ...]:
        """From the entry on: the order in which users are handed out."""
        first = self.nodes.index(self.entry)
        return (*self.nodes[first:], *self.nodes[:first])

    def _fault_injector(self) -> FaultInjector:
        """Faults are done by the demo cluster, or by signals to the processes that listen on the nodes' ports."""
        settings, monitor = self._settings, self.monitor
        if self.demo is not None:
            demo = self.demo
            return FaultInjector(
                monitor.nodes, demo, monitor.answering, demo=True, ended=lambda: demo.ended, clock=self._clock
            )
        self._local_control = LocalControl(settings.restart_cmd, paths.needed_folder(paths.state_dir()))
        return FaultInjector(
            monitor.nodes,
            self._local_control,
            monitor.answering,
            demo=False,
            allow_faults=settings.allow_faults,
            undoable_kill=self._local_control.can_restart,
            clock=self._clock,
        )

    # -- what the monitor calls

    def on_view(self, view: ClusterView) -> None:
        """A poll ended."""
        if self.demo is not None and len(view.answering) < len(self.nodes):
            for ended in self.demo.take_ended():
                notice = NoticeGiven(Level.ERROR, ended.sentence, self._clock(), node=ended.node, word=ended.word)
                self._emit(notice)
        self._engine.set_targets(view.leader, view.ready, self._nodes_in_turn)
        self.incidents.on_view(view)

    def on_fact(self, fact: Fact) -> None:
        """The cluster changed."""
        self.incidents.on_fact(fact)

    def on_writes(self, drained: Drained) -> None:
        """The stream of writes was drained."""
        self.incidents.on_writes(drained)

    # -- life

    async def begin(self) -> None:
        """Poll the nodes until one leads, and try the key on it; returns soon after a stop.

        Raises:
            ClusterError: a node is no Confman or its certificate does not fit, no leader came within ``--wait``, or
                the key was refused.
        """
        if self.insecure:
            text = "--insecure: any certificate of a node is taken, so whoever stands in between gets the API key"
            self._emit(NoticeGiven(Level.WARNING, text, self._clock()))
        with contextlib.suppress(StoppedError):
            await unless_stopped(self._begin(), self._stop)

    async def _begin(self) -> None:
        await self.monitor.start()
        self.watch.start()
        await self.monitor.wait_all_polled(FIRST_POLLS_S)
        self.monitor.refuse_foreign()
        leader = await self.wait_for_leader(Phase.FINDING)
        if leader is not None:
            await self.client.list_namespaces(leader)

    async def wait_for_leader(self, phase: Phase = Phase.WAITING) -> str | None:
        """The serving leader; waits up to ``--wait`` and shows it. None when it must stop meanwhile.

        Args:
            phase: whose progress the wait is. `Phase.WAITING` begins when there is something to wait for and it takes
                a moment.

        Raises:
            ClusterError: no node led within that time; says what each answered.
        """
        monitor, wait_s, stop = self.monitor, self._settings.wait_s, self._stop
        began, announced = self._clock(), phase is not Phase.WAITING
        while monitor.view.leader is None and not stop.is_set():
            waited = self._clock() - began
            if waited >= wait_s:
                raise ClusterError(f"no leader within {wait_s:g} s: {monitor.describe()}")
            if waited > PROGRESS_EVERY_S:
                if not announced:
                    self._emit(PhaseChanged(phase, self._clock()))
                    announced = True
                self._emit(ProgressMade(phase, round(waited), round(wait_s), 0.0, wait_s - waited))
            await monitor.wait_for(
                lambda view: view.leader is not None or stop.is_set(), min(PROGRESS_EVERY_S, wait_s - waited)
            )
        return monitor.view.leader

    async def count_entries(self) -> int | None:
        """How many entries the cluster holds, counted through elections; None when it is stopped meanwhile.

        Raises:
            ClusterError: no leader within ``--wait``, or the cluster took nothing.
        """
        if await self.wait_for_leader() is None:
            return None
        requests = LeaderRequests(lambda: self.monitor.view.leader, self._stop)
        try:
            return await requests.do(self.client.count_entries)
        except StoppedError:
            return None

    @property
    def data_is_temporary(self) -> bool:
        """Whether all data goes away with the cluster itself."""
        return self.demo is not None and self._settings.demo_data is None

    def summary(self) -> dict[str, object]:
        """``nodes``, ``leader`` and ``term`` for the JSON documents, and ``insecure`` where it is so."""
        view = self.monitor.view
        summary: dict[str, object] = {"nodes": list(self.nodes), "leader": view.leader, "term": view.term}
        return {**summary, "insecure": True} if self.insecure else summary

    def configuration(self, settings: Settings) -> ConfigurationChanged:
        """What the next runs on it are by these settings."""
        tier, ours = self.dataset.tier, self.demo is not None
        return ConfigurationChanged(
            tier=tier.name,
            namespaces=tier.namespaces,
            keys_per_namespace=tier.keys_per_namespace,
            payload_bytes=settings.payload_bytes,
            users=settings.users,
            duration_s=settings.duration_s,
            rate=settings.rate,
            entry=self.entry,
            nodes=self.nodes,
            demo=ours,
            faults_allowed=ours or settings.allow_faults,
            user_steps=settings.user_steps,
            payload_steps=settings.payload_steps,
            warmup_s=settings.warmup_s,
            repeat=settings.repeat,
            reads=Reads(settings.reads),
            fsync=ours and settings.demo_fsync,
            insecure=self.insecure,
        )

    async def leave(self) -> None:
        """End all that belongs to it: polls, connections, paused nodes, the demo cluster's processes."""
        self.incidents.resume_all()
        await self.watch.stop()
        await self.monitor.stop()
        self.dataset.close()
        await self.client.aclose()
        await self._data_client.aclose()
        if self._local_control is not None:
            self._local_control.close()
        if self.demo is not None:
            await asyncio.to_thread(self.demo.stop)

    def abandon(self) -> None:
        """Resume paused nodes and end the demo cluster, at once and from any thread; waits for nothing else."""
        with contextlib.suppress(Exception):
            self.incidents.resume_all()
        with contextlib.suppress(Exception):
            if self.demo is not None:
                self.demo.stop(0.5)
