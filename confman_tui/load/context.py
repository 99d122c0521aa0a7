"""What the users of one run share: what to send, where to, and what is in flight.

In the program the engine makes it from a `RunPlan`; under the stock ``locust`` command it is made from the
environment's BENCH_ variables. The user classes see no difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from confman_tui.cluster.elections import WriteObserver
from confman_tui.cluster.key_registry import read_registry
from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions, make_context
from confman_tui.core.clock import now
from confman_tui.core.errors import UsageError
from confman_tui.load.entries import seeded_entries
from confman_tui.load.run_model import RunPlan
from confman_tui.load.schedule import Schedule
from confman_tui.load.targets import Route, TargetBoard, Targets
from confman_tui.load.write_maker import WriteMaker, entry_path
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S, Reads, Target
from confman_tui.settings.values import MAX_PAYLOAD, shown

_SIGN_EVERY_S = 0.05
"""A failing cluster makes thousands of failures a second; this often is soon enough to say so again."""
_MOST_TEXTS = 40
"""Different error texts kept apart; a server that makes up ever new ones must not fill the memory."""

_ROUTES: dict[Reads, tuple[Route, Route]] = {
    Reads.ALL: (Targets.for_any, Targets.for_any),
    Reads.ENTRY: (Targets.for_entry, Targets.for_entry),
    Reads.LEADER: (Targets.for_leader, Targets.for_leader),
    Reads.FOLLOWERS: (Targets.for_follower, Targets.for_leader),
}
"""Of reads and of writes."""


class RunContext:
    """Shared by all users of one `locust.env.Environment`; only the thread that runs them changes it."""

    def __init__(
        self,
        *,
        board: TargetBoard,
        target: Target,
        namespaces: tuple[str, ...],
        keys: tuple[tuple[str, str], ...],
        payload_bytes: int,
        api_key: str,
        write_share: float | None = None,
        wait_s: tuple[float, float] | None = None,
        observer: WriteObserver | None = None,
        schedule: Schedule | None = None,
        reads: Reads = Reads.ALL,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        seeded_bytes: int = 0,
        largest_bytes: int = 0,
        tls: TlsOptions = MACHINE_CAS,
    ) -> None:
        self.board = board
        self.request_timeout_s = request_timeout_s
        """How long a request may take until its whole answer is there."""
        self.largest_bytes = max(largest_bytes, payload_bytes, seeded_bytes)
        """Size of the largest value that an answer may hold."""
        self.tls = tls
        """Which certificates of nodes are taken."""
        self._ssl_context: Any = None
        self.read_route, self.write_route = _ROUTES[Reads.LEADER if target is Target.LEADER else reads]
        self.write_share = write_share
        """None: the user class's own."""
        self.wait_s = wait_s
        """None: the user class's own."""
        self.observer = observer
        self.schedule = schedule
        """When requests are due (open loop); None: a user sends when it was answered (closed loop)."""
        self.writes = WriteMaker(namespaces, payload_bytes, keys, digests=observer is not None)
        self.read_paths = tuple(entry_path(namespace, key) for namespace, key in keys)
        self.entries = seeded_entries(keys, seeded_bytes)
        """What is read, as `read_paths`."""
        self.read_headers: dict[str, str] = {
            "X-Api-Key": api_key,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        self.write_headers: dict[str, str] = {**self.read_headers, "Content-Type": "application/json"}
        self._report_trouble: Callable[[str], None] | None = getattr(observer, "trouble", None)
        self._reported = 0.0
        self._stopping = False
        self.in_flight: dict[int, float] = {}
        """User number → start of its request. A user has one at a time, so the first entry is the oldest."""
        self._users = 0
        self._texts: set[str] = set()

    def ssl_context(self, cafile: str | None = None) -> Any:
        """The TLS context of all users, made when the first one needs it. geventhttpclient's own choice of CAs,
        ``cafile``, is left aside. Raises UsageError, as `confman_tui.cluster.tls.make_context` does."""
        if self._ssl_context is None:
            from gevent.ssl import SSLContext  # that of the standard library would hold up the hub

            self._ssl_context = make_context(self.tls, SSLContext)
        return self._ssl_context

    @property
    def stopping(self) -> bool:
        """Set before users are stopped, so that none begins another request or goes on waiting for a leader. In an
        open loop nothing is due from then on."""
        return self._stopping

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self._stopping = value
        if value and self.schedule is not None:
            self.schedule.stop(now())

    def begin(self, started: float, seconds: float | None) -> None:
        """The run begins: in an open loop, its first request is due at ``started``, its last one before ``seconds``
        have passed (None: before the run's end)."""
        if self.schedule is not None:
            self.schedule.begin(started, inf if seconds is None else started + seconds)

    def set_rate(self, rate: float) -> None:
        """Change an open loop's pace from now on; nothing happens in a closed loop."""
        if self.schedule is not None and not self._stopping:
            self.schedule.set_rate(rate, now())

    def report_trouble(self, at: float, what: str) -> None:
        """A request failed at ``at`` as it fails in trouble, or is late; passed on at most twenty times a second."""
        if self._report_trouble is not None and at - self._reported >= _SIGN_EVERY_S:
            self._reported = at
            self._report_trouble(what)

    def take_share(self, first_user: int, token: str) -> None:
        """Be one of several contexts of one run: its users' numbers begin with ``first_user``, so that the users of
        all are spread over the nodes as those of one would be, and its keys have a token of their own."""
        self._users = first_user
        self.writes.take_token(token)

    def enrol(self) -> int:
        """A number of its own for each user, from 0."""
        number = self._users
        self._users = number + 1
        return number

    def bounded(self, text: str) -> bool:
        """Whether an error's text is among the first forty different ones of this run."""
        if text in self._texts:
            return True
        if len(self._texts) >= _MOST_TEXTS:
            return False
        self._texts.add(text)
        return True


def from_plan(plan: RunPlan, board: TargetBoard, observer: WriteObserver | None) -> RunContext:
    """The context of one run of the program."""
    return RunContext(
        board=board,
        target=plan.target,
        namespaces=plan.namespaces,
        keys=plan.keys,
        payload_bytes=plan.payload_bytes,
        api_key=plan.api_key,
        write_share=plan.write_share,
        wait_s=plan.wait_s,
        observer=observer,
        schedule=Schedule(plan.rate) if plan.rate is not None else None,
        reads=plan.reads,
        request_timeout_s=plan.request_timeout_s,
        seeded_bytes=plan.seeded_bytes,
        tls=plan.tls,
    )


def from_variables(variables: Mapping[str, str], host: str, *, reads: bool, writes: bool) -> RunContext:
    """The context of a stock ``locust`` run, from the environment's BENCH_ variables.

    Raises:
        UsageError: a variable is missing or wrong; says which, and what is allowed.
    """
    needed = ["BENCH_API_KEY"]
    if reads:
        needed.append("BENCH_KEY_REGISTRY_FILE")
    if writes:
        needed.append("BENCH_NAMESPACES")
    missing = [name for name in needed if not variables.get(name, "").strip()]
    if missing:
        raise UsageError(
            f"These user classes need the environment variable{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}: BENCH_API_KEY is Confman's key, BENCH_KEY_REGISTRY_FILE a JSON list of the keys "
            "to read, BENCH_NAMESPACES the namespaces to write to, a JSON list or separated by commas."
        )
    size = variables.get("BENCH_PAYLOAD_SIZE", "").strip() or "1024"
    if not size.isascii() or not size.isdigit() or not 0 < int(size) <= MAX_PAYLOAD:
        raise UsageError(f"BENCH_PAYLOAD_SIZE is {size!r}; allowed is a number of bytes from 1 to 50000000.")
    namespaces = _namespaces(variables.get("BENCH_NAMESPACES", "")) if writes else ()
    node = host.rstrip("/")
    return RunContext(
        board=TargetBoard(Targets(leader=node, ready=(node,), last_leader=node, nodes=(node,))),
        target=Target.LEADER,
        namespaces=namespaces,
        keys=read_registry(Path(variables["BENCH_KEY_REGISTRY_FILE"])) if reads else (),
        payload_bytes=int(size),
        # the keys' file does not tell how large the values are
        largest_bytes=MAX_PAYLOAD,
        api_key=variables["BENCH_API_KEY"].strip(),
    )


_NAMESPACE = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,252}"
"""What a namespace's name looks like."""


