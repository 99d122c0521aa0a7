"""What the screen remembers of the last hour, bounded: samples, states, acknowledged writes, marks."""
