"""The API keys of a cluster for development."""

ADMIN = "confman_dev_abc123"
READER = "confman_dev_reader"
"""May read and not write."""
