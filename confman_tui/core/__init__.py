"""What every part may use: clock, errors and exit codes, paths, streams, event loop, child processes."""
