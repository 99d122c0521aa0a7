"""Settings that depend on one another: what follows from what, and what contradicts what."""

from __future__ import annotations

from collections.abc import Iterable

from confman_tui.core.errors import UsageError
from confman_tui.settings import scenarios
from confman_tui.settings.fault_kinds import FaultKind
from confman_tui.settings.options import BY_NAME
from confman_tui.settings.origins import Draft, Origin, Rank
from confman_tui.settings.setting import BENCH, DEMO, DRILL, SWEEP, WORKER

_DEMO_FLAGS = ("demo-nodes", "demo-ports", "demo-election-timeout", "demo-data", "demo-fsync")
_DRILL_FLAGS = ("rounds", "fault", "max-unavailable")
_FLAGS_OF_A_RUN = (
    *("demo", "scenario", "fresh", "users", "rate", "reads", "duration", "payload", "nodes", "host"),
    *("step", "warmup", "repeat", "entries"),
)


def make_consistent(draft: Draft) -> None:
    """Settle what follows from other settings.

    Raises:
        UsageError: two settings contradict each other, or one needs another that is missing.
    """
    _settle_scenarios(draft)
    _settle_cluster(draft)
    _settle_demo_ports(draft)
    draft.values["poll_alert_s"] = min(draft.values["poll_alert_s"], draft.values["poll_s"])
    _settle_series(draft)
    if draft.command == BENCH:
        _check_bench(draft)
    _check_flags_that_need_another(draft)


def _settle_scenarios(draft: Draft) -> None:
    names = list(dict.fromkeys(draft.values["scenario_names"]))
    if groups := [name for name in scenarios.GROUPS if name in (names or ["all"])]:
        # the larger group has all of the smaller one's
        suite = scenarios.GROUPS[groups[-1]]
        names = [*suite, *(name for name in names if name not in (*suite, *scenarios.GROUPS))]
    draft.values["scenario_names"] = tuple(names)


def _settle_cluster(draft: Draft) -> None:
    """Demo cluster or named cluster: the source of higher rank wins; of equal rank, they contradict each other."""
    if draft.command == DEMO:
        draft.values["demo"] = True
        return
    if draft.command == WORKER:
        return  # its nodes only limit where it sends
    if not draft.values["demo"]:
        # Nodes from a source of higher rank are another cluster than the one that the entry belongs to.
        if draft.values["nodes"] is not None and Rank.DEFAULT is not draft.rank("host") < draft.rank("nodes"):
            draft.use_default("host", draft.rank("nodes"), f"{draft.source('nodes')} names the nodes")
        return
    demo = draft.rank("demo")
    for name in ("nodes", "host"):
        rival = draft.rank(name)
        if rival is demo:
            raise UsageError(
                f"{draft.source('demo')} starts a cluster of its own, so {draft.source(name)} can't be given with it; "
                "leave one of the two out"
            )
        if rival > demo:
            draft.values["demo"] = False
            draft.origins["demo"] = Origin(rival, f"{draft.source(name)} names a cluster", "false")
            return
    for name in ("nodes", "host"):
        draft.use_default(name, demo, "the demo cluster's own")


def _settle_demo_ports(draft: Draft) -> None:
    """As many ports as nodes: each follows from the other where only one was given."""
    ports, count = draft.values["demo_ports"], draft.values["demo_nodes"]
    if ports is not None and len(ports) in (0, count):
        return
    if ports is None or draft.rank("demo-ports") < draft.rank("demo-nodes"):
        draft.values["demo_ports"] = tuple(6100 + 100 * number for number in range(count))
    elif draft.rank("demo-ports") > draft.rank("demo-nodes"):
        draft.values["demo_nodes"] = len(ports)
    else:
        raise UsageError(
            f"{draft.source('demo-ports')}: names {len(ports)} ports, but there are {count} demo nodes; name as many"
        )


