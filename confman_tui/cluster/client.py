"""Requests to Confman's API: namespaces and entries.

How a request goes, where it may go and how much of an answer is taken stands in `confman_tui.cluster.exchange`.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

import httpx

from confman_tui.cluster import bounds
from confman_tui.cluster.answers import Answer, error_of, not_confman, optional_text, text_of
from confman_tui.cluster.api import (
    Entry,
    Namespace,
    NotConfmanError,
    OversizedError,
    UnreachableError,
    WriteAttempt,
    entry_path,
    namespace_path,
    write_outcome,
)
from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.exchange import Exchange, Opened
from confman_tui.cluster.http_failures import classify, plain
from confman_tui.cluster.json_list import ListParser
from confman_tui.cluster.node_names import short_names
from confman_tui.cluster.states import PollKind
from confman_tui.core.errors import ClusterError
from confman_tui.settings.tiers import TIERS, owner_namespace
from confman_tui.settings.values import MAX_PAYLOAD

# In JSON a quote inside a string is escaped, so these bytes stand only where an entry names its namespace.
_ENTRY: Final = re.compile(rf'"ns"\s*:\s*"(?!(?:{"|".join(map(owner_namespace, TIERS))})")'.encode())
_ENTRY_TAIL: Final = 64
"""Longer than any text that `_ENTRY` looks at, so that one cut by a chunk's end is found in the next."""
_T = TypeVar("_T")


