"""What a leader sends by itself: the entries that followers lack, and its commit index soon after it has moved."""

from __future__ import annotations

from pysyncobj import SyncObj

from confman_tui.demo.links import Links
from confman_tui.demo.pysyncobj_hacks import SyncObjInternals

COMMIT_NOTICE_S = 0.002
"""A commit index is sent to the followers this soon, unless the next write takes it along sooner."""


class Leading:
    """Used while the node leads; `note_sent` is called for what PySyncObj sends itself."""

    def __init__(self, core: SyncObj, internals: SyncObjInternals, links: Links) -> None:
        self._core = core
        self._internals = internals
        self._links = links
        self._sent_commit = 0
        """The commit index that was last sent."""
        self.notice_at: float | None = None
        """When to send the commit index if nothing else does."""

    def tick(self, now: float) -> None:
        """Send what is due; after each tick of PySyncObj's."""
        core, internals = self._core, self._internals
        last = internals.log[-1][1]
        if not self._links.peers:
            # Nobody's answer will cause the tick that commits.
            if core.raftLastApplied < last:
                internals.log.sync()
                core.doTick(0)
            return
        if any(internals.next_index[self._links.peers[name]] <= last for name in self._links.connected):
            self._send_entries()
        elif self._sent_commit < core.raftCommitIndex:
            if self.notice_at is None:
                self.notice_at = now + COMMIT_NOTICE_S
            elif now >= self.notice_at:
                self._send_entries()

    def send_commit_index(self) -> int:
        """Send the commit index to the followers before anything that is sent later, if need be; gives it."""
        if self._sent_commit < self._core.raftCommitIndex:
            self._send_entries()
        return self._sent_commit

    def note_sent(self) -> None:
        """Entries, and with them the commit index, were sent."""
        self._sent_commit = self._core.raftCommitIndex
        self.notice_at = None

    def _send_entries(self) -> None:
        self._internals.send_entries()
        self.note_sent()