def _settle_series(draft: Draft) -> None:
    """One value of ``users`` or ``payload`` is that of each run; several are the steps of a series."""
    values = draft.values
    _settle_steps(draft, "users", "user_steps")
    _settle_steps(draft, "payload", "payload_steps")
    if draft.command == SWEEP:
        # A sweep measures one user who waits for the answer, whatever is set for other runs.
        values["users"] = values["rate"] = None
    if not (values["user_steps"] or values["payload_steps"]):
        return
    if values["user_steps"] and values["payload_steps"]:
        raise UsageError(
            f"{draft.source('users')} and {draft.source('payload')} both name several values; a series changes one of "
            "them, so give one alone"
        )
    if values["user_steps"]:
        values["users"] = None
        if values["rate"] is not None:
            raise UsageError(
                f"{draft.source('users')} names several values and {draft.source('rate')} a rate, which fixes the "
                "throughput; give one alone"
            )
    if draft.typed("step") and draft.typed("duration"):
        raise UsageError("--step and --duration both give the length of a step; leave one of the two out")
    if draft.rank("step") >= draft.rank("duration"):
        values["duration_s"] = None


def _settle_steps(draft: Draft, name: str, steps: str) -> None:
    setting = BY_NAME[name]
    given = draft.values[setting.field] or ()
    if len(given) > 1 and draft.command in (DRILL, SWEEP):
        if draft.typed(name):
            raise UsageError(f"--{name}: a {draft.command} takes one value; several make a series of runs")
        # A series that the environment or the file asks for does not apply here.
        given = () if setting.default is None else setting.parse(setting.default)
    draft.values[setting.field] = given[0] if given else None
    draft.values[steps] = given if len(given) > 1 else ()


def _check_bench(draft: Draft) -> None:
    values = draft.values
    headless, results_only = values["headless"], values["results_only"]
    if draft.typed("json") and not (headless or results_only):
        raise UsageError("--json needs --headless, --results-only or the command drill or sweep")
    if draft.typed("scenario") and not headless:
        raise UsageError("--scenario needs --headless; on the screen a key starts a scenario")
    if headless or results_only:
        _refuse(draft, _DRILL_FLAGS, "{flag} is for drills: the drill command, or the screen, where a key starts one")
    if results_only:
        _refuse(draft, _FLAGS_OF_A_RUN, "--results-only only shows what is there and runs nothing, so leave {flag} out")
    if headless and not (values["user_steps"] or values["payload_steps"]):
        _refuse(draft, ["step"], "{flag} is the length of a step: it needs --users or --payload with several values")
    if headless:
        _refuse(draft, ["entries"], "{flag} needs the command sweep, or the screen")


def _check_flags_that_need_another(draft: Draft) -> None:
    values = draft.values
    if (values["headless"] if draft.command == BENCH else draft.command in (DRILL, SWEEP)) and not values["demo"]:
        _refuse(draft, _DEMO_FLAGS, "{flag} needs --demo")
    if draft.command == WORKER and values["master"] is None:
        raise UsageError("a worker needs --master HOST:PORT, the address that its master names")
    if not (values["workers"] or values["expect_workers"]):
        _refuse(draft, ["master-bind"], "{flag} needs --expect-workers (or --workers)")
    if draft.command == DRILL and not values["demo"]:
        if values["fault"] == FaultKind.ISOLATE:
            raise UsageError("--fault isolate works on the demo cluster only, so it needs --demo")
        if not values["allow_faults"]:
            raise UsageError(
                "a drill kills or pauses nodes: name --demo for a cluster of its own, or --allow-faults for yours"
            )
    if not values["allow_faults"]:
        _refuse(draft, ["restart-cmd"], "{flag} needs --allow-faults")


def _refuse(draft: Draft, names: Iterable[str], sentence: str) -> None:
    """Refuse these settings where they are typed; ``{flag}`` stands for the one that is."""
    for name in names:
        if draft.typed(name):
            raise UsageError(sentence.format(flag=f"--{name}"))
