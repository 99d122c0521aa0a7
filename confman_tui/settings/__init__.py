"""Settings: flags, environment, settings file and defaults, made from one table into one frozen `Settings`."""

from confman_tui.settings.resolution import Origin, Rank, Resolved, Settings, check_keys, resolve
from confman_tui.settings.values import Verify

__all__ = ["Origin", "Rank", "Resolved", "Settings", "Verify", "check_keys", "resolve"]
