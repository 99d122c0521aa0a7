"""What the command line gives the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from confman_tui.cluster.elections import FaultKind
from confman_tui.core import clock


@dataclass(frozen=True, slots=True)
class UiOptions:
    """Choices that don't change while the screen runs."""

    output_dir: Path
    """Where results and pictures go."""
    theme: str | None = None
    """Name of a Textual theme; None or an unknown one: the default dark one."""
    keymap: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Binding id to keys (comma separated), from the settings file."""
    remember_theme: Callable[[str], object] | None = None
    """Called with the name of a theme that a person chose."""
    clock: clock.Clock = clock.now
    """The program's clock."""
    drill_fault: FaultKind = FaultKind.KILL
    """What a drill does to the leader, unless a person says otherwise."""
    drill_rounds: int = 5
    """How often, unless a person says otherwise."""
    strict: bool = False
    """Whether a generator that was the limit of a run counts for the exit code (``--strict``)."""
    sweep_sizes: tuple[int, ...] = (100, 1_000, 5_000, 10_000)
    """Entries at which a sweep measures, unless a person says otherwise."""
    quit_limit_s: float = 5.0
    """The longest that leaving may take before the screen goes anyway, in seconds."""
