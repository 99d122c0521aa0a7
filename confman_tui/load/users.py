"""The users: ordinary Locust classes, for this program and for ``locust -f confman_tui/load/users.py`` alike.

Under the stock command they read BENCH_API_KEY, BENCH_KEY_REGISTRY_FILE (a JSON list of namespace and key),
BENCH_NAMESPACES (a JSON list, or separated by commas) and BENCH_PAYLOAD_SIZE (bytes, default 1024), and send to
Locust's ``--host``.

What a user does when a request failed: it pauses for 100 to 250 ms, like an honest client that tries again, instead of
spinning at thousands of refused connections a second. The pause ends at once when the polling names another node to
send to. While nobody is known to lead, writers go on trying the last leader at that pace, so that an outage shows as
failed requests and not as silence.

Redirects are followed here and not by the HTTP client, which would send the API key to whatever host is named: a 307 or
308 once, to a configured node, with method, body and headers as they were (`confman_tui.cluster.redirects`). To all
listeners both requests are one, with the whole time. A 200 counts only when it is the entry that was asked for.

In an open loop (`confman_tui.load.schedule`) a user sends when a request is due: it waits neither between requests nor
after a failure, since the schedule goes on and sets the pace.
"""

from __future__ import annotations

import os
import random
import sys
import time
from typing import Any

import gevent
from locust import FastHttpUser, events, task
from locust.exception import StopUser

from confman_tui.core.clock import now
from confman_tui.core.errors import EXIT_USAGE, UsageError
from confman_tui.load import causes, context, http_hacks, locust_hacks
from confman_tui.load.context import RunContext
from confman_tui.load.entries import SeededEntry, names
from confman_tui.load.request_event import Redirect, RequestEvent
from confman_tui.load.schedule import Schedule
from confman_tui.load.targets import Route
from confman_tui.load.write_maker import Write
from confman_tui.settings.scenarios import REQUEST_TIMEOUT_S

READ_NAME = "/config/[key] GET"
WRITE_NAME = "/config/[key] PUT"
CONNECTION_TIMEOUT_S = 1.0
PAUSE_S = (0.1, 0.25)
"""Least and most seconds between a failed request and the user's next one."""
_STEP_S = 0.02
"""How often a pausing user looks whether there is another node to send to."""

http_hacks.apply()


