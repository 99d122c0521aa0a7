"""Confman seen from outside: its API, what the polls prove, elections, writes, faults."""

import sys
from typing import Any, cast

# httpx imports its own command line, if it can: that brings rich and pygments, and takes as long as all the rest of it.
cast(dict[str, Any], sys.modules).setdefault("httpx._main", None)
