"""Confman seen from outside: its API, what the polls prove, elections, writes, faults."""
