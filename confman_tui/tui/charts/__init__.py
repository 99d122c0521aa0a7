"""Graphs: what they show, the process that draws them, and their way back to the screen."""
