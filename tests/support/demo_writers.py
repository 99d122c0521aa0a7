"""Writers that note what was acknowledged, for the tests that kill nodes under them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Sequence

from tests.support.demo_client import ADMIN, Answer, ask_on, connect

PATH = "/api/v1/namespaces/kill-test/config"
VALUE = "v" * 1024


class Writers:
    """Threads that write new keys, each once, to whichever node takes them."""

    def __init__(self, urls: Sequence[str], count: int = 8, prefix: str = "") -> None:
        self._urls = list(urls)
        self._leader = self._urls[0]
        self._prefix = prefix
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: list[str] = []
        self.refused = 0
        """Answers and failures that acknowledge nothing: the write may be there or not."""
        self._threads = [threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        count, connection, url = 0, None, ""
        while not self._stop.is_set():
            count += 1
            key = f"{self._prefix}w{number}-{count}"
            if connection is None or url != self._leader:
                if connection is not None:
                    connection.close()
                url = self._leader
                connection = connect(url, 3.0)
            try:
                answer = ask_on(connection, "PUT", f"{PATH}/{key}", {"value": VALUE}, ADMIN)
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
                self._try_next(url)
                continue
            self._note(key, url, answer)

    def _note(self, key: str, url: str, answer: Answer) -> None:
        if answer.status == 200:
            with self._lock:
                self.acknowledged.append(key)
        elif answer.status == 307:
            self._leader = answer.headers["location"].partition("/api/")[0]
            self._stop.wait(0.005)
        else:
            self._try_next(url)

    def _try_next(self, url: str) -> None:
        with self._lock:
            self.refused += 1
            if self._leader == url:
                self._leader = self._urls[(self._urls.index(url) + 1) % len(self._urls)]
        self._stop.wait(0.02)


def keys_on(url: str) -> set[str]:
    """All keys that a node shows."""
    connection = connect(url, 30.0)
    try:
        return {row["key"] for row in ask_on(connection, "GET", PATH, None, ADMIN).json}
    finally:
        connection.close()


def lost(urls: Sequence[str], acknowledged: Sequence[str]) -> dict[str, list[str]]:
    """The acknowledged keys that a node does not show, by node; empty when none is missing anywhere."""
    missing = {url: sorted(set(acknowledged) - keys_on(url)) for url in urls}
    return {url: keys for url, keys in missing.items() if keys}
