"""One request to a node and its answer, within bounds: of size, of time, and of where the request may go.

Nothing is followed by httpx. A 307 or 308 is followed once, by sending the same request again to the configured node
that it means (`confman_tui.cluster.redirects`), because the API key goes along.

It is apart from `confman_tui.cluster.client`, which knows what the answers mean.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

import httpx

from confman_tui.cluster import bounds
from confman_tui.cluster.answers import Answer, redirected_again, redirected_away
from confman_tui.cluster.api import NotConfmanError, OversizedError
from confman_tui.cluster.http_failures import plain
from confman_tui.cluster.redirects import FOLLOWED, OTHERS, target_of
from confman_tui.cluster.tls import plain_context

API_KEY_HEADER: Final = "X-Api-Key"
BLOCK_BYTES: Final = 16 * bounds.KB
"""The body of a stream is handed on in blocks of at least this size: a node may send each byte by itself."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer whose body has not been read."""

    node: str
    """Who gave it."""
    response: httpx.Response
    redirected: bool


def compression_of(headers: Mapping[str, str]) -> str:
    """How an answer's body is compressed, empty when it is not."""
    coding = headers.get("content-encoding", "").strip().lower()
    return "" if coding in ("", "identity") else plain(coding, 20)


class Exchange:
    """Sends requests. Raises httpx.HTTPError, TimeoutError, and the subclasses of `ClusterError` that it names.

    It belongs to the event loop that first uses it.
    """

    def __init__(
        self,
        api_key: str,
        nodes: Sequence[str],
        *,
        timeout_s: float,
        connect_s: float,
        concurrency: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        """See `ConfmanClient`."""
        self.nodes = tuple(nodes)
        """The configured nodes, to which alone a redirect may lead."""
        self._timeout_s = timeout_s
        self._connect_s = connect_s
        self._turns = asyncio.Semaphore(concurrency)
        self._http = httpx.AsyncClient(
            headers={API_KEY_HEADER: api_key, "Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(timeout_s, connect=connect_s, pool=None),
            # the turns bound the connections
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=concurrency, keepalive_expiry=30.0),
            verify=tls if tls is not None else plain_context(),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(self, method: str, node: str, path: str, body: bytes | None, limit: int) -> Answer:
        """The whole answer to a request.

        Args:
            method: of the request.
            node: base URL.
            path: with everything escaped.
            body: JSON, or None.
            limit: bytes that the answer's body may have.

        Raises:
            TimeoutError: it was not whole in time.
            OversizedError: it is larger.
            RedirectedAgainError, RedirectedAwayError, NotConfmanError: see `_open`.
        """
        sent = len(body) if body is not None else 0
        async with self._turns, asyncio.timeout(self._connect_s + self._timeout_s + bounds.time_for(sent + limit)):
            opened = await self._open(method, node, path, body)
            content = await self._read(opened, limit)
        return Answer(opened.node, opened.response.status_code, opened.response.headers, content, opened.redirected)

    @asynccontextmanager
    async def stream(self, node: str, path: str, limit: int) -> AsyncGenerator[tuple[Opened, AsyncGenerator[bytes]]]:
        """An answer to a GET and the blocks of its body, which are read as they come. Where the status is not 200 the
        caller reads it with `read_problem`. Raises as `send` does.

        It holds a turn until it is left.
        """
        async with self._turns:
            async with asyncio.timeout(self._connect_s + self._timeout_s):
                opened = await self._open("GET", node, path, None)
            try:
                async with aclosing(self._blocks(opened, limit)) as blocks:
                    yield opened, blocks
            finally:
                await opened.response.aclose()

    async def read_problem(self, opened: Opened) -> Answer:
        """The whole of an answer that was opened, within the bound of a problem. Raises as `send` does."""
        async with asyncio.timeout(self._timeout_s):
            content = await self._read(opened, bounds.PROBLEM_BYTES)
        return Answer(opened.node, opened.response.status_code, opened.response.headers, content, opened.redirected)

    async def _open(self, method: str, node: str, path: str, body: bytes | None) -> Opened:
        """Send a request, again where it is redirected to a configured node.

        Raises:
            RedirectedAgainError: the node that it was redirected to redirects, too.
            RedirectedAwayError: any other redirect.
            NotConfmanError: an answer that is compressed.
        """
        headers = {"Content-Type": "application/json"} if body is not None else None
        redirected = False
        while True:
            request = self._http.build_request(method, node + path, content=body, headers=headers)
            response = await self._http.send(request, stream=True)
            opened = Opened(node, response, redirected)
            try:
                if compression := compression_of(response.headers):
                    raise NotConfmanError(f"{node} answers compressed ({compression}), which was not asked for")
                if response.status_code not in FOLLOWED and response.status_code not in OTHERS:
                    return opened
                location = response.headers.get("location", "")
                target = target_of(location, node, self.nodes) if response.status_code in FOLLOWED else None
                # An elected node that does not serve yet redirects to itself: it would do so again.
                if redirected or target == node:
                    raise redirected_again(node, location)
                if target is None:
                    raise redirected_away(node, response.status_code, location)
                # to its end, so that the connection can be used again
                await self._read(opened, bounds.PROBLEM_BYTES)
            except BaseException:
                await response.aclose()
                raise
            node, redirected = target, True

    async def _read(self, opened: Opened, limit: int) -> bytes:
        """The whole body. Raises OversizedError."""
        response, body = opened.response, bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > limit:
                    raise oversized(opened.node, limit)
        finally:
            await response.aclose()
        return bytes(body)

    async def _blocks(self, opened: Opened, limit: int) -> AsyncGenerator[bytes]:
        """The body as it comes, in blocks. Only the time that is spent in waiting for the node counts.

        Raises:
            TimeoutError: the node was waited for longer than `timeout_s` and what the body's size allows.
            OversizedError: it is larger.
        """
        time = asyncio.get_running_loop().time
        left, size, block = self._timeout_s, 0, bytearray()
        async with aclosing(cast(AsyncGenerator[bytes, None], opened.response.aiter_raw())) as chunks:
            while True:
                began = time()
                async with asyncio.timeout(max(0.0, left)):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                size += len(chunk)
                left += bounds.time_for(len(chunk)) - (time() - began)
                if size > limit:
                    raise oversized(opened.node, limit)
                if left <= 0:
                    # a node that sends faster than each piece is taken in leaves no moment for the timeout
                    raise TimeoutError
                block += chunk
                if len(block) >= BLOCK_BYTES:
                    yield bytes(block)
                    block.clear()
        if block:
            yield bytes(block)


def oversized(node: str, limit: int) -> OversizedError:
    """The error for an answer that is larger than ``limit`` bytes."""
    return OversizedError(f"{node} answers with more than {bounds.size_words(limit)}, the most that is taken for this")
