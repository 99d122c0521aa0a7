"""What is shown: time, graphs, the event log, a picture of the screen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from confman_tui.tui.base_app import BaseApp, Panes
from confman_tui.tui.screens.event_list import EventsDialog

SCROLL = 0.25
"""Share of the window that one step through time takes."""


def picture_with_blanks(svg: str) -> str:
    """A picture whose texts keep the blanks that they begin with: librsvg and others drop them otherwise."""
    return svg.replace("<svg ", '<svg xml:space="preserve" ', 1)


class ViewActions(BaseApp):
    """The view. None of these changes what is collected."""

    def action_hold(self) -> None:
        """Hold the view as it is, or let it go on."""
        if self.held is None:
            now = self.frame()
            self.held = replace(now, state=now.state.copy())
            self.window.hold(now.now)
        else:
            self.held = None
            self.window.release()
        self.draw(Panes.ALL)

    def action_graphs(self) -> None:
        """Show the other graph."""
        self.dashboard.switch_graph()

    def action_zoom_in(self) -> None:
        """Show less time."""
        self._zoomed(self.window.zoom_in(), "15 s is the shortest time shown.")

    def action_zoom_out(self) -> None:
        """Show more time."""
        self._zoomed(self.window.zoom_out(), "10 min is the longest time shown.")

    def _zoomed(self, changed: bool, limit: str) -> None:
        if changed:
            self.draw(Panes.CHARTS)
        else:
            self.say(limit)

    def action_earlier(self) -> None:
        """Go back in time."""
        self._scroll(-SCROLL)

    def action_later(self) -> None:
        """Go forward in time."""
        self._scroll(SCROLL)

    def _scroll(self, share: float) -> None:
        self.window.scroll(share, self.options.clock())
        self.draw(Panes.ALL)

    def action_filter(self) -> None:
        """Narrow the event log to the next topic; where there is no room for the log, open it as a dialog."""
        if not self.circumstances().log_shown:
            self.clear_notifications()  # what they say stands in it, and they would lie over it
            self.push_screen(EventsDialog(self.state, self.options.clock, self.shown_key("filter")))
            return
        pane = self.dashboard.log_pane
        pane.next_topic()
        pane.show(self.held or self.frame())

    def action_copy(self) -> None:
        """Copy the chosen line of the event log."""
        chosen = self.dashboard.log_pane.chosen
        if chosen is None:
            self.say("No line is chosen.", "warning")
            return
        self.copy_to_clipboard(chosen.plain)
        self.say(f"Copied: {chosen.plain}")

    def action_picture(self) -> None:
        """Save a picture of the screen."""
        stamp = datetime.fromtimestamp(self.options.clock()).strftime("%Y%m%d-%H%M%S")
        target = self.options.output_dir / f"screen-{stamp}.svg"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(picture_with_blanks(self.export_screenshot(title="confman-tui")), encoding="utf-8")
        except OSError as error:
            self.say(f"The picture could not be written to {target}: {error.strerror or error}", "error")
            return
        self.say(f"Picture saved: {target}")
