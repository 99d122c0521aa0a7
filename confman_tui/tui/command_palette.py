"""Every action of the keys in the command palette too."""

from __future__ import annotations

from functools import partial
from typing import Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from confman_tui.tui.actions import ACTIONS, Action, display


class _Host(Protocol):
    def do(self, action: str) -> None: ...
    def key_of(self, action: str) -> str: ...


class ActionProvider(Provider):
    """The actions, with their keys."""

    @property
    def _host(self) -> _Host:
        return cast(_Host, self.app)

    def _words(self, action: Action) -> tuple[str, str]:
        return action.help, f"key {display(self._host.key_of(action.id))}"

    async def discover(self) -> Hits:
        for action in ACTIONS:
            if action.id == "palette":
                continue
            name, key = self._words(action)
            yield DiscoveryHit(name, partial(self._host.do, action.id), help=key)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in ACTIONS:
            name, key = self._words(action)
            if action.id != "palette" and (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(name), partial(self._host.do, action.id), help=key)
