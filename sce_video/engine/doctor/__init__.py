"""What limits training on this machine: measurements, and pure functions from numbers to findings."""
