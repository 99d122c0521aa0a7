"""What is kept of the runs: values (`model`), figures (`statistics`), texts (`tables`), files (`files`)."""
