"""What limits this machine: measurements, and functions from numbers to findings; `cli/doctor` has the config."""
