"""What the users of one run share: what to send, where to, and what is in flight.

In the program the engine makes it from a `RunPlan`; under the stock ``locust`` command it is made from the
environment's BENCH_ variables. The user classes see no difference.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from confman_tui.cluster.elections import WriteObserver, bytes_digest
from confman_tui.cluster.key_registry import read_registry
from confman_tui.cluster.tls import MACHINE_CAS, TlsOptions, make_context
from confman_tui.core.clock import now
from confman_tui.core.errors import UsageError
from confman_tui.load.entries import head_of, seeded_entries
from confman_tui.load.run_model import RunPlan
from confman_tui.load.schedule import Schedule
from confman_tui.load.targets import Route, TargetBoard, Targets
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S, Reads, Target
from confman_tui.settings.values import MAX_PAYLOAD, shown

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TOKEN_DIGITS = 5
_SEQUENCE_DIGITS = 7
_UNIQUE_DIGITS = _TOKEN_DIGITS + _SEQUENCE_DIGITS
_SIGN_EVERY_S = 0.05
"""A failing cluster makes thousands of failures a second; this often is soon enough to say so again."""
_MOST_TEXTS = 40
"""Different error texts kept apart; a server that makes up ever new ones must not fill the memory."""

_next_token = random.SystemRandom().randrange(16**_TOKEN_DIGITS)


def take_token(keys: Iterable[tuple[str, str]]) -> str:
    """Five hex digits that no other run of this process has and no seeded key begins with."""
    global _next_token
    seeded = {key[4 : 4 + _TOKEN_DIGITS] for _namespace, key in keys}
    while True:
        _next_token = (_next_token + 1) % 16**_TOKEN_DIGITS
        token = f"{_next_token:0{_TOKEN_DIGITS}x}"
        if token not in seeded:
            return token


def _path(namespace: str, key: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/config/{quote(key, safe='')}"


class Write:
    """One write to be sent: a key that nobody used before and a value that no other write has."""

    __slots__ = ("body", "digest", "head", "key", "namespace", "path", "started")

    def __init__(self, namespace: str, key: str, path: str, head: bytes, body: bytes, digest: int) -> None:
        self.namespace = namespace
        self.key = key
        self.path = path
        self.head = head
        """How Confman's answer begins."""
        self.body = body
        self.digest = digest
        """`confman_tui.cluster.elections.value_digest` of the value; 0 where nobody books the writes."""
        self.started = 0.0
        """When it was sent first, set by the user."""


class WriteMaker:
    """Makes writes, cheaply: a random block is made once, and only its last twelve characters differ per write.

    The value has exactly ``payload_bytes`` characters of the base64 alphabet and ends in the twelve hex digits of its
    key. (A value shorter than that holds the last digits only, and repeats after 16 to the power of its length.)
    """

    def __init__(
        self, namespaces: tuple[str, ...], payload_bytes: int, keys: Iterable[tuple[str, str]], *, digests: bool
    ) -> None:
        self._namespaces = tuple((name, f"{_path(name, '')}key-", head_of(name, "key-")[:-2]) for name in namespaces)
        self._token = take_token(keys)
        self._sequence = 0
        self._block_length = max(0, payload_bytes - _UNIQUE_DIGITS)
        self._unique_length = payload_bytes - self._block_length
        block = bytes(random.choices(_ALPHABET, k=min(self._block_length, 65536)))
        if self._block_length > len(block):
            block = (block * (self._block_length // len(block) + 1))[: self._block_length]
        self._head = b'{"value":"' + block
        self._tail = b'","type":"string"}'
        self._digest = bytes_digest(block) if digests else None

    def take_token(self, token: str) -> None:
        """Begin the keys with these five hex digits, which somebody else keeps unique."""
        self._token = token

    def next(self) -> Write:
        """The next write; namespaces take turns."""
        number = self._sequence
        self._sequence = number + 1
        unique = f"{self._token}{number:07x}"
        namespace, stem, head = self._namespaces[number % len(self._namespaces)]
        digits = unique.encode()
        ending = digits[_UNIQUE_DIGITS - self._unique_length :] if self._unique_length else b""
        digest = 0
        if self._digest is not None:
            # the block was summed up once; only the ending is new
            digest = bytes_digest(ending, self._digest)
        head += digits + b'",'
        return Write(namespace, f"key-{unique}", stem + unique, head, self._head + ending + self._tail, digest)


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
        self.read_paths = tuple(_path(namespace, key) for namespace, key in keys)
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
