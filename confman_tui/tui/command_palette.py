"""Every action of the keys in the command palette too."""

from __future__ import annotations

from functools import partial
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from confman_tui.tui.base_app import BaseApp
from confman_tui.tui.keys.table import ACTIONS

_OFFERED = tuple(action for action in ACTIONS if action.id != "palette")


class ActionProvider(Provider):
    """The actions, with their keys."""

    def _key(self, action: str) -> str:
        return f"key {cast(BaseApp, self.app).shown_key(action)}"

    async def discover(self) -> Hits:
        for action in _OFFERED:
            yield DiscoveryHit(action.help, partial(self.app.run_action, action.command), help=self._key(action.id))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in _OFFERED:
            if (score := matcher.match(action.help)) > 0:
                do = partial(self.app.run_action, action.command)
                yield Hit(score, matcher.highlight(action.help), do, help=self._key(action.id))
