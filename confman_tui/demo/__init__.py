"""The embedded cluster: three processes with real Raft (PySyncObj) that serve the Confman API."""