class ConfmanUser(FastHttpUser):
    """Reads keys and writes new ones, in the class's or the run's proportion."""

    abstract = True
    host = "http://127.0.0.1:6100"
    connection_timeout = CONNECTION_TIMEOUT_S
    network_timeout = REQUEST_TIMEOUT_S
    # the client follows nothing: whoever is named in a Location would get the API key
    max_redirects = 0
    # an API key goes only to a node whose certificate is good; Locust's default looks at none
    insecure = False
    write_share = 0.0
    """Share of writes, 0 to 1, where the run does not say otherwise."""
    pause_between_s = (0.0, 0.0)
    """Least and most seconds between requests, where the run does not say otherwise."""

    def __init__(self, environment: Any) -> None:
        shared = context.context_of(environment)
        if shared is None:
            raise UsageError("The users were given nothing to do: no run of this program, and no BENCH_ variables.")
        self.network_timeout = shared.request_timeout_s
        self.insecure = shared.tls.insecure
        self.ssl_context_factory = shared.ssl_context
        super().__init__(environment)
        self.shared: RunContext = shared
        self.number = shared.enrol()
        self.node = ""
        """Base URL that the present request was sent to."""
        self._route: Route = shared.read_route
        """What chose it."""
        self.write: Write | None = None
        """The write that is in flight."""
        self._entry: SeededEntry | None = None
        """The entry that is being read; None while one is written."""
        self.redirect: Redirect | None = None
        """What the present request was redirected by, if it was."""
        self.begun = 0.0
        """When the present request began, on the clock `time.perf_counter`."""
        self.failure: causes.RequestFailure | None = None
        """How the last request failed; None when it did not."""
        self.due = 0.0
        """Open loop: when the present request was due."""
        self.late_s = 0.0
        """Open loop: by how much it began later."""
        self._waiter: Any = None
        """Open loop: what this user waits in line with, while it does."""
        self._share = self.write_share if shared.write_share is None else shared.write_share
        self._wait = self.pause_between_s if shared.wait_s is None else shared.wait_s
        # nobody sets cookies here, and looking for them costs each request more than anything of ours
        self.client.client.cookiejar = None
        self.client.request_event = RequestEvent(self, self.client.request_event)
        self._bounds = http_hacks.Bounds(shared.largest_bytes, shared.request_timeout_s)
        http_hacks.bound(self.client.client, self._bounds)

    def wait_time(self) -> float:
        """Seconds until the next request."""
        if self.shared.schedule is not None:
            return 0.0
        least, most = self._wait
        return least if least == most else random.uniform(least, most)

    def stop(self, force: bool = False) -> bool:
        """End this user; without ``force`` never in the middle of a request.

        Locust kills a user that waits between two requests. One that waits for no time at all may have begun the next
        request before the kill arrives, and that request would be sent but not counted.
        """
        if force or not locust_hacks.has_begun(self):
            return bool(super().stop(force))
        locust_hacks.stop_after_task(self)
        if self._waiter is not None and self.shared.schedule is not None:
            self.shared.schedule.dismiss(self._waiter)
        return False

    def on_stop(self) -> None:
        """Close the connections: Locust leaves them to the garbage collector."""
        self.client.client.close()

    @task
    def one_request(self) -> None:
        """One write or one read, and a pause when it failed."""
        shared = self.shared
        if shared.stopping:
            raise StopUser
        schedule = shared.schedule
        if schedule is not None:
            self.due = self._wait_until_due(schedule)
        share = self._share
        writes = bool(share) and (share >= 1.0 or random.random() < share)
        self._route = shared.write_route if writes else shared.read_route
        node = self._choose_node()
        if node is None:
            return
        self.node = node
        if writes:
            self.write = write = shared.writes.next()
            self._entry = None
            method, path, name, body = "PUT", write.path, WRITE_NAME, write.body
            headers = shared.write_headers
        else:
            paths = shared.read_paths
            chosen = int(random.random() * len(paths))
            self._entry = shared.entries[chosen]
            method, path, name, body = "GET", paths[chosen], READ_NAME, None
            headers = shared.read_headers
        started = now()
        shared.in_flight[self.number] = started
        if schedule is not None:
            self.late_s = schedule.began(self.due, started)
        if writes:
            write.started = started
            if shared.observer is not None:
                shared.observer.started(started)
        self._send(method, node, path, name, body, headers)
        if self.failure is not None and schedule is None:
            self._pause()

    def is_answered_by(self, body: bytes | None) -> bool:
        """Whether the body of a 200 is the entry that the present request asked for or wrote."""
        if self._entry is not None:
            return self._entry.is_in(body)
        write = self.write
        return write is not None and names(body, write.head, write.namespace, write.key)

    def _send(self, method: str, node: str, path: str, name: str, body: bytes | None, headers: dict[str, str]) -> None:
        """Send a request, and once again where a redirect leads; its event is fired when it has ended."""
        bounds = self._bounds
        self.redirect = None
        self.begun = begun = time.perf_counter()
        bounds.deadline = begun + bounds.timeout_s
        bounds.whole = False
        url = node + path
        request = self.client.request
        try:
            # bytes go through as they are; Locust's annotation forgets them
            request(method, url, name=name, data=body, headers=headers)  # type: ignore[arg-type]
            redirect: Redirect | None = self.redirect
            if redirect is not None:
                bounds.whole = True
                url = redirect.node + path
                request(method, url, name=name, data=body, headers=headers)  # type: ignore[arg-type]
        except BaseException as error:
            self._count_raised(error, method, url, name, begun)

    def _wait_until_due(self, schedule: Schedule) -> float:
        """Wait for the next request of an open loop; gives the time at which it is due.

        Raises:
            StopUser: the user was stopped meanwhile.
        """
        due = schedule.take(now())
        if due is None:
            self._waiter = waiter = schedule.waiter()
            try:
                due = schedule.wait(waiter)
            finally:
                self._waiter = None
            if due is None:
                raise StopUser
        return due

    def _choose_node(self) -> str | None:
        """Where to send next. Waits in short steps while no node was ever known; None when the run ends meanwhile."""
        shared = self.shared
        while True:
            node = self._route(shared.board.current, self.number)
            if node is not None or shared.stopping:
                return node
            gevent.sleep(_STEP_S)

    def _count_raised(self, error: BaseException, method: str, url: str, name: str, begun: float) -> None:
        """Make a request event of what the client raised instead of making one itself (it lets through what it does
        not expect, and a user that is cut off at the end of a run), so that each request that was sent is counted.

        Raises:
            BaseException: ``error``, when the request was counted already or ends the user.
        """
        shared = self.shared
        if self.number not in shared.in_flight:
            raise error
        if not isinstance(error, Exception) and not shared.stopping:
            # killed by the stock command, which leaves such requests out of its statistics
            del shared.in_flight[self.number]
            raise error
        self.client.request_event.fire(
            request_type=method,
            name=name,
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=0,
            response=None,
            context={},
            exception=error,
            start_time=time.time(),
            url=url,
        )
        if not isinstance(error, Exception):
            raise error

    def _pause(self) -> None:
        """After a failure: wait, but no longer than until there is another node to send to."""
        shared = self.shared
        failed = self.node
        until = now() + random.uniform(*PAUSE_S)
        while not shared.stopping:
            left = until - now()
            if left <= 0:
                return
            gevent.sleep(min(left, _STEP_S))
            other = self._route(shared.board.current, self.number)
            if other is not None and other != failed:
                return


class WriteUser(ConfmanUser):
    """Writes new keys only."""

    write_share = 1.0
    pause_between_s = (0.05, 0.1)


class ReadUser(ConfmanUser):
    """Reads seeded keys only."""

    write_share = 0.0


class MixedUser(ConfmanUser):
    """Reads four times as often as it writes."""

    write_share = 0.2
    pause_between_s = (0.01, 0.05)


@events.init.add_listener  # type: ignore[untyped-decorator]
def _configure_from_variables(environment: Any, **_: Any) -> None:
    """Only the stock command fires this (it uses Locust's global events): take the BENCH_ variables."""
    if context.context_of(environment) is not None:
        return
    shares = [getattr(user, "write_share", None) for user in environment.user_classes]
    try:
        shared = context.from_variables(
            os.environ,
            environment.host or ConfmanUser.host,
            reads=any(share is not None and share < 1.0 for share in shares),
            writes=any(share is not None and share > 0.0 for share in shares),
        )
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_USAGE) from None
    context.inject(environment, shared)
