"""Every pilot here waits until its app is at rest."""

from __future__ import annotations

import tests.support.settling  # noqa: F401 - for what it puts in the place of the pilot's own pauses
