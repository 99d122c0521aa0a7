"""All that reaches into Textual's private names. Each entry says what would make it unnecessary.

Written for Textual 8.2; `tests/tui/test_textual_hacks.py` fails where a newer one differs.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TextIO, cast

from rich.console import COLOR_SYSTEMS, Console
from rich.control import Control
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen, ScreenResultType
from textual.widget import Widget

from confman_tui.core.errors import EXIT_CRASH
from confman_tui.tui.escape_codes import SegmentWriter
from confman_tui.tui.yield_cpu import yield_cpu


class CrashKeepingApp(App[int]):
    """Keeps a defect's exception in ``crash``, and ends with `EXIT_CRASH` instead of Textual's traceback, which shows
    the values of all variables and so perhaps an API key.

    Textual 8.2. Unnecessary with a public hook for exceptions that end the app.
    """

    crash: BaseException | None = None

    def _handle_exception(self, error: Exception) -> None:
        if self.crash is None:
            self.crash = error
        super()._handle_exception(error)
        self._return_code = EXIT_CRASH

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()


class ScreenUnderDialogs(Screen[ScreenResultType]):
    """A screen that goes on changing below a dialog and rewrites only what changed.

    Textual 8.2 marks what it has just repainted below a dialog for repainting once more, in place of what changes next,
    so that each change costs the whole screen. Unnecessary when `Screen._compositor_refresh` no longer sets
    ``_repaint_required`` for a background screen.
    """

    def _compositor_refresh(self) -> None:
        wanted = self._repaint_required
        super()._compositor_refresh()
        if self.app.screen is not self:
            self._repaint_required = wanted
            self._exchange_repaint_regions()


def forget_dirty_regions(widget: Widget) -> None:
    """Say that ``widget`` renders its lines by itself.

    Textual 8.2 clears these regions only in `Widget.render_line`, which a widget that caches its own lines overrides.
    Unnecessary when Textual clears them after any rendering.
    """
    widget._dirty_regions.clear()


# -- pauses between Textual's own steps --------------------------------------------------------------------------------

STEPS = (
    ("textual._styles_cache", "StylesCache", "render_widget"),
    ("textual._styles_cache", "StylesCache", "render_line"),
    ("textual.strip", "Strip", "apply_filter"),
    ("textual.message_pump", "MessagePump", "_dispatch_message"),
)
"""Textual's own steps (8.2) before which a pause may come. Unnecessary when no load is made in the screen's process, or
on an interpreter without a global lock."""


def pause_between_steps() -> bool:
    """Let Textual's own drawing pause too (`yield_cpu`); True when that is done. False when a step is not where it is
    expected: the load is then disturbed a little more."""
    done = [_pause_before(*step) for step in STEPS]
    return all(done)


def _pause_before(module: str, owner: str, name: str) -> bool:
    try:
        found = getattr(importlib.import_module(module), owner)
        step: Callable[..., Any] = getattr(found, name)
    except (ImportError, AttributeError):
        return False
    if not getattr(step, "pauses", False):

        @wraps(step)
        def pausing(*arguments: Any, **named: Any) -> Any:
            yield_cpu()
            return step(*arguments, **named)

        pausing.pauses = True  # type: ignore[attr-defined]
        setattr(found, name, pausing)
    return True


# -- partial updates in a third of the bytes ---------------------------------------------------------------------------


def narrow_updates() -> bool:
    """Let partial updates of the screen write the changed cells only; True when that is done, False when Textual's
    inside is not as expected: the screen then costs more bytes.

    Textual 8.2 crops a changed span at its right end only (`ChopsUpdate.render_segments`), so that a graph which grows
    at its right edge is written whole each second. Unnecessary when it crops at both ends and states a colour only
    where it changes.
    """
    try:
        from textual import _compositor
        from textual.strip import Strip

        update = _compositor.ChopsUpdate
        known = update.render_segments is _render_segments or (
            update.__init__.__code__.co_varnames[:4] == ("self", "chops", "spans", "chop_ends")
            and hasattr(Strip, "crop")
        )
    except (ImportError, AttributeError):
        return False
    if known:
        update.render_segments = _render_segments  # type: ignore[method-assign]
    return known


def _render_segments(self: Any, console: Console) -> str:
    """The terminal's text for the changed spans, each cropped at both ends."""
    name = console.color_system
    writer = SegmentWriter(None if name is None else COLOR_SYSTEMS[name])
    for y, x1, x2 in self.spans:
        yield_cpu()
        reached = -1
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            begin, stop = max(x, x1), min(end, x2)
            if begin > x or end > stop:
                strip = strip.crop(begin - x, stop - x)
            if begin != reached:
                writer.parts.append(Control.move_to(begin, y).segment.text)
            writer.write(strip)
            reached = stop
    return writer.finish()


# -- terminals that are closed while the screen runs -------------------------------------------------------------------


class _EnduringFile(io.TextIOBase):
    """Writes to a terminal; once that is gone it swallows everything."""

    def __init__(self, file: TextIO, gone: Callable[[], None]) -> None:
        self._file = file
        self._gone: Callable[[], None] | None = gone

    def write(self, text: str) -> int:
        self._try(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._file.flush)

    def _try(self, work: Callable[[], object]) -> None:
        if self._gone is None:
            return
        try:
            work()
        except (OSError, ValueError):
            gone, self._gone = self._gone, None
            gone()

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()


class EnduringDriver(LinuxDriver):
    """Textual's driver, which makes the app quit when its terminal is gone, and lets it.

    Textual 8.2 writes on a thread with a bounded queue. An error there ends the thread, the queue fills up, and the
    screen's loop waits for room in it for ever. Unnecessary when Textual itself exits on a terminal that is gone.
    """

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._leave = getattr(app, "request_quit", app.exit)
        self._file = cast(Any, _EnduringFile(sys.__stderr__ or sys.stderr, lambda: self._leave()))

    def run_input_thread(self) -> None:
        """Read keys until the end; a terminal that is gone is an end, not a defect."""
        try:
            super().run_input_thread()
        except OSError:
            self._leave()