class ConfmanClient:
    """Confman's API. Every method takes the base URL of the node to ask; all raise subclasses of `ClusterError`.

    It belongs to the event loop that first uses it.
    """

    def __init__(
        self,
        api_key: str,
        *,
        timeout_s: float = 5.0,
        connect_s: float = 1.0,
        concurrency: int = 16,
        nodes: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            api_key: sent as ``X-Api-Key``; stands in no error and no repr.
            timeout_s: longest time for an answer, in seconds; a large one may take longer (`bounds.time_for`).
            connect_s: longest time for a connection, in seconds.
            concurrency: most requests at one time, over all nodes; further ones wait for their turn.
            nodes: the nodes that a redirect may lead to (see `nodes`).
            tls: which certificates are taken; None: none is.
        """
        self.concurrency = concurrency
        self._exchange = Exchange(
            api_key, nodes, timeout_s=timeout_s, connect_s=connect_s, concurrency=concurrency, tls=tls
        )
        self._short = short_names(nodes)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The configured nodes; redirects to others are not followed, because the key would go there."""
        return self._exchange.nodes

    @nodes.setter
    def nodes(self, nodes: Sequence[str]) -> None:
        self._exchange.nodes = tuple(nodes)
        self._short = short_names(nodes)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._exchange.aclose()

    async def __aenter__(self) -> ConfmanClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<ConfmanClient for {', '.join(self.nodes) or 'any node'}>"

    # Namespaces

    async def list_namespaces(self, node: str) -> list[Namespace]:
        """All namespaces of the cluster."""
        return await self._kept(
            node,
            "/api/v1/namespaces",
            lambda item: Namespace(
                text_of(item, "path"), optional_text(item, "description"), optional_text(item, "owner")
            ),
        )

    async def put_namespace(
        self, node: str, namespace: str, description: str | None = None, owner: str | None = None
    ) -> None:
        """Create or change a namespace."""
        body = {key: text for key, text in (("description", description), ("owner", owner)) if text is not None}
        await self._ask("PUT", node, namespace_path(namespace), body)

    async def delete_namespace(self, node: str, namespace: str) -> bool:
        """Delete a namespace with its entries; False when there was none.

        Entries written into a namespace that does not exist stay (contract, "delete stray ns").
        """
        answer = await self._ask("DELETE", node, namespace_path(namespace), missing_ok=True)
        return answer.status != 404

    # Entries

    async def list_entries(self, node: str, namespace: str, *, first: int | None = None) -> list[Entry]:
        """All entries of a small namespace, with their values; none when it does not exist.

        Args:
            node: to ask.
            namespace: whose entries.
            first: only so many; the rest of the list is not read.
        """
        path = f"{namespace_path(namespace)}/config"
        return await self._kept(node, path, lambda item: _entry(item, namespace), first)

    async def each_entry(self, node: str, namespace: str) -> AsyncGenerator[Entry, None]:
        """All entries of a namespace as they come, none of them kept: for namespaces of any size.

        It holds one of the turns of ``concurrency`` until it is exhausted or closed.
        """
        path = f"{namespace_path(namespace)}/config"
        async with aclosing(self._each(node, path, bounds.LIST_BYTES)) as items:
            async for item in items:
                with _telling_of(node):
                    entry = _entry(item, namespace)
                yield entry

    async def get_entry(self, node: str, namespace: str, key: str, value_bytes: int = MAX_PAYLOAD) -> Entry | None:
        """One entry, or None when there is none.

        Args:
            node: to ask.
            namespace: of the entry.
            key: of the entry.
            value_bytes: the most that its value may have.
        """
        limit = bounds.entry_bytes(value_bytes)
        answer = await self._ask("GET", node, entry_path(namespace, key), missing_ok=True, limit=limit)
        if answer.status == 404:
            return None
        try:
            item = json.loads(answer.body)
            # Confman keeps a slash in a name escaped
            named = (text_of(item, "namespace"), text_of(item, "key"))
            if named != (namespace.replace("/", "%2F"), key.replace("/", "%2F")):
                raise ValueError("another entry")
            return Entry(namespace, key, text_of(item, "value"))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise not_confman(answer) from None

    async def put_entry(self, node: str, namespace: str, key: str, value: str) -> None:
        """Write an entry. When it raises one of `RETRYABLE`, the write may have happened all the same."""
        await self._ask("PUT", node, entry_path(namespace, key), {"value": value})

    async def delete_entry(self, node: str, namespace: str, key: str) -> bool:
        """Delete an entry; False when there was none."""
        answer = await self._ask("DELETE", node, entry_path(namespace, key), missing_ok=True)
        return answer.status != 404

    async def count_entries(self, node: str) -> int:
        """How many entries the cluster holds, those of other programs included, leases of this program left out.

        One ``GET /api/v1/configs`` for the whole cluster: Confman has no count, listing each namespace sends the same
        bytes in many requests (each with a read barrier of its own) and would miss strays. The body is counted as it
        comes and never kept.
        """
        count, tail, first = 0, b"", b""
        async with self._stream(node, "/api/v1/configs", bounds.LIST_BYTES) as (opened, blocks):
            async for block in blocks:
                first = first or block.lstrip()[:200]
                if first and not first.startswith(b"["):
                    break
                data = tail + block
                whole = max(0, len(data) - _ENTRY_TAIL)
                count += sum(1 for match in _ENTRY.finditer(data) if match.start() < whole)
                tail = data[whole:]
        if not first.startswith(b"["):
            raise not_confman(Answer(opened.node, 200, opened.response.headers, first, opened.redirected))
        return count + sum(1 for _ in _ENTRY.finditer(tail))

    # One write whose outcome is what matters

    async def attempt_put(
        self, node: str, namespace: str, key: str, value: str, timeout_s: float = 2.0
    ) -> WriteAttempt:
        """Write once and give how it went; never raises but when cancelled.

        Args:
            timeout_s: deadline for the whole attempt, its redirect included, in seconds.
        """
        path, body = entry_path(namespace, key), json.dumps({"value": value}).encode()
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._exchange.send("PUT", node, path, body, bounds.entry_bytes(len(body)))
        except (httpx.HTTPError, TimeoutError) as error:
            kind, detail = classify(error)
            # TLS that failed comes before any request
            refused = kind in (PollKind.REFUSED, PollKind.UNTRUSTED)
            return WriteAttempt(WriteOutcome.REFUSED if refused else WriteOutcome.UNKNOWN, detail, node, None)
        except Exception as error:
            return WriteAttempt(WriteOutcome.UNKNOWN, plain(str(error)) or type(error).__name__, node, None)
        outcome, detail = write_outcome(answer.status, answer.title if answer.status == 503 else "")
        return WriteAttempt(outcome, detail, answer.node, answer.status, answer.redirected)

    # How a request goes

    async def _ask(
        self,
        method: str,
        node: str,
        path: str,
        payload: object = None,
        *,
        missing_ok: bool = False,
        limit: int | None = None,
    ) -> Answer:
        body = None if payload is None else json.dumps(payload).encode()
        if limit is None:
            limit = bounds.entry_bytes(len(body) if body is not None else 0)
        try:
            answer = await self._exchange.send(method, node, path, body, limit)
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._unreachable(node, error) from None
        if answer.status in (200, 201, 204) or (missing_ok and answer.status == 404 and answer.title):
            return answer
        raise self._error_of(answer)

    @asynccontextmanager
    async def _stream(
        self, node: str, path: str, limit: int
    ) -> AsyncGenerator[tuple[Opened, AsyncGenerator[bytes, None]], None]:
        """A 200 answer whose body is read as it comes. It holds one of the turns of ``concurrency`` meanwhile."""
        try:
            async with self._exchange.stream(node, path, limit) as (opened, blocks):
                if opened.response.status_code != 200:
                    raise self._error_of(await self._exchange.read_problem(opened))
                yield opened, blocks
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._unreachable(node, error) from None

    async def _each(self, node: str, path: str, limit: int) -> AsyncGenerator[Any, None]:
        """The items of a list as they come."""
        parser, first, any_item = ListParser(), b"", False
        async with self._stream(node, path, limit) as (opened, blocks):
            try:
                with _telling_of(opened.node):
                    async for block in blocks:
                        first = first or block[:1024]
                        for item in parser.feed(block):
                            any_item = True
                            yield item
                    parser.close()
            except OversizedError:
                raise
            except NotConfmanError:
                if any_item:
                    raise
                raise not_confman(Answer(opened.node, 200, opened.response.headers, first, opened.redirected)) from None

    async def _kept(self, node: str, path: str, make: Callable[[Any], _T], first: int | None = None) -> list[_T]:
        """The items of a list that is bounded, or the first so many of them, made into something."""
        made: list[_T] = []
        async with aclosing(self._each(node, path, bounds.KEPT_LIST_BYTES)) as items:
            async for item in items:
                if len(made) >= bounds.KEPT_ITEMS:
                    raise OversizedError(f"{node} lists more than {bounds.KEPT_ITEMS:,} items, the most that is taken")
                with _telling_of(node):
                    made.append(make(item))
                if len(made) == first:
                    break
        return made

    def _error_of(self, answer: Answer) -> ClusterError:
        return error_of(answer, self._short.get(answer.node, answer.node))

    def _unreachable(self, node: str, error: httpx.HTTPError | TimeoutError) -> ClusterError:
        kind, detail = classify(error)
        if kind is PollKind.NOT_CONFMAN:
            return NotConfmanError(f"{node} answers with something that is not Confman's: {detail}")
        return UnreachableError(f"{self._short.get(node, node)} can't be reached: {detail}", kind)


def _entry(item: Any, namespace: str) -> Entry:
    """An entry as listed; KeyError, TypeError or ValueError when it is none."""
    return Entry(namespace, text_of(item, "key"), text_of(item, "value"))


@contextmanager
def _telling_of(node: str) -> Iterator[None]:
    """What a 200 answer of this node holds is looked at: what does not fit is told with the node's name."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        text = plain(str(error), 60)
        raise NotConfmanError(f"{node} answers 200 with something that is not Confman's: {text}") from None