def _namespaces(text: str) -> tuple[str, ...]:
    """The names in BENCH_NAMESPACES: a JSON list, as the original suite writes it, or separated by commas.

    Raises:
        UsageError: it is neither, or a name is none.
    """
    allowed = (
        'allowed is a JSON list of names, such as ["bench-small-000"], or names separated by commas; '
        "a name has letters, digits, dots, slashes, hyphens and underscores"
    )
    names: Any = text.split(",")
    if text.strip().startswith("["):
        try:
            names = json.loads(text)
        except (ValueError, RecursionError):
            raise UsageError(f"BENCH_NAMESPACES begins as a JSON list and is none; {allowed}.") from None
    named = [name.strip() if isinstance(name, str) else name for name in names]
    for name in named:
        if name != "" and not (isinstance(name, str) and re.fullmatch(_NAMESPACE, name)):
            raise UsageError(f"BENCH_NAMESPACES: {shown(str(name))} is no namespace's name; {allowed}.")
    if not any(named):
        raise UsageError(f"BENCH_NAMESPACES names no namespace; {allowed}.")
    return tuple(dict.fromkeys(name for name in named if name))


_injected: WeakKeyDictionary[Any, RunContext] = WeakKeyDictionary()


def inject(environment: Any, context: RunContext) -> None:
    """Give an `Environment` the context that its users take."""
    _injected[environment] = context


def context_of(environment: Any) -> RunContext | None:
    """The context of an `Environment`, or None when none was injected."""
    return _injected.get(environment)
