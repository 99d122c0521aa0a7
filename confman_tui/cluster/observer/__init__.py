"""The process that polls the nodes and probes writes, and how the program talks to it."""
