"""The screen (Textual, plotext): takes the events of the session, shows them, and turns keys into its commands."""
