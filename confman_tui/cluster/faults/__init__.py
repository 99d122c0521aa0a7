"""Faults on nodes: who may cause which, how they are done and undone, which one explains a lost leader."""
