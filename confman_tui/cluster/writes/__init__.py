"""What became of the writes: each one booked, stretches without acknowledgement, verification."""
