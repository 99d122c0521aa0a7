"""Settings: flags, environment, settings file and defaults, made into one frozen `Settings`."""

from confman_tui.settings.options import Settings
from confman_tui.settings.origins import Origin, Rank
from confman_tui.settings.resolution import Resolved, check_keys, resolve
from confman_tui.settings.values import Verify

__all__ = ["Origin", "Rank", "Resolved", "Settings", "Verify", "check_keys", "resolve"]
