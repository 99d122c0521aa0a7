"""Requests to Confman's API: namespaces and entries, over httpx.

Redirects are followed by hand: at most one, and only to a configured node, because the API key goes along. Confman's
``Location`` holds the path unescaped (contract, odd_cases.json), so only its address is taken and the request's own
path is sent again.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx

from confman_tui.cluster.addresses import normalise
from confman_tui.cluster.answers import Answer, error_of, not_confman, optional_text, text_of
from confman_tui.cluster.api import (
    Entry,
    Namespace,
    NotConfmanError,
    UnreachableError,
    WriteAttempt,
    entry_path,
    namespace_path,
    write_outcome,
)
from confman_tui.cluster.elections import WriteOutcome
from confman_tui.cluster.http_failures import classify, plain
from confman_tui.cluster.json_list import ListParser
from confman_tui.cluster.node_names import NodeNames, short_names
from confman_tui.cluster.states import PollKind
from confman_tui.core.errors import ClusterError
from confman_tui.settings.tiers import TIERS, owner_namespace

API_KEY_HEADER: Final = "X-Api-Key"

# In JSON a quote inside a string is escaped, so these bytes stand only where an entry names its namespace.
_ENTRY = re.compile(rf'"ns"\s*:\s*"(?!(?:{"|".join(map(owner_namespace, TIERS))})")'.encode())
_ENTRY_TAIL = 64
"""Longer than any text that `_ENTRY` looks at, so that one cut by a chunk's end is found in the next."""


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
    ) -> None:
        """
        Args:
            api_key: sent as ``X-Api-Key``; stands in no error and no repr.
            timeout_s: longest silence within an answer, in seconds.
            connect_s: longest time for a connection, in seconds.
            concurrency: most requests at one time, over all nodes; further ones wait for their turn.
            nodes: the nodes that a redirect may lead to (see `nodes`).
        """
        self.concurrency = concurrency
        self._nodes: tuple[str, ...] = ()
        self.nodes = tuple(nodes)
        self._turns = asyncio.Semaphore(concurrency)
        timeout = httpx.Timeout(timeout_s, connect=connect_s, pool=None)
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=30.0)
        self._http = httpx.AsyncClient(
            headers={API_KEY_HEADER: api_key, "Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=timeout,
            limits=limits,
            follow_redirects=False,
            trust_env=False,
        )

    @property
    def nodes(self) -> tuple[str, ...]:
        """The configured nodes; redirects to others are not followed, because the key would go there."""
        return self._nodes

    @nodes.setter
    def nodes(self, nodes: Sequence[str]) -> None:
        self._nodes = tuple(nodes)
        self._names = NodeNames(self._nodes)
        self._short = short_names(self._nodes)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> ConfmanClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<ConfmanClient for {', '.join(self._nodes) or 'any node'}>"

    # Namespaces

    async def list_namespaces(self, node: str) -> list[Namespace]:
        """All namespaces of the cluster."""
        answer = await self._ask("GET", node, "/api/v1/namespaces")
        try:
            return [
                Namespace(text_of(item, "path"), optional_text(item, "description"), optional_text(item, "owner"))
                for item in answer.items()
            ]
        except (KeyError, TypeError, ValueError):
            raise not_confman(answer) from None

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

    async def list_entries(self, node: str, namespace: str) -> list[Entry]:
        """All entries of a namespace, with their values; none when it does not exist."""
        answer = await self._ask("GET", node, f"{namespace_path(namespace)}/config")
        try:
            return [Entry(namespace, text_of(item, "key"), text_of(item, "value")) for item in answer.items()]
        except (KeyError, TypeError, ValueError):
            raise not_confman(answer) from None

    async def each_entry(self, node: str, namespace: str) -> AsyncGenerator[Entry, None]:
        """All entries of a namespace as they come, none of them kept: for namespaces of any size.

        It holds one of the turns of ``concurrency`` until it is exhausted or closed.
        """
        parser = ListParser()
        try:
            async with self._stream(node, f"{namespace_path(namespace)}/config") as response:
                async for chunk in response.aiter_raw():
                    for item in parser.feed(chunk):
                        yield Entry(namespace, text_of(item, "key"), text_of(item, "value"))
                parser.close()
        except (KeyError, TypeError, ValueError) as error:
            text = plain(str(error), 60)
            raise NotConfmanError(f"{node} answers 200 with something that is not Confman's: {text}") from None

    async def get_entry(self, node: str, namespace: str, key: str) -> Entry | None:
        """One entry, or None when there is none."""
        answer = await self._ask("GET", node, entry_path(namespace, key), missing_ok=True)
        if answer.status == 404:
            return None
        try:
            item = json.loads(answer.body)
            return Entry(namespace, key, text_of(item, "value"))
        except (KeyError, TypeError, ValueError):
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
        async with self._stream(node, "/api/v1/configs") as response:
            async for chunk in response.aiter_raw():
                first = first or chunk.lstrip()[:200]
                data = tail + chunk
                whole = max(0, len(data) - _ENTRY_TAIL)
                count += sum(1 for match in _ENTRY.finditer(data) if match.start() < whole)
                tail = data[whole:]
        if not first.startswith(b"["):
            raise not_confman(Answer(node, 200, response.headers, first, False))
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
                answer = await self._send("PUT", node, path, body)
        except TimeoutError:
            return WriteAttempt(WriteOutcome.UNKNOWN, "no answer in time", node, None)
        except httpx.HTTPError as error:
            kind, detail = classify(error)
            refused = kind is PollKind.REFUSED
            return WriteAttempt(WriteOutcome.REFUSED if refused else WriteOutcome.UNKNOWN, detail, node, None)
        except Exception as error:
            return WriteAttempt(WriteOutcome.UNKNOWN, plain(str(error)) or type(error).__name__, node, None)
        outcome, detail = write_outcome(answer.status, answer.title if answer.status == 503 else "")
        return WriteAttempt(outcome, detail, answer.node, answer.status, answer.redirected)

    # How a request goes

    def _target(self, node: str, answer: httpx.Response) -> str | None:
        """The configured node that a 307 leads to, None when it leads nowhere that helps."""
        target = self._names.match(normalise(answer.headers.get("location", "")))
        return target if target != node else None

    async def _send(self, method: str, node: str, path: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else None
        redirected = False
        while True:
            async with self._turns:
                response = await self._http.request(method, node + path, content=body, headers=headers)
            if response.status_code != 307 or redirected:
                break
            target = self._target(node, response)
            if target is None:
                break
            node, redirected = target, True
        return Answer(node, response.status_code, response.headers, response.content, redirected)

    @asynccontextmanager
    async def _stream(self, node: str, path: str) -> AsyncGenerator[httpx.Response, None]:
        """A 200 answer whose body is read as it comes. It holds one of the turns of ``concurrency`` meanwhile."""
        request = self._http.build_request("GET", node + path)
        async with self._turns:
            try:
                response = await self._http.send(request, stream=True)
                try:
                    if response.status_code != 200:
                        body = await response.aread()
                        raise self._error_of(Answer(node, response.status_code, response.headers, body, False))
                    yield response
                finally:
                    await response.aclose()
            except httpx.HTTPError as error:
                raise self._unreachable(node, error) from None

    async def _ask(
        self, method: str, node: str, path: str, payload: object = None, *, missing_ok: bool = False
    ) -> Answer:
        body = None if payload is None else json.dumps(payload).encode()
        try:
            answer = await self._send(method, node, path, body)
        except httpx.HTTPError as error:
            raise self._unreachable(node, error) from None
        if answer.status in (200, 201, 204) or (missing_ok and answer.status == 404 and answer.title):
            return answer
        raise self._error_of(answer)

    def _name(self, node: str) -> str:
        return self._short.get(node, node)

    def _error_of(self, answer: Answer) -> ClusterError:
        return error_of(answer, self._name(answer.node))

    def _unreachable(self, node: str, error: httpx.HTTPError) -> ClusterError:
        kind, detail = classify(error)
        if kind is PollKind.NOT_CONFMAN:
            return NotConfmanError(f"{node} answers with something that is not Confman's: {detail}")
        return UnreachableError(f"{self._name(node)} can't be reached: {detail}", kind)
