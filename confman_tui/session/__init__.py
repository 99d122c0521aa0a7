"""One benchmark session: finds the cluster, seeds, runs, injects faults, verifies; what both front ends use."""
